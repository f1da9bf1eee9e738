package engine

import (
	"math/bits"
	"sync/atomic"
)

// prefixIndex finds the longest prefix, behind any exact fields: a hash table for each length
// that there is, tried from the longest down. Hints say which lengths are worth a try: for each
// value (by a hash) of the exact fields and the first bits of the prefixed one, the lengths of
// the entries that have it. A hint too many costs time only.
type prefixIndex struct {
	prog   *tableProgram
	width  int // of the prefixed field
	step   int // lengths that share a bit of a hint
	tables []prefixTable
	hints  atomic.Pointer[[hintSize]atomic.Uint64]
	short  atomic.Uint32 // by bit: the lengths up to hintBits that there are

	counts map[hint]int // the writer's: entries for each hint, and by length
	sizes  []int
}

// prefixTable holds the entries with one length of prefix.
type prefixTable struct {
	mask []uint64
	hash atomic.Pointer[hashIndex] // nil: none
}

// hint is a bit of a hint.
type hint struct {
	at  uint64
	bit int
}

const (
	hintBits = 16 // of the prefixed field
	hintSize = 1 << 16
)

func newPrefixIndex(tp *tableProgram) *prefixIndex {
	width := tp.keys[tp.lpm].src.Width
	x := &prefixIndex{prog: tp, width: width, counts: map[hint]int{}, sizes: make([]int, width+1)}
	x.step = max(1, (width-hintBits+63)/64)
	x.tables = make([]prefixTable, width+1)
	for n := range x.tables {
		x.tables[n].mask = tp.prefixMask(n)
	}
	return x
}

// hintOf is where the lengths are that a key may have, if any is longer than hintBits.
func (x *prefixIndex) hintOf(key []uint64) uint64 {
	return hashKey(key, x.tables[min(hintBits, x.width)].mask) & (hintSize - 1)
}

func (x *prefixIndex) find(key []uint64) *entry {
	if hints := x.hints.Load(); hints != nil {
		for h := hints[x.hintOf(key)].Load(); h != 0; {
			bit := bits.Len64(h) - 1
			h &^= 1 << bit
			first := hintBits + 1 + bit*x.step
			for n := min(first+x.step-1, x.width); n >= first; n-- {
				if e := x.tables[n].find(key); e != nil {
					return e
				}
			}
		}
	}
	for s := x.short.Load(); s != 0; {
		n := bits.Len32(s) - 1
		s &^= 1 << n
		if e := x.tables[n].find(key); e != nil {
			return e
		}
	}
	return nil
}

func (t *prefixTable) find(key []uint64) *entry {
	if h := t.hash.Load(); h != nil {
		return h.find(key)
	}
	return nil
}

func (x *prefixIndex) insert(e *entry) {
	n := int(e.rank)
	t := &x.tables[n]
	if t.hash.Load() == nil {
		t.hash.Store(newHashIndex(x.prog, t.mask))
	}
	t.hash.Load().insert(e)
	x.sizes[n]++
	if n <= hintBits {
		x.short.Store(x.short.Load() | 1<<n)
		return
	}
	if x.hints.Load() == nil {
		x.hints.Store(new([hintSize]atomic.Uint64))
	}
	h := hint{x.hintOf(e.key), (n - hintBits - 1) / x.step}
	x.counts[h]++
	at := &x.hints.Load()[h.at]
	at.Store(at.Load() | 1<<h.bit)
}

func (x *prefixIndex) remove(e *entry) {
	n := int(e.rank)
	x.tables[n].hash.Load().remove(e)
	if x.sizes[n]--; x.sizes[n] == 0 {
		x.tables[n].hash.Store(nil)
	}
	if n <= hintBits {
		if x.sizes[n] == 0 {
			x.short.Store(x.short.Load() &^ (1 << n))
		}
		return
	}
	h := hint{x.hintOf(e.key), (n - hintBits - 1) / x.step}
	if x.counts[h]--; x.counts[h] == 0 {
		delete(x.counts, h)
		at := &x.hints.Load()[h.at]
		at.Store(at.Load() &^ (1 << h.bit))
	}
}

// prefixMask is the mask of the exact fields and the first n bits of the prefixed one.
func (tp *tableProgram) prefixMask(n int) []uint64 {
	mask := make([]uint64, tp.keyWords)
	for i := range tp.keys {
		k := &tp.keys[i]
		bits := k.src.Width
		if i == tp.lpm {
			bits = n
		}
		copy(mask[k.word:], prefixMask(bits, k.src.Width))
	}
	return mask
}
