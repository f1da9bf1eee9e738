package engine

import "github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"

// orderedIndex serves tables with priorities. Entries with ranges are in intervals; entries of a
// mask that many have are in a tuple; the others are in bit vectors, where a lookup's cost does
// not depend on how many different masks there are.
type orderedIndex struct {
	vectors   *vectorIndex
	tuples    *tupleIndex
	intervals []*intervalIndex    // of each range key of one word
	masks     map[string][]*entry // the writer's: entries without ranges in the vectors, by mask
}

// manyEntries is from how many entries on a mask gets a tuple of its own, and maxTuples how
// many masks may.
const (
	manyEntries = 64
	maxTuples   = 8
)

func newOrderedIndex(tp *tableProgram) *orderedIndex {
	x := &orderedIndex{vectors: newVectorIndex(tp), tuples: newTupleIndex(tp), masks: map[string][]*entry{}}
	for i := range tp.keys {
		if k := &tp.keys[i]; k.src.Kind == bmjson.KeyRange && k.src.Width <= 64 {
			x.intervals = append(x.intervals, newIntervalIndex(k))
		}
	}
	return x
}

// find looks into the vectors first: entries move from there to the tuples, and are in both
// for a while.
func (x *orderedIndex) find(key []uint64) *entry {
	best := x.vectors.find(key)
	for _, in := range x.intervals {
		best = in.better(key, best)
	}
	return x.tuples.better(key, best)
}

// narrowest is the range of an entry that the fewest numbers are in, of those that an interval
// index has, and the number of that index, or -1.
func (x *orderedIndex) narrowest(e *entry) (*rangeBound, int) {
	var best *rangeBound
	index, share := -1, 0.0
	for i := range e.ranges {
		r := &e.ranges[i]
		for n, in := range x.intervals {
			s := float64(r.most-r.least) / float64(in.most)
			if in.word == r.from && (index < 0 || s < share) {
				best, index, share = r, n, s
			}
		}
	}
	return best, index
}

func (x *orderedIndex) insert(e *entry) {
	if e.partial != nil && len(e.ranges) > 0 {
		r, n := x.narrowest(e)
		if n >= 0 && x.intervals[n].insert(e, r) {
			e.place = inIntervals
			return
		}
		x.vectors.insert(e)
		return
	}
	if x.tuples.tuple(e.maskOf()) != nil {
		x.tuples.insert(e)
		return
	}
	x.vectors.insert(e)
	id := maskID(e.maskOf())
	x.masks[id] = append(x.masks[id], e)
	if list := x.masks[id]; len(list) >= manyEntries && len(*x.tuples.tuples.Load()) < maxTuples {
		for _, e := range list {
			x.tuples.insert(e)
		}
		for _, e := range list {
			x.vectors.remove(e)
		}
		delete(x.masks, id)
	}
}

func (x *orderedIndex) remove(e *entry) {
	switch {
	case e.place == inIntervals:
		r, n := x.narrowest(e)
		x.intervals[n].remove(e, r)
		return
	case e.place == inTuple:
		x.tuples.remove(e)
		return
	}
	x.vectors.remove(e)
	if e.partial != nil && len(e.ranges) > 0 {
		return
	}
	id := maskID(e.maskOf())
	list := x.masks[id]
	for i := range list {
		if list[i] == e {
			list[i] = list[len(list)-1]
			x.masks[id] = list[:len(list)-1]
			break
		}
	}
	if len(x.masks[id]) == 0 {
		delete(x.masks, id)
	}
}

// maskID tells masks apart; that of all bits is empty.
func maskID(mask []uint64) string {
	b := make([]byte, 0, 64)
	for _, w := range mask {
		for s := 0; s < 64; s += 8 {
			b = append(b, byte(w>>s))
		}
	}
	return string(b)
}
