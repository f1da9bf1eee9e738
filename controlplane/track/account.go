package track

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// account is all that a Tracker holds of one switch.
type account struct {
	name     string
	ledger   *ledger
	take     func(*delta)           // what the ledger learned
	outlives func(flow uint32) bool // whether it is recorded for good
	clock    clock
	epochs   epochs
	ports    map[uint32]*portBooks
	gaps     gaps
	causes   [flow.CauseFreed + 1]prometheus.Counter

	identity identity
	readout  readout
	read     prometheus.Counter
	fromZero bool // the records begin where the switch's counters did
	dirty    bool // what is published has changed

	// While connected:
	sw       Switch
	pass     uint32               // next slot of the look for silent ones
	asked    map[uint32]time.Time // slots whose answer is awaited, by when they were asked
	aligned  time.Time            // when the clock was set
	requests chan request
	cancel   context.CancelFunc
	workers  sync.WaitGroup
}

// portBooks are the last counters of a port, and what was counted before the account began.
type portBooks struct {
	counters PortCounters
	base     flow.Counters
	settled  bool          // base means something
	previous flow.Counters // unexplained at the poll before
	polled   bool
	losses   losses
}

type request struct {
	SlotRequest
	clock *uint64 // set the clock instead
	name  uint64  // or name the registers, if not 0
}

func newAccount(name string, t *Tracker, j *joiner) *account {
	a := &account{name: name, ledger: newLedger(t.cfg.Slots), epochs: epochs{bits: t.cfg.EpochBits}, ports: map[uint32]*portBooks{}}
	a.take = func(d *delta) { j.add(a, d) }
	a.outlives = j.outlives
	a.read = t.metrics.slotsRead.WithLabelValues(name)
	a.ledger.lost = func(g gap) {
		j.miss(name, a.clock.nanos(g.at))
		a.loses(j, g)
	}
	for cause := range a.causes {
		a.causes[cause] = t.metrics.reports.WithLabelValues(name, causeName(flow.Cause(cause)))
	}
	return a
}

// received takes of a report what is so whatever its registers are called.
func (a *account) received(r *Report, received time.Time) {
	if r.answer() {
		a.answered(r, received)
		a.read.Inc()
	}
	a.clock.guess(received, r.Now)
	cause := r.Cause
	if int(cause) >= len(a.causes) {
		cause = 0 // unknown
	}
	a.causes[cause].Inc()
}

// apply brings the books up to a report of the registers that they are of.
func (a *account) apply(t *Tracker, r *Report, received time.Time) {
	a.ledger.apply(r, a.take)
	if r.answer() && a.readout.take(r.Slot, received) {
		t.metrics.readOut(a)
	}
}

// connect starts the full read-out and the polling of counters. Whatever the switch holds is
// read even when it is fresh, because flows may have come before the digest was set up.
func (a *account) connect(ctx context.Context, t *Tracker, sw Switch) {
	ctx, a.cancel = context.WithCancel(ctx)
	a.sw, a.asked = sw, map[uint32]time.Time{}
	a.clock, a.epochs.set = clock{}, false
	a.identity = identity{name: a.identity.name, proposed: a.identity.proposed}
	a.readout.begin(t.cfg.Slots, time.Now())
	a.requests = make(chan request, t.cfg.MaxInFlight+2) // a clock and a name besides
	a.workers.Go(func() { a.ask(ctx, t, sw, a.requests) })
	a.workers.Go(func() { a.poll(ctx, t, sw) })
	a.next(t, time.Now())
}

// stop ends what connect started.
func (a *account) stop() {
	if a.cancel == nil {
		return
	}
	a.cancel()
	a.workers.Wait()
	a.sw, a.cancel, a.asked, a.requests = nil, nil, nil, nil
}

// ask sends requests in order; it is the one goroutine of this switch that may block on it.
func (a *account) ask(ctx context.Context, t *Tracker, sw Switch, requests <-chan request) {
	for {
		select {
		case <-ctx.Done():
			return
		case r := <-requests:
			var err error
			switch {
			case r.clock != nil:
				err = sw.SetClock(ctx, *r.clock)
			case r.name != 0:
				err = sw.SetIncarnation(ctx, r.name)
			default:
				err = sw.RequestSlot(ctx, r.SlotRequest)
			}
			if err != nil && ctx.Err() == nil {
				t.metrics.requestErrors.WithLabelValues(a.name).Inc()
			}
		}
	}
}

func (a *account) poll(ctx context.Context, t *Tracker, sw Switch) {
	timer := time.NewTicker(t.cfg.CounterInterval)
	defer timer.Stop()
	for {
		counters, err := sw.ReadCounters(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return
			}
			t.metrics.counterErrors.WithLabelValues(a.name).Inc()
			t.deps.Log.Warn("read port counters", "switch", a.name, "error", err)
		} else if t.send(ctx, func(b *books) { a.count(ctx, t, counters, time.Now()) }) != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
	}
}

// answered matches a report with the question it answers, for the clock and the window.
func (a *account) answered(r *Report, received time.Time) {
	if sent, ok := a.asked[r.Slot]; ok {
		delete(a.asked, r.Slot)
		a.clock.sample(sent, received, r.Now)
	}
}

// sweep asks for what is due: the rest of the full read-out, silent slots, lost answers.
func (a *account) sweep(t *Tracker, now time.Time) {
	if a.sw == nil {
		return
	}
	for slot, sent := range a.asked {
		if now.Sub(sent) >= t.cfg.AnswerTimeout {
			t.metrics.unanswered.WithLabelValues(a.name).Inc()
			delete(a.asked, slot)
			if a.readout.wants(slot) {
				a.request(t, now, SlotRequest{Slot: slot})
			}
		}
	}
	if now.Sub(a.clock.asked) >= clockEvery && a.request(t, now, SlotRequest{Slot: t.cfg.Slots - 1}) {
		a.clock.asked = now
	}
	a.align(now)
	a.ledger.reap(a.clock.micros(now), uint64(reapGrace.Microseconds()), a.take)
	if a.pass == t.cfg.Slots {
		a.pass = 0
	}
	a.next(t, now)
}

// clockEvery is how often a switch is asked for the time, even if there is no slot to ask for.
const clockEvery = 2 * time.Second

// clockStep is how far a switch's time may be off from what is known better by now before it
// is set again.
const clockStep = 200 * time.Microsecond

// align tells the switch the fabric's time once it is known, and again when it is known better
// or has drifted. A message that is lost is made good by the next.
func (a *account) align(now time.Time) {
	if !a.clock.probed {
		return
	}
	offset := uint64(a.clock.epoch.UnixMicro()) & timeMask
	off := time.Duration(int64(offset-a.epochs.offset)<<16>>16) * time.Microsecond
	if a.epochs.set && off.Abs() < clockStep && now.Sub(a.aligned) < alignEvery {
		return
	}
	select {
	case a.requests <- request{clock: &offset}:
		a.epochs.offset, a.epochs.set, a.aligned = offset, true, now
	default:
	}
}

// alignEvery is how often the clock is set although nothing has changed.
const alignEvery = time.Minute

// next goes on with the full read-out, and then with the slots that fell silent and whose
// counters are stored, as far as the window allows.
func (a *account) next(t *Tracker, now time.Time) {
	if a.sw == nil {
		return
	}
	for a.readout.next < t.cfg.Slots && a.request(t, now, SlotRequest{Slot: a.readout.next}) {
		a.readout.next++
	}
	if a.readout.next < t.cfg.Slots {
		return
	}
	micros := a.clock.micros(now)
	for ; a.pass < t.cfg.Slots; a.pass++ {
		s := &a.ledger.slots[a.pass]
		if !s.is(markLive) {
			continue
		}
		idle := t.cfg.IdleTimeout
		if s.is(markEnded) {
			idle = t.cfg.EndedTimeout
		}
		if coarse(micros) <= s.heard+coarse(uint64(idle.Microseconds())) || !a.outlives(s.flow) {
			continue
		}
		r := SlotRequest{Slot: a.pass, Idle: idle, Generation: s.number, Packets: s.known.Packets}
		if !a.request(t, now, r) {
			return
		}
		s.mark(markFreed, true)
	}
}

// request asks for a slot unless the window is full; true when it is asked or on its way.
func (a *account) request(t *Tracker, now time.Time, r SlotRequest) bool {
	if _, waiting := a.asked[r.Slot]; waiting {
		return true
	}
	if len(a.asked) >= t.cfg.MaxInFlight {
		return false
	}
	select {
	case a.requests <- request{SlotRequest: r}:
		a.asked[r.Slot] = now
		return true
	default:
		return false
	}
}

// count takes a read of the counters, once it is known what they are of, and unless the
// connection has ended meanwhile.
func (a *account) count(ctx context.Context, t *Tracker, counters []PortCounters, now time.Time) {
	if ctx.Err() != nil || !a.identity.met {
		return
	}
	for _, c := range counters {
		if p := a.ports[c.Number]; p != nil && c.Total.Packets < p.counters.Total.Packets {
			a.clock.asked = time.Time{} // the answer will carry another name
			return
		}
	}
	for _, c := range counters {
		p := a.ports[c.Number]
		if p == nil {
			p = &portBooks{settled: a.fromZero}
			a.ports[c.Number] = p
		}
		moved := !p.polled || p.counters != c
		p.counters = c
		unexplained := c.Total.Sub(c.Buckets).Sub(*a.ledger.port(c.Number))
		// Counters and reports are not read in one moment; when two polls agree they were.
		if !p.settled && p.polled && a.readout.complete() && unexplained == p.previous {
			p.base, p.settled = unexplained, true
		}
		p.previous, p.polled = unexplained, true
		a.explain(p, c.Number, moved, t, now)
	}
}

// residue is what a port counted by the last look at it and nothing explains; it may be less
// than nothing when reports are newer. False: it is not known what of it was before the records.
func (a *account) residue(number uint32, p *portBooks) (flow.Counters, bool) {
	return p.counters.Total.Sub(p.counters.Buckets).Sub(*a.ledger.port(number)).Sub(p.base), p.settled
}

// accounting gives the invariant of every port as it stands.
func (a *account) accounting(portName func(string, uint32) string) []inventory.Accounting {
	facts := make([]inventory.Accounting, 0, len(a.ports))
	for number, p := range a.ports {
		records := *a.ledger.port(number)
		f := inventory.Accounting{
			Switch: a.name, Port: portName(a.name, number), Number: number,
			PortPackets: p.counters.Total.Packets, PortBytes: p.counters.Total.Bytes,
			RecordPackets: records.Packets, RecordBytes: records.Bytes,
			BucketPackets: p.counters.Buckets.Packets, BucketBytes: p.counters.Buckets.Bytes,
			Buckets: p.counters.Classes, Expired: p.counters.Expired,
			BasePackets: int64(p.base.Packets), BaseBytes: int64(p.base.Bytes),
			MissingPackets: int64(p.losses.explained.Packets), MissingBytes: int64(p.losses.explained.Bytes),
			Losses: slices.Clone(p.losses.list),
		}
		if rest, known := a.residue(number, p); known {
			f.ResiduePackets, f.ResidueBytes = int64(rest.Packets), int64(rest.Bytes)
		}
		facts = append(facts, f)
	}
	return facts
}
