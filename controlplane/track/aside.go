package track

import (
	"slices"

	"github.com/fabricscope/fabricscope/controlplane/flow"
)

// aside is what few slots need: generations besides the newest, those that were freed before the
// chain reached them, and those that were given up before it was past them.
type aside struct {
	older []waiting
	done  []uint16
	lost  []generation // with what was known: their reports may only have been held up
}

// waiting is a generation that a newer one follows, and whose last report is on its way.
type waiting struct {
	generation
	since uint32 // switch time, coarse, when that was heard
	freed bool   // as slot.markFreed said before
}

// find gives a live generation of a slot; nil if it is not live.
func (l *ledger) find(s *slot, index uint32, number uint16) *generation {
	if s.is(markLive) && s.number == number {
		return &s.generation
	}
	if s.is(markAside) {
		a := l.aside[index]
		for i := range a.older {
			if a.older[i].number == number {
				return &a.older[i].generation
			}
		}
	}
	return nil
}

// done says that a generation was freed before the chain reached it.
func (l *ledger) done(s *slot, index uint32, number uint16) bool {
	return s.is(markAside) && slices.Contains(l.aside[index].done, number)
}

// found gives what was known of a generation that had been given up, and was not lost after all.
func (l *ledger) found(s *slot, index uint32, number uint16) (known flow.Counters, ok bool) {
	if !s.is(markAside) {
		return known, false
	}
	a := l.aside[index]
	i := slices.IndexFunc(a.lost, func(g generation) bool { return g.number == number })
	if i < 0 {
		return known, false
	}
	known = a.lost[i].known
	a.lost = slices.Delete(a.lost, i, i+1)
	l.stats.unfinished--
	l.tidy(s, index)
	return known, true
}

// reopen is open for what was given up, or never heard of; nil when it says nothing new.
func (l *ledger) reopen(s *slot, r *Report, yield func(*delta)) *generation {
	known, lost := l.found(s, r.Slot, r.Generation)
	if !lost && (l.done(s, r.Slot, r.Generation) || s.is(markChained) && later(r.Generation, s.chain) <= 0) {
		l.stats.duplicates++
		return nil
	}
	return l.open(s, r, r.Generation, &r.Old, known, yield)
}

// seen is how many generations behind the chain and before number are known by read-outs.
func (l *ledger) seen(s *slot, index uint32, number uint16) (n int) {
	between := func(o uint16) bool { return later(o, s.chain) > 0 && later(o, number) < 0 }
	if s.is(markLive) && between(s.number) {
		n++
	}
	if !s.is(markAside) {
		return n
	}
	a := l.aside[index]
	for i := range a.older {
		if between(a.older[i].number) {
			n++
		}
	}
	for _, o := range a.done {
		if between(o) {
			n++
		}
	}
	for i := range a.lost {
		if between(a.lost[i].number) {
			n++
		}
	}
	return n
}

// room makes a place for a generation that was heard of now: the slot's own for the newest.
func (l *ledger) room(s *slot, index uint32, number uint16, now uint32) *generation {
	if !s.is(markLive) {
		s.mark(markLive, true)
		s.mark(markFreed, false)
		return &s.generation
	}
	a := l.besides(s, index)
	if later(number, s.number) > 0 {
		a.older = append(a.older, waiting{s.generation, now, s.is(markFreed)})
		s.mark(markFreed, false)
		return &s.generation
	}
	a.older = append(a.older, waiting{since: now})
	return &a.older[len(a.older)-1].generation
}

// drop gives the place of a generation back.
func (l *ledger) drop(s *slot, index uint32, g *generation) {
	l.live--
	if g == &s.generation {
		s.mark(markLive, false)
		return
	}
	a, number := l.aside[index], g.number
	a.older = slices.DeleteFunc(a.older, func(w waiting) bool { return w.number == number })
	l.tidy(s, index)
}

// besides gives what a slot has aside, made if there is nothing.
func (l *ledger) besides(s *slot, index uint32) *aside {
	if !s.is(markAside) {
		l.aside[index] = &aside{}
		s.mark(markAside, true)
	}
	return l.aside[index]
}

// tidy removes what is aside when it is empty.
func (l *ledger) tidy(s *slot, index uint32) {
	if a := l.aside[index]; len(a.older)+len(a.done)+len(a.lost) == 0 {
		delete(l.aside, index)
		s.mark(markAside, false)
	}
}

// reap gives up on generations that a newer one followed and whose last report does not come any
// more. Digests come in the order in which they were raised, so the next one of the switch says
// it. When none comes at all, there may be none to send: that is given grace, in microseconds. While
// older ones still come, it may be behind them.
func (l *ledger) reap(now, grace uint64, yield func(*delta)) {
	for index, a := range l.aside {
		s := &l.slots[index]
		for i := len(a.older) - 1; i >= 0; i-- {
			switch w := &a.older[i]; {
			case l.told <= w.since+1 && coarse(now) <= max(w.since, l.came)+coarse(grace)+1: // it may still come
			case w.freed:
				l.finish(s, index, &w.generation, yield)
			default:
				l.lose(s, index, &w.generation, now, yield)
			}
		}
	}
}

// awaits says that the last report of some generation may still come.
func (l *ledger) awaits() bool {
	for _, a := range l.aside {
		if len(a.older) > 0 {
			return true
		}
	}
	return false
}
