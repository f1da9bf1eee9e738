package track

import (
	"slices"

	"github.com/fabricscope/fabricscope/controlplane/flow"
)

// ledger keeps, for one switch, how much of each live generation is already accounted for.
// It has one owner and reads no clock: times are the switch's.
type ledger struct {
	slots map[uint32]*slot
	stats ledgerStats
	total map[uint32]flow.Counters // by ingress port: everything accounted for
}

// ledgerStats counts what the chain of generations reveals.
type ledgerStats struct {
	duplicates uint64 // reports that said nothing new
	gaps       uint64 // generations whose reports were lost
	unfinished uint64 // generations that went without their last report
}

// slot is one place of the flow cache. Digests come in the order of its generations and form
// the chain; read-outs overtake them, so a generation can be live, and even done, before the
// chain reaches it.
type slot struct {
	live    []generation
	done    []uint16 // freed before the chain reached them
	chain   uint16   // the newest generation that a digest told of
	chained bool     // chain means something
	heard   uint64   // switch time of the newest report
	ended   bool     // TCP_END was the newest report: the flow is about to fall silent
}

type generation struct {
	number uint16
	key    flow.Key
	known  flow.Counters
	last   uint64 // switch time of the last packet that is known
	heard  uint64 // switch time of its newest report
}

// delta is what one report adds to one flow.
type delta struct {
	key    flow.Key
	add    flow.Counters
	behind flow.Counters // by how much the report lags what was known
	half   *Half         // as reported; nil at the end
	first  uint64
	last   uint64
	now    uint64
	epoch  uint16
	active bool // the report is of a flow that goes on, as of the beginning of the epoch
	began  bool // the generation was not live before
	ended  bool // and is not any more
	lost   bool // it ended without its last report
}

func newLedger() *ledger {
	return &ledger{slots: map[uint32]*slot{}, total: map[uint32]flow.Counters{}}
}

// apply takes one report and calls yield for each flow it says something new about.
func (l *ledger) apply(r *Report, yield func(delta)) {
	s := l.slots[r.Slot]
	if s == nil {
		s = &slot{}
		l.slots[r.Slot] = s
	}
	s.heard = max(s.heard, r.Now)
	s.ended = r.Cause == flow.CauseTCPEnd || (s.ended && r.Cause == flow.CauseRead)
	switch r.Cause {
	case flow.CauseNew:
		l.begin(s, r.Generation, &r.New, r.Now, yield)
	case flow.CauseEvict:
		l.digested(s, r, true, yield)
		l.begin(s, r.Generation+1, &r.New, r.Now, yield)
	case flow.CauseTCPEnd, flow.CauseActive:
		l.digested(s, r, false, yield)
	case flow.CauseRead, flow.CauseFreed:
		l.read(s, r, yield)
	}
}

// begin takes the digest of a flow that took the slot.
func (l *ledger) begin(s *slot, number uint16, h *Half, now uint64, yield func(delta)) {
	if s.chained && later(number, s.chain) <= 0 {
		l.stats.duplicates++
		return
	}
	known := s.find(number) >= 0 || slices.Contains(s.done, number)
	l.advance(s, number)
	if !known {
		l.open(s, number, h, &Report{Cause: flow.CauseNew, Now: now}, yield)
	}
}

// digested takes what a digest says of the generation that it reports.
func (l *ledger) digested(s *slot, r *Report, final bool, yield func(delta)) {
	i := s.find(r.Generation)
	switch {
	case i >= 0:
		l.raise(&s.live[i], r, yield)
	case slices.Contains(s.done, r.Generation) || (s.chained && later(r.Generation, s.chain) <= 0):
		l.stats.duplicates++
		return
	default:
		i = l.open(s, r.Generation, &r.Old, r, yield)
	}
	if !s.chained || later(r.Generation, s.chain) > 0 {
		l.advance(s, r.Generation)
	}
	if final {
		l.close(s, i, false, yield)
	}
}

// read takes the answer to a read-out.
func (l *ledger) read(s *slot, r *Report, yield func(delta)) {
	i := s.find(r.Generation)
	switch {
	case r.Old.Counters.Packets == 0:
		// Empty, and nothing said so: the answer that freed it was lost.
		if i >= 0 {
			l.stats.unfinished++
			l.close(s, i, true, yield)
		}
		return
	case i >= 0:
		l.raise(&s.live[i], r, yield)
	case slices.Contains(s.done, r.Generation) || (s.chained && later(r.Generation, s.chain) <= 0):
		l.stats.duplicates++
		return
	default:
		i = l.open(s, r.Generation, &r.Old, r, yield)
	}
	if r.Cause == flow.CauseFreed {
		l.close(s, i, false, yield)
		if !s.chained || later(r.Generation, s.chain) > 0 {
			s.done = append(s.done, r.Generation)
		}
	}
}

// advance moves the chain on to a generation and counts those it skips unseen.
func (l *ledger) advance(s *slot, number uint16) {
	if s.chained {
		skipped := later(number, s.chain) - 1
		for i := range s.live {
			if n := s.live[i].number; later(n, s.chain) > 0 && later(n, number) < 0 {
				skipped--
			}
		}
		for _, n := range s.done {
			if later(n, number) < 0 {
				skipped--
			}
		}
		l.stats.gaps += uint64(max(0, skipped))
	}
	s.chain, s.chained = number, true
	s.done = slices.DeleteFunc(s.done, func(n uint16) bool { return later(n, number) <= 0 })
}

// open makes a generation live with all that h, of the report r, has counted, and gives its index.
func (l *ledger) open(s *slot, number uint16, h *Half, r *Report, yield func(delta)) int {
	s.live = append(s.live, generation{number: number, key: h.Key, known: h.Counters, last: h.Last, heard: r.Now})
	l.account(&delta{key: h.Key, add: h.Counters, half: h, first: h.First, last: h.Last,
		now: r.Now, epoch: r.Epoch, active: r.Cause == flow.CauseActive, began: true}, yield)
	return len(s.live) - 1
}

// raise brings a live generation up to what a report says; an older report adds nothing, but
// one of a flow that goes on still says how it stood when the epoch began.
func (l *ledger) raise(g *generation, r *Report, yield func(delta)) {
	g.heard = max(g.heard, r.Now)
	h := &r.Old
	d := delta{key: g.key, half: h, first: h.First, last: h.Last, now: r.Now, epoch: r.Epoch, active: r.Cause == flow.CauseActive}
	if h.Counters.Packets > g.known.Packets {
		d.add = h.Counters.Sub(g.known)
		g.known, g.last = h.Counters, h.Last
		l.account(&d, yield)
		return
	}
	if r.Cause != flow.CauseFreed && r.Cause != flow.CauseRead { // those only ask whether there is more
		l.stats.duplicates++
	}
	if d.active {
		d.behind = g.known.Sub(h.Counters)
		yield(d)
	}
}

// close ends a generation; lost says that its last report did not come.
func (l *ledger) close(s *slot, i int, lost bool, yield func(delta)) {
	g := s.live[i]
	s.live = slices.Delete(s.live, i, i+1)
	yield(delta{key: g.key, last: g.last, ended: true, lost: lost})
}

func (l *ledger) account(d *delta, yield func(delta)) {
	t := l.total[d.key.IngressPort]
	t.Add(d.add)
	l.total[d.key.IngressPort] = t
	yield(*d)
}

// reap gives up on generations that a newer one followed more than grace microseconds ago and
// whose last report has not come.
func (l *ledger) reap(s *slot, now, grace uint64, yield func(delta)) {
	for i := len(s.live) - 1; i >= 0 && len(s.live) > 1; i-- {
		g := &s.live[i]
		followed := slices.ContainsFunc(s.live, func(o generation) bool { return later(o.number, g.number) > 0 })
		if followed && now > g.heard+grace {
			l.stats.unfinished++
			l.close(s, i, true, yield)
		}
	}
}

func (s *slot) find(number uint16) int {
	return slices.IndexFunc(s.live, func(g generation) bool { return g.number == number })
}

// later is how many generations a comes after b, in serial number arithmetic (RFC 1982).
func later(a, b uint16) int { return int(int16(a - b)) }
