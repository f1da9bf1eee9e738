package engine

import (
	"slices"
	"sync/atomic"
)

// intervalIndex finds entries by their range of one key of up to 64 bits. The ends of the ranges
// cut the numbers into intervals, each with a list of the entries that cover it, so that a lookup
// is a search for the interval and a comparison or few. What would make lists or writes long is
// refused, and is the bit vectors' to find.
type intervalIndex struct {
	word  int    // of the key
	most  uint64 // the largest number
	table atomic.Pointer[intervalTable]
}

// intervalTable has the intervals in runs, so that a write copies a few of them. It is immutable.
type intervalTable struct {
	from []uint64 // where each run begins; the first one is 0
	runs []intervals
}

// intervals are intervals that follow each other.
type intervals struct {
	lows  []uint64   // where each begins; it ends before the next one
	lists [][]*entry // of the entries that cover it, the best first
}

const (
	maxCandidates = 16  // of an interval
	maxCovered    = 128 // intervals of a range
	maxRun        = 128 // intervals of a run
)

func newIntervalIndex(k *tableKey) *intervalIndex {
	x := &intervalIndex{word: k.word, most: ^uint64(0) >> (64 - k.src.Width)}
	x.table.Store(&intervalTable{[]uint64{0}, []intervals{{[]uint64{0}, make([][]*entry, 1)}}})
	return x
}

// better finds an entry that wins over best, or best.
func (x *intervalIndex) better(key []uint64, best *entry) *entry {
	t, v := x.table.Load(), key[x.word]
	run := &t.runs[lastUpTo(t.from, v)]
	for _, e := range run.lists[lastUpTo(run.lows, v)] {
		if !e.beats(best) {
			break
		}
		if e.matches(key) {
			return e
		}
	}
	return best
}

// lastUpTo is the place of the last of some rising numbers that is not above v; the first one
// never is. It has no branch that a processor could guess wrong.
func lastUpTo(rising []uint64, v uint64) int {
	at := 0
	for n := len(rising); n > 1; {
		half := n / 2
		next := at + half
		if rising[next] > v {
			next = at
		}
		at, n = next, n-half
	}
	return at
}

// insert says whether the index has taken the entry.
func (x *intervalIndex) insert(e *entry, r *rangeBound) bool {
	t := x.table.Load()
	first, last := lastUpTo(t.from, r.least), lastUpTo(t.from, r.most)
	if last-first > maxCovered {
		return false
	}
	list := t.gather(first, last)
	list.cut(r.least)
	if r.most < x.most && (last+1 == len(t.from) || t.from[last+1] != r.most+1) {
		list.cut(r.most + 1)
	}
	from, to := list.covered(r)
	if to-from > maxCovered {
		return false
	}
	for i := from; i < to; i++ {
		if len(list.lists[i]) >= maxCandidates {
			return false
		}
	}
	for i := from; i < to; i++ {
		old := list.lists[i]
		at := slices.IndexFunc(old, e.beats)
		if at < 0 {
			at = len(old)
		}
		list.lists[i] = slices.Concat(old[:at], []*entry{e}, old[at:])
	}
	x.publish(t, first, last, list)
	return true
}

// remove takes an entry out, and joins intervals that do not differ any more.
func (x *intervalIndex) remove(e *entry, r *rangeBound) {
	t := x.table.Load()
	first, last := lastUpTo(t.from, r.least), lastUpTo(t.from, r.most)
	if last+1 < len(t.from) { // the range's end may be there
		last++
	}
	list := t.gather(first, last)
	from, to := list.covered(r)
	for i := from; i < to; i++ {
		list.lists[i] = slices.DeleteFunc(slices.Clone(list.lists[i]), func(o *entry) bool { return o == e })
	}
	list.join()
	x.publish(t, first, last, list)
}

// gather copies the runs from first to last into one.
func (t *intervalTable) gather(first, last int) intervals {
	var all intervals
	for _, run := range t.runs[first : last+1] {
		all.lows, all.lists = append(all.lows, run.lows...), append(all.lists, run.lists...)
	}
	return all
}

// cut makes an interval begin at v.
func (s *intervals) cut(v uint64) {
	at := lastUpTo(s.lows, v)
	if s.lows[at] != v {
		s.lows, s.lists = slices.Insert(s.lows, at+1, v), slices.Insert(s.lists, at+1, s.lists[at])
	}
}

// covered are the intervals that a range covers: from, and up to but without to. There is a cut
// at its least number.
func (s *intervals) covered(r *rangeBound) (from, to int) {
	return lastUpTo(s.lows, r.least), lastUpTo(s.lows, r.most) + 1
}

// join makes one of neighbours with the same entries.
func (s *intervals) join() {
	n := 1
	for i := 1; i < len(s.lows); i++ {
		if !slices.Equal(s.lists[i], s.lists[n-1]) {
			s.lows[n], s.lists[n] = s.lows[i], s.lists[i]
			n++
		}
	}
	s.lows, s.lists = s.lows[:n], s.lists[:n]
}

// publish replaces the runs from first to last.
func (x *intervalIndex) publish(t *intervalTable, first, last int, list intervals) {
	next := &intervalTable{slices.Clone(t.from[:first]), slices.Clone(t.runs[:first])}
	runs := (len(list.lows) + maxRun - 1) / maxRun
	for i := range runs {
		from, to := i*len(list.lows)/runs, (i+1)*len(list.lows)/runs
		next.from = append(next.from, list.lows[from])
		next.runs = append(next.runs, intervals{slices.Clone(list.lows[from:to]), slices.Clone(list.lists[from:to])})
	}
	next.from, next.runs = append(next.from, t.from[last+1:]...), append(next.runs, t.runs[last+1:]...)
	x.table.Store(next)
}
