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
	name   string
	ledger *ledger
	take   func(*delta) // what the ledger learned
	clock  clock
	epochs epochs
	fresh  bool // counters and cache began at zero with this account
	ports  map[uint32]*portBooks
	gaps   gaps
	causes [flow.CauseFreed + 1]prometheus.Counter

	// While connected:
	sw       Switch
	scan     uint32               // next slot of the full read-out
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
	slot  uint32
	idle  time.Duration
	clock *uint64 // set the clock instead
}

func newAccount(name string, t *Tracker, j *joiner) *account {
	a := &account{name: name, ledger: newLedger(t.cfg.Slots), epochs: epochs{bits: t.cfg.EpochBits}, ports: map[uint32]*portBooks{}}
	a.take = func(d *delta) { j.add(a, d) }
	a.ledger.lost = func(g gap) {
		j.miss(name, a.clock.nanos(g.at))
		a.loses(j, g)
	}
	for cause := range a.causes {
		a.causes[cause] = t.metrics.reports.WithLabelValues(name, causeName(flow.Cause(cause)))
	}
	return a
}

// report takes a report that was received at the given time.
func (a *account) report(r *Report, received time.Time) {
	a.answered(r, received)
	a.clock.guess(received, r.Now)
	cause := r.Cause
	if int(cause) >= len(a.causes) {
		cause = 0 // unknown
	}
	a.causes[cause].Inc()
	a.ledger.apply(r, a.take)
}

// connect starts the full read-out and the polling of counters. Whatever the switch holds is
// read even when it is fresh, because flows may have come before the digest was set up.
func (a *account) connect(ctx context.Context, t *Tracker, sw Switch) {
	ctx, a.cancel = context.WithCancel(ctx)
	a.sw, a.scan, a.asked = sw, 0, map[uint32]time.Time{}
	a.clock, a.epochs.set = clock{}, false
	a.requests = make(chan request, t.cfg.MaxInFlight+1)
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
			if r.clock != nil {
				err = sw.SetClock(ctx, *r.clock)
			} else {
				err = sw.RequestSlot(ctx, r.slot, r.idle)
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
		} else if t.send(ctx, func(b *books) { a.count(counters, t, time.Now()) }) != nil {
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
	if r.Cause != flow.CauseRead && r.Cause != flow.CauseFreed {
		return
	}
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
			if slot < a.scan {
				a.request(t, now, slot, 0)
			}
		}
	}
	a.align(now)
	a.ledger.reap(a.clock.micros(now), uint64(reapGrace.Microseconds()), a.take)
	if a.pass == t.cfg.Slots {
		a.pass = 0
	}
	a.next(t, now)
}

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

// next goes on with the full read-out, and then with the slots that fell silent, as far as the
// window allows.
func (a *account) next(t *Tracker, now time.Time) {
	if a.sw == nil {
		return
	}
	for a.scan < t.cfg.Slots && a.request(t, now, a.scan, 0) {
		a.scan++
	}
	if a.scan < t.cfg.Slots {
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
		if coarse(micros) > s.heard+coarse(uint64(idle.Microseconds())) && !a.request(t, now, a.pass, idle) {
			return
		}
	}
}

// request asks for a slot unless the window is full; true when it is asked or on its way.
func (a *account) request(t *Tracker, now time.Time, slot uint32, idle time.Duration) bool {
	if _, waiting := a.asked[slot]; waiting {
		return true
	}
	if len(a.asked) >= t.cfg.MaxInFlight {
		return false
	}
	select {
	case a.requests <- request{slot: slot, idle: idle}:
		a.asked[slot] = now
		return true
	default:
		return false
	}
}

func (a *account) count(counters []PortCounters, t *Tracker, now time.Time) {
	for _, c := range counters {
		p := a.ports[c.Number]
		if p == nil {
			p = &portBooks{settled: a.fresh}
			a.ports[c.Number] = p
		}
		moved := !p.polled || p.counters != c
		p.counters = c
		unexplained := c.Total.Sub(c.Buckets).Sub(*a.ledger.port(c.Number))
		// Counters and reports are not read in one moment; when two polls agree they were.
		if !p.settled && p.polled && a.scan > 0 && len(a.asked) == 0 && unexplained == p.previous {
			p.base, p.settled = unexplained, true
		}
		p.previous, p.polled = unexplained, true
		a.explain(p, c.Number, moved, t, now)
	}
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
		if p.settled {
			rest := p.counters.Total.Sub(p.counters.Buckets).Sub(records).Sub(p.base)
			f.ResiduePackets, f.ResidueBytes = int64(rest.Packets), int64(rest.Bytes)
		}
		facts = append(facts, f)
	}
	return facts
}
