package track

import (
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
)

// Whatever zeroes a switch's registers, a restart or another pipeline, begins a new incarnation
// of them: generations begin anew, and may look like older or newer ones of before. So registers
// have a name. The controller that finds them without one names them; a name that is another than
// before ends the books. Nothing that a switch reports is taken before its name is known; it waits, for
// a read-out's round trip. Of more reports than may wait, read-outs bring what is still in the cache.

// identity is what an account knows of the incarnation it counts.
type identity struct {
	name     uint64 // 0 until it is known
	met      bool   // the name was seen on this connection
	proposed uint64
	asked    time.Time // when it was proposed
	held     []held
}

// held is a report that came before the name.
type held struct {
	report   Report
	received time.Time
}

// identify takes what a report says of the incarnation. It gives false when the report has to
// wait for the name, or was dropped.
func (b *books) identify(a *account, r *Report, received time.Time) bool {
	if r.answer() {
		b.meet(a, r.Incarnation, received)
	}
	if a.identity.met {
		return true
	}
	if len(a.identity.held) < b.t.cfg.MaxUnnamed {
		a.identity.held = append(a.identity.held, held{*r, received})
	} else {
		b.t.metrics.dropped.WithLabelValues(a.name).Inc()
	}
	return false
}

// meet takes the name that an answer carried.
func (b *books) meet(a *account, name uint64, now time.Time) {
	id := &a.identity
	switch {
	case name == 0:
		id.met = false
		b.propose(a, now)
		return
	case id.met && name == id.name:
		return
	case id.name == 0:
		// Registers that had no name were named by nobody but us: no other was told of their flows.
		a.fromZero = a.fromZero || name == id.proposed
	case name != id.name:
		b.end(a)
		a.fromZero = name == id.proposed
		a.readout.begin(b.t.cfg.Slots, now)
	}
	id.name, id.met = name, true
	waiting := id.held
	id.held = nil
	for i := range waiting {
		a.apply(b.t, &waiting[i].report, waiting[i].received)
	}
}

// propose names registers that have no name; a message that gets lost is sent again.
func (b *books) propose(a *account, now time.Time) {
	id := &a.identity
	if now.Sub(id.asked) < b.t.cfg.AnswerTimeout {
		return
	}
	name := uint64(now.UnixNano())
	select {
	case a.requests <- request{name: name}:
		id.proposed, id.asked = name, now
	default:
	}
}

// end closes the books of an incarnation that is over. What its ports had counted by the last
// look at them and no record has is lost; nobody knows what they counted after that.
func (b *books) end(a *account) {
	m := b.t.metrics
	m.incarnations.WithLabelValues(a.name).Inc()
	var lost flow.Counters
	for number, p := range a.ports {
		if rest, known := a.residue(number, p); known && int64(rest.Packets) > 0 {
			lost.Add(rest)
		}
	}
	m.lost.WithLabelValues(a.name).Add(float64(lost.Packets))
	b.t.deps.Log.Warn("the counters of a switch have begun anew", "switch", a.name,
		"lost-packets", lost.Packets, "lost-bytes", lost.Bytes)
	a.ledger.abandon(a.take)
	a.gaps = gaps{}
	next := newLedger(b.t.cfg.Slots)
	next.stats, next.lost = a.ledger.stats, a.ledger.lost
	a.ledger = next
	b.joiner.anew(a)
	a.ports, a.identity.name, a.fromZero = map[uint32]*portBooks{}, 0, false
	a.epochs.set = false // the offset was in the registers too
}

// answer says that a report is the answer to a read-out.
func (r *Report) answer() bool { return r.Cause == flow.CauseRead || r.Cause == flow.CauseFreed }
