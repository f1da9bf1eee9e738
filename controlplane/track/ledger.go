package track

import (
	"slices"

	"github.com/fabricscope/fabricscope/controlplane/flow"
)

// ledger keeps, for one switch, how much of each live generation is already accounted for.
// It has one owner and reads no clock: times are the switch's.
type ledger struct {
	slots []slot                    // by their index
	aside map[uint32]*aside         // what the slots of few have no place for
	total map[uint32]*flow.Counters // by ingress port: everything accounted for
	live  int                       // generations
	told  uint32                    // switch time of the newest digest, coarse
	came  uint32                    // switch time when the last digest came here, coarse
	stats ledgerStats
	lost  func(gap) // is told of generations whose reports did not come; may be nil
	delta delta     // what is yielded, for its memory
}

// ledgerStats counts what the chain of generations reveals.
type ledgerStats struct {
	duplicates uint64 // reports that said nothing new
	gaps       uint64 // generations whose reports were lost
	unfinished uint64 // generations that went without their last report
	misplaced  uint64 // reports of slots that the cache does not have
}

// slot is one place of the flow cache. Digests come in the order of its generations and form
// the chain; read-outs overtake them, so a generation can be live, and even done, before the
// chain reaches it. There is one of these for every slot of every switch, so they are small.
type slot struct {
	generation        // the newest that is live
	heard      uint32 // switch time of the newest report, coarse
	chain      uint16 // the newest generation that a digest told of
	marks      uint8
}

// What slot.marks holds.
const (
	markLive    = 1 << iota // the generation means something
	markChained             // chain means something
	markEnded               // TCP_END was the newest report: the flow is about to fall silent
	markAside               // there is more under the slot's index in ledger.aside
	markFreed               // the switch was asked to empty the slot, if it has counted what is known
)

type generation struct {
	known  flow.Counters
	flow   uint32 // what the receiver of the deltas calls it; 0 if it does not follow it
	number uint16
}

// coarse is a switch time in units of 65.5 ms: of 48 bits all that count here.
func coarse(micros uint64) uint32 { return uint32(micros >> 16) }

// delta is what one report adds to one flow.
type delta struct {
	slot   uint32 // when it began
	flow   uint32 // set by the receiver when it began, and given back from then on
	add    flow.Counters
	behind uint64 // by how many packets the report lags what was known
	half   *Half  // as reported; nil where that was lost
	first  uint64
	last   uint64
	now    uint64
	epoch  uint16
	active bool // the report is of a flow that goes on, as of the beginning of the epoch
	began  bool // the generation was not live before
	ended  bool // and is not any more
	lost   bool // it ended without its last report
}

func newLedger(slots uint32) *ledger {
	return &ledger{slots: make([]slot, slots), aside: map[uint32]*aside{}, total: map[uint32]*flow.Counters{}}
}

// apply takes one report and calls yield for each flow it says something new about. What yield
// is given is valid during the call only.
func (l *ledger) apply(r *Report, yield func(*delta)) {
	if int(r.Slot) >= len(l.slots) {
		l.stats.misplaced++
		return
	}
	s := &l.slots[r.Slot]
	if r.Cause != flow.CauseRead { // it may be asked for without any news of the flow
		s.heard = max(s.heard, coarse(r.Now))
	}
	if !r.answer() {
		l.told = max(l.told, coarse(r.Now))
	}
	s.mark(markEnded, r.Cause == flow.CauseTCPEnd || (s.is(markEnded) && r.Cause == flow.CauseRead))
	switch r.Cause {
	case flow.CauseNew:
		l.begin(s, r, r.Generation, yield)
	case flow.CauseEvict:
		l.digested(s, r, true, yield)
		l.begin(s, r, r.Generation+1, yield)
	case flow.CauseTCPEnd, flow.CauseActive:
		l.digested(s, r, false, yield)
	case flow.CauseRead, flow.CauseFreed:
		l.read(s, r, yield)
	}
}

// begin takes the digest of a flow that took the slot.
func (l *ledger) begin(s *slot, r *Report, number uint16, yield func(*delta)) {
	if s.is(markChained) && later(number, s.chain) <= 0 {
		l.stats.duplicates++
		return
	}
	heard := l.find(s, r.Slot, number) != nil || l.done(s, r.Slot, number)
	known, _ := l.found(s, r.Slot, number)
	l.advance(s, r, number)
	if !heard {
		l.open(s, r, number, &r.New, known, yield)
	}
}

// digested takes what a digest says of the generation that it reports.
func (l *ledger) digested(s *slot, r *Report, final bool, yield func(*delta)) {
	g := l.find(s, r.Slot, r.Generation)
	if g != nil {
		l.raise(s, g, r, yield)
	} else if g = l.reopen(s, r, yield); g == nil {
		return
	}
	if !s.is(markChained) || later(r.Generation, s.chain) > 0 {
		l.advance(s, r, r.Generation)
	}
	if final {
		l.close(s, r.Slot, g, &r.Old, yield)
	}
}

// read takes the answer to a read-out.
func (l *ledger) read(s *slot, r *Report, yield func(*delta)) {
	g := l.find(s, r.Slot, r.Generation)
	if r.Old.Counters.Packets == 0 {
		// Empty, and nothing said so: the answer that freed it was lost. Nothing else was if we
		// asked for it: a switch gives up only what it is told.
		switch {
		case g == &s.generation && g != nil && s.is(markFreed):
			l.finish(s, r.Slot, g, yield)
		case g != nil:
			l.lose(s, r.Slot, g, r.Now, yield)
		}
		return
	}
	if g != nil {
		l.raise(s, g, r, yield)
	} else if g = l.reopen(s, r, yield); g == nil {
		return
	}
	if r.Cause == flow.CauseFreed {
		l.close(s, r.Slot, g, &r.Old, yield)
		if !s.is(markChained) || later(r.Generation, s.chain) > 0 {
			a := l.besides(s, r.Slot)
			a.done = append(a.done, r.Generation)
		}
	}
}

// advance moves the chain on to a generation and counts those it skips unseen.
func (l *ledger) advance(s *slot, r *Report, number uint16) {
	if s.is(markChained) {
		if skipped := later(number, s.chain) - 1 - l.seen(s, r.Slot, number); skipped > 0 {
			l.stats.gaps += uint64(skipped)
			l.tell(gap{slot: r.Slot, first: s.chain + 1, last: number - 1, generations: uint16(skipped), at: r.Now})
		}
	}
	s.chain = number
	s.mark(markChained, true)
	if s.is(markAside) {
		a := l.aside[r.Slot]
		a.done = slices.DeleteFunc(a.done, func(n uint16) bool { return later(n, number) <= 0 })
		a.lost = slices.DeleteFunc(a.lost, func(g generation) bool { return later(g.number, number) < 0 })
		l.tidy(s, r.Slot)
	}
}

// open makes a generation live with all that h, of the report r, has counted, but for what was known
// before it was given up.
func (l *ledger) open(s *slot, r *Report, number uint16, h *Half, known flow.Counters, yield func(*delta)) *generation {
	var add flow.Counters
	if h.Counters.Packets > known.Packets {
		add, known = h.Counters.Sub(known), h.Counters
	}
	g := l.room(s, r.Slot, number, coarse(r.Now))
	*g = generation{number: number, known: known}
	s.heard = max(s.heard, coarse(r.Now))
	l.live++
	l.port(h.Key.IngressPort).Add(add)
	l.delta = delta{slot: r.Slot, add: add, half: h, first: h.First, last: h.Last,
		now: r.Now, epoch: r.Epoch, active: r.Cause == flow.CauseActive, began: true}
	yield(&l.delta)
	g.flow = l.delta.flow
	return g
}

// raise brings a live generation up to what a report says; an older report adds nothing, but
// one of a flow that goes on still says how it stood when the epoch began.
func (l *ledger) raise(s *slot, g *generation, r *Report, yield func(*delta)) {
	h := &r.Old
	d := &l.delta
	*d = delta{flow: g.flow, half: h, first: h.First, last: h.Last, now: r.Now, epoch: r.Epoch, active: r.Cause == flow.CauseActive}
	if h.Counters.Packets > g.known.Packets {
		d.add = h.Counters.Sub(g.known)
		g.known = h.Counters
		s.heard = max(s.heard, coarse(r.Now))
		if g == &s.generation {
			s.mark(markFreed, false)
		}
		t := l.port(h.Key.IngressPort)
		t.Add(d.add)
		yield(d)
		return
	}
	if h.Counters.Packets < g.known.Packets {
		l.stats.duplicates++
	}
	if d.active {
		d.behind = g.known.Packets - h.Counters.Packets
		yield(d)
	}
}

// close ends a generation whose last report came, and said h.
func (l *ledger) close(s *slot, index uint32, g *generation, h *Half, yield func(*delta)) {
	l.delta = delta{flow: g.flow, half: h, last: h.Last, ended: true}
	l.drop(s, index, g)
	yield(&l.delta)
}

// finish ends a generation of which everything is known but that it ended.
func (l *ledger) finish(s *slot, index uint32, g *generation, yield func(*delta)) {
	l.delta = delta{flow: g.flow, ended: true}
	l.drop(s, index, g)
	yield(&l.delta)
}

// restore makes a generation live of which known is in records already.
func (l *ledger) restore(index uint32, number uint16, known flow.Counters, flow uint32) bool {
	if int(index) >= len(l.slots) {
		return false
	}
	s := &l.slots[index]
	if l.find(s, index, number) != nil {
		return false
	}
	*l.room(s, index, number, s.heard) = generation{number: number, known: known, flow: flow}
	l.live++
	if !s.is(markChained) || later(number, s.chain) > 0 {
		s.chain = number
	}
	s.mark(markChained|markFreed, true) // for all that the last tracker can have asked for
	return true
}

// lose ends a generation whose last report did not come. It may yet, if the chain is not past it.
func (l *ledger) lose(s *slot, index uint32, g *generation, now uint64, yield func(*delta)) {
	l.stats.unfinished++
	if !s.is(markChained) || later(g.number, s.chain) >= 0 {
		a := l.besides(s, index)
		a.lost = append(a.lost, *g)
	}
	l.tell(gap{slot: index, first: g.number, last: g.number, generations: 1, flow: g.flow, at: now})
	l.delta = delta{flow: g.flow, ended: true, lost: true}
	l.drop(s, index, g)
	yield(&l.delta)
}

func (l *ledger) port(number uint32) *flow.Counters {
	t := l.total[number]
	if t == nil {
		t = &flow.Counters{}
		l.total[number] = t
	}
	return t
}

func (l *ledger) tell(g gap) {
	if l.lost != nil {
		l.lost(g)
	}
}

// abandon ends all generations: the cache that held them is no more.
func (l *ledger) abandon(yield func(*delta)) {
	for i := range l.slots {
		s := &l.slots[i]
		for s.is(markAside) && len(l.aside[uint32(i)].older) > 0 {
			l.lose(s, uint32(i), &l.aside[uint32(i)].older[0].generation, 0, yield)
		}
		if s.is(markLive) {
			l.lose(s, uint32(i), &s.generation, 0, yield)
		}
	}
}

// newest gives the newest live generation of a slot; nil if there is none.
func (l *ledger) newest(index uint32) *generation {
	if int(index) >= len(l.slots) || !l.slots[index].is(markLive) {
		return nil
	}
	return &l.slots[index].generation
}

func (s *slot) is(mark uint8) bool { return s.marks&mark != 0 }

func (s *slot) mark(mark uint8, on bool) {
	if on {
		s.marks |= mark
	} else {
		s.marks &^= mark
	}
}

// later is how many generations a comes after b, in serial number arithmetic (RFC 1982).
func later(a, b uint16) int { return int(int16(a - b)) }
