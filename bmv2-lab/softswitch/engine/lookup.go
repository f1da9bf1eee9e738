package engine

import (
	"math/bits"
	"slices"
	"sync/atomic"
)

// entry is one table entry. Its match never changes. With many entries a lookup's cost is
// that of the memory that it touches: the first 64 bytes are all that a lookup of a short key
// reads, and its first action with up to two words of parameters follows in as many. An entry
// is 256 bytes long, a length at whose multiples the allocator puts it.
type entry struct {
	key   []uint64 // masked
	short [3]uint64
	act   atomic.Pointer[actionData]
	rank  int32 // what wins: the priority, or the prefix length
	place int32 // in the bit vectors, or -1
	first actionData

	seq      uint64
	*partial         // nil: all bits of the key are compared
	beneath  *entry  // the next best with the same key in its tuple
	match    []Match // canonical; the control plane's
	priority int32
	fixed    bool

	// Guarded by Switch.state.
	counter CounterData
	lastHit uint64
	timeout uint64
	meter   *meterCell // nil: the table has no direct meter
	_       [24]byte
}

// partial is what an entry compares if that is not all bits of the key.
type partial struct {
	mask   []uint64
	ranges []rangeBound
}

// setKey keeps short keys with the entry: a lookup touches less memory.
func (e *entry) setKey(key []uint64) {
	e.key = key
	if len(key) <= len(e.short) {
		e.key = e.short[:copy(e.short[:], key)]
	}
}

// start gives a new entry its action, which is kept with it.
func (e *entry) start(d *actionData) {
	e.first = *d
	if len(d.params) <= len(d.short) {
		e.first.params = e.first.short[:len(d.params)]
	}
	e.act.Store(&e.first)
}

// rangeBound bounds a key field of several words.
type rangeBound struct {
	from, to    int    // words of the key
	least, most uint64 // the lowest words of the bounds
	low, high   []uint64
}

func (r *rangeBound) contains(key []uint64) bool {
	if r.to == r.from+1 {
		return key[r.from] >= r.least && key[r.from] <= r.most
	}
	v := key[r.from:r.to]
	return wideUnsignedGE(v, r.low) && wideUnsignedGE(r.high, v)
}

// maskOf is the bits of the key that an entry compares; nil is all.
func (e *entry) maskOf() []uint64 {
	if e.partial == nil {
		return nil
	}
	return e.mask
}

// matches compares an entry with a key, bit by bit.
func (e *entry) matches(key []uint64) bool {
	if e.partial == nil {
		return slices.Equal(e.key, key)
	}
	for i := range e.ranges {
		if !e.ranges[i].contains(key) {
			return false
		}
	}
	return e.sameKey(key, e.mask)
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
		return newPrefixIndex(tp)
	}
	return newHashIndex(nil)
}

// hashKey hashes a key, masked if mask is not nil.
func hashKey(key, mask []uint64) uint64 {
	h := uint64(hashStart)
	if mask == nil {
		for _, w := range key {
			h = mix(h, w)
		}
		return h
	}
	for i, w := range key {
		h = mix(h, w&mask[i])
	}
	return h
}

const hashStart = 0x243f6a8885a308d3

func mix(h, w uint64) uint64 {
	hi, lo := bits.Mul64(h^w, 0x9e3779b97f4a7c15)
	return hi ^ lo
}

// hashWord is hashKey for a key of one word.
func hashWord(w uint64) uint64 { return mix(hashStart, w) }
