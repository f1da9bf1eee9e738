package track

import "time"

// clock relates one switch's time to ours, by read-outs: the switch's answer was stamped
// between our question and its arrival, so the shortest round trip bounds the error best.
// Until the first answer the newest report stands in, which is late by its way here.
type clock struct {
	epoch   time.Time // our time at the switch's zero
	bound   time.Duration
	probed  bool
	sampled time.Time // when bound was measured
	asked   time.Time // when the last question was sent that is only asked for the time
}

// drift is how far two clocks part in a second, at worst: 50 ppm each, as crystals have.
const drift = 100 * time.Microsecond

// sample takes a question sent at sent and answered at received with the switch time micros.
func (c *clock) sample(sent, received time.Time, micros uint64) {
	trip := received.Sub(sent)
	if c.probed && trip/2 >= c.error(received) {
		return
	}
	c.epoch = sent.Add(trip / 2).Add(-time.Duration(micros) * time.Microsecond)
	c.bound, c.sampled = trip/2, received
	c.probed = true
}

// guess stands in with a report of micros that was received now.
func (c *clock) guess(received time.Time, micros uint64) {
	if c.probed {
		return
	}
	if epoch := received.Add(-time.Duration(micros) * time.Microsecond); c.epoch.IsZero() || epoch.Before(c.epoch) {
		c.epoch = epoch
	}
}

// at gives our time for the switch's.
func (c *clock) at(micros uint64) time.Time {
	return c.epoch.Add(time.Duration(micros) * time.Microsecond)
}

// nanos gives our time for the switch's, since 1970.
func (c *clock) nanos(micros uint64) int64 { return c.epoch.UnixNano() + int64(micros)*1000 }

// micros gives the switch's time for ours; 0 before its start.
func (c *clock) micros(t time.Time) uint64 {
	return uint64(max(0, t.Sub(c.epoch).Microseconds()))
}

// error is by how much the times that at gives may be off at t: what the round trip left open,
// and how far the two clocks may have parted since.
func (c *clock) error(t time.Time) time.Duration {
	return c.bound + time.Duration(max(0, t.Sub(c.sampled).Seconds())*float64(drift))
}
