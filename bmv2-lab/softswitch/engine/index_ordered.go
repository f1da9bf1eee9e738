package engine

// orderedIndex serves tables with priorities. Entries of a mask that many have are in a tuple;
// the others, and those with ranges, are in bit vectors, where a lookup's cost does not depend
// on how many different masks there are.
type orderedIndex struct {
	vectors *vectorIndex
	tuples  *tupleIndex
	masks   map[string][]*entry // the writer's: entries without ranges in the vectors, by mask
}

// manyEntries is from how many entries on a mask gets a tuple of its own, and maxTuples how
// many masks may.
const (
	manyEntries = 64
	maxTuples   = 8
)

func newOrderedIndex(tp *tableProgram) *orderedIndex {
	return &orderedIndex{vectors: newVectorIndex(tp), tuples: newTupleIndex(), masks: map[string][]*entry{}}
}

// find looks into the vectors first: entries move from there to the tuples, and are in both
// for a while.
func (x *orderedIndex) find(key []uint64) *entry {
	return x.tuples.better(key, x.vectors.find(key))
}

func (x *orderedIndex) insert(e *entry) {
	if e.partial != nil && len(e.ranges) > 0 {
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
	if e.place < 0 {
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
