package engine

import "math/bits"

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
	return newHashIndex(tp, nil)
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
