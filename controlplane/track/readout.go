package track

import (
	"time"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// readout is the read-out of a whole flow cache, which every connection begins with.
type readout struct {
	next     uint32   // slot to ask for next
	answered []uint64 // a bit a slot
	missing  int      // slots whose answer has not come
	began    time.Time
	ended    time.Time
	took     time.Duration // of the last one that was finished
	count    uint64        // of finished ones
}

// begin starts over.
func (o *readout) begin(slots uint32, now time.Time) {
	o.next, o.missing, o.began = 0, int(slots), now
	o.answered = make([]uint64, (slots+63)/64)
}

// complete says that every slot has been read since the connection began.
func (o *readout) complete() bool { return o.answered == nil && o.count > 0 }

// wants says that the answer of a slot is still missing that was asked for.
func (o *readout) wants(slot uint32) bool {
	return slot < o.next && int(slot/64) < len(o.answered) && o.answered[slot/64]>>(slot%64)&1 == 0
}

// take notes the answer of a slot, and says whether it was the last that was missing.
func (o *readout) take(slot uint32, now time.Time) bool {
	if int(slot/64) >= len(o.answered) || o.answered[slot/64]>>(slot%64)&1 == 1 {
		return false
	}
	o.answered[slot/64] |= 1 << (slot % 64)
	if o.missing--; o.missing > 0 {
		return false
	}
	o.answered, o.ended, o.took = nil, now, now.Sub(o.began)
	o.count++
	return true
}

// flowCache is how the switch's flow cache is read, as of now.
func (a *account) flowCache(now time.Time) inventory.FlowCache {
	f := inventory.FlowCache{Switch: a.name, ReadOuts: a.readout.count, ReadOut: a.readout.ended, ReadOutTook: a.readout.took}
	if a.identity.name != 0 {
		f.CountingSince = time.Unix(0, int64(a.identity.name))
	}
	if a.clock.probed {
		f.ClockZero, f.ClockError, f.ClockMeasured = a.clock.epoch, a.clock.error(now), a.clock.sampled
	}
	return f
}
