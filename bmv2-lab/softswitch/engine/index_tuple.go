package engine

import (
	"cmp"
	"slices"
	"sync/atomic"
)

// tupleIndex is tuple space search: a hash table for each mask that entries have. They are
// tried by falling rank until none left can win.
type tupleIndex struct {
	prog   *tableProgram
	tuples atomic.Pointer[[]*tuple] // by falling rank
}

// tuple holds the entries of one mask.
type tuple struct {
	best int32 // no entry has a higher rank
	size int   // entries
	*hashIndex
}

func newTupleIndex(tp *tableProgram) *tupleIndex {
	x := &tupleIndex{prog: tp}
	x.tuples.Store(&[]*tuple{})
	return x
}

func (x *tupleIndex) find(key []uint64) *entry { return x.better(key, nil) }

// better finds an entry that wins over best, or best.
func (x *tupleIndex) better(key []uint64, best *entry) *entry {
	for _, t := range *x.tuples.Load() {
		if best != nil && t.best < best.rank {
			break
		}
		if e := t.find(key); e != nil && e.beats(best) {
			best = e
		}
	}
	return best
}

// tuple is the one for a mask, or nil.
func (x *tupleIndex) tuple(mask []uint64) *tuple {
	list := *x.tuples.Load()
	i := slices.IndexFunc(list, func(t *tuple) bool {
		return (t.mask == nil) == (mask == nil) && slices.Equal(t.mask, mask)
	})
	if i < 0 {
		return nil
	}
	return list[i]
}

func (x *tupleIndex) insert(e *entry) {
	t := x.tuple(e.maskOf())
	switch {
	case t == nil:
		t = &tuple{best: e.rank, hashIndex: newHashIndex(x.prog, e.maskOf())}
		defer x.publish(append(slices.Clone(*x.tuples.Load()), t))
	case e.rank > t.best:
		// The hash table is shared, so that the entry is in the list that lookups have.
		t = &tuple{best: e.rank, size: t.size, hashIndex: t.hashIndex}
		list := slices.Clone(*x.tuples.Load())
		list[slices.IndexFunc(list, func(o *tuple) bool { return o.hashIndex == t.hashIndex })] = t
		defer x.publish(list)
	}
	t.size++
	t.hashIndex.insert(e)
}

// publish replaces the list of tuples.
func (x *tupleIndex) publish(list []*tuple) {
	slices.SortStableFunc(list, func(a, b *tuple) int { return cmp.Compare(b.best, a.best) })
	x.tuples.Store(&list)
}

func (x *tupleIndex) remove(e *entry) {
	t := x.tuple(e.maskOf())
	t.hashIndex.remove(e)
	if t.size--; t.size == 0 {
		x.publish(slices.DeleteFunc(slices.Clone(*x.tuples.Load()), func(o *tuple) bool { return o == t }))
	}
}
