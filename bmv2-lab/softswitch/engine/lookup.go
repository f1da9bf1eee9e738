package engine

import (
	"math/bits"
	"sync/atomic"
)

// entry is one table entry. Its match never changes. What a lookup reads comes first.
type entry struct {
	key    []uint64 // masked
	short  [2]uint64
	act    atomic.Pointer[actionData]
	rank   int32 // what wins: the priority, or the prefix length
	seq    uint64
	mask   []uint64 // nil: all bits
	ranges []rangeBound

	// Guarded by Switch.state.
	counter CounterData
	lastHit uint64
	timeout uint64

	// The control plane's.
	match    []Match // canonical
	priority int32
	fixed    bool
	beneath  *entry // the next best with the same key in its tuple
	place    int    // in the bit vectors, or -1
}

// setKey keeps short keys with the entry: a lookup touches less memory.
func (e *entry) setKey(key []uint64) {
	e.key = key
	if len(key) <= len(e.short) {
		e.key = e.short[:copy(e.short[:], key)]
	}
}

// rangeBound bounds a key field of several words.
type rangeBound struct {
	from, to  int // words of the key
	low, high []uint64
}

func (r *rangeBound) contains(key []uint64) bool {
	v := key[r.from:r.to]
	return wideUnsignedGE(v, r.low) && wideUnsignedGE(r.high, v)
}

// matches compares an entry with a key, bit by bit.
func (e *entry) matches(key []uint64) bool {
	for i, w := range key {
		if e.mask != nil {
			w &= e.mask[i]
		}
		if w != e.key[i] {
			return false
		}
	}
	for i := range e.ranges {
		if !e.ranges[i].contains(key) {
			return false
		}
	}
	return true
}

// beats says whether an entry wins over another that matches too (nil: none does). Of equal
// ranks, the entry that came first wins.
func (e *entry) beats(o *entry) bool {
	return o == nil || e.rank > o.rank || (e.rank == o.rank && e.seq < o.seq)
}

// index finds entries by keys. find is lock-free and may run while the one writer at a time
// inserts or removes: it finds an entry that is there all the time, or a better one.
type index interface {
	find(key []uint64) *entry
	insert(e *entry)
	remove(e *entry)
}

// newIndex chooses the index for a table's kind of key.
func newIndex(tp *tableProgram) index {
	switch {
	case tp.ordered:
		return newOrderedIndex(tp)
	case tp.lpm >= 0:
		if x := newPrefixIndex(tp); x != nil {
			return x
		}
		return newTupleIndex()
	}
	return newHashIndex(nil)
}

// hashKey hashes a key, masked if mask is not nil.
func hashKey(key, mask []uint64) uint64 {
	const m = 0x9e3779b97f4a7c15
	h := uint64(0x243f6a8885a308d3)
	if mask == nil {
		for _, w := range key {
			hi, lo := bits.Mul64(h^w, m)
			h = hi ^ lo
		}
		return h
	}
	for i, w := range key {
		hi, lo := bits.Mul64(h^(w&mask[i]), m)
		h = hi ^ lo
	}
	return h
}
