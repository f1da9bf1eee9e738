package engine

import (
	"math/bits"
	"slices"
	"sync/atomic"
)

// vectorIndex finds entries of any masks and ranges by bit vectors (after Lakshman and
// Stiliadis, SIGCOMM 1998): for each half byte of the key and each of its 16 values, a bit for
// each entry that it may match. The entries that match a key have their bits in all vectors
// of its half bytes. What is found so is compared with the key in full, since a bit may
// be there for another entry by now, and ranges are taken half byte by half byte.
type vectorIndex struct {
	parts  []vectorPart
	blocks atomic.Pointer[[]*vectorBlock]
	free   []int // the writer's: places without an entry
}

// vectorPart is a half byte of the key that the vectors look at.
type vectorPart struct {
	word  int
	shift uint8
}

// maxParts bounds the half bytes; a longer key is told apart by its first ones.
const maxParts = 64

// vectorBlock has the vectors of 64 entries.
type vectorBlock struct {
	entries [64]atomic.Pointer[entry]
	best    atomic.Int32    // no entry has a higher rank
	bits    []atomic.Uint64 // 16 for each part
}

func newVectorIndex(tp *tableProgram) *vectorIndex {
	x := &vectorIndex{}
	for i := range tp.keys {
		k := &tp.keys[i]
		for at := (k.src.Width - 1) / 4 * 4; at >= 0 && len(x.parts) < maxParts; at -= 4 {
			x.parts = append(x.parts, vectorPart{k.word + at/64, uint8(at % 64)})
		}
	}
	x.blocks.Store(&[]*vectorBlock{})
	return x
}

func (x *vectorIndex) find(key []uint64) *entry {
	blocks := *x.blocks.Load()
	if len(blocks) == 0 {
		return nil
	}
	var values [maxParts]uint16
	for i, part := range x.parts {
		values[i&(maxParts-1)] = uint16(16*i) + uint16(key[part.word]>>part.shift&15)
	}
	var best *entry
	for _, b := range blocks {
		if best != nil && b.best.Load() < best.rank {
			continue
		}
		found := ^uint64(0)
		for _, at := range values[:len(x.parts)] {
			if found &= b.bits[at].Load(); found == 0 {
				break
			}
		}
		for ; found != 0; found &= found - 1 {
			e := b.entries[bits.TrailingZeros64(found)].Load()
			if e != nil && e.beats(best) && e.matches(key) {
				best = e
			}
		}
	}
	return best
}

func (x *vectorIndex) insert(e *entry) {
	if len(x.free) == 0 {
		x.grow()
	}
	e.place = int32(x.free[len(x.free)-1])
	x.free = x.free[:len(x.free)-1]
	b, bit := (*x.blocks.Load())[e.place/64], uint64(1)<<(e.place%64)
	b.best.Store(max(b.best.Load(), e.rank))
	b.entries[e.place%64].Store(e)
	for i, part := range x.parts {
		for v := range uint64(16) {
			if e.may(part, v) {
				at := &b.bits[16*i+int(v)]
				at.Store(at.Load() | bit)
			}
		}
	}
}

// may says whether a key can match an entry if a half byte of it has a value.
func (e *entry) may(part vectorPart, v uint64) bool {
	mask := uint64(15)
	if e.partial != nil {
		mask = e.mask[part.word] >> part.shift & 15
	}
	if v&mask != e.key[part.word]>>part.shift&15 {
		return false
	}
	if e.partial == nil {
		return true
	}
	for i := range e.ranges {
		if r := &e.ranges[i]; part.word >= r.from && part.word < r.to {
			return r.may(part, v)
		}
	}
	return true
}

// may is entry.may for a range: where the bounds have all bits above the half byte in common,
// its value is between theirs.
func (r *rangeBound) may(part vectorPart, v uint64) bool {
	w := part.word - r.from
	above := part.shift + 4 // a shift by 64 leaves nothing
	if r.low[w]>>above != r.high[w]>>above || !slices.Equal(r.low[w+1:], r.high[w+1:]) {
		return true
	}
	return v >= r.low[w]>>part.shift&15 && v <= r.high[w]>>part.shift&15
}

// grow adds a block.
func (x *vectorIndex) grow() {
	old := *x.blocks.Load()
	for i := range 64 {
		x.free = append(x.free, 64*(len(old)+1)-1-i)
	}
	list := append(slices.Clone(old), &vectorBlock{bits: make([]atomic.Uint64, 16*len(x.parts))})
	x.blocks.Store(&list)
}

// remove takes an entry out and leaves its place to others.
func (x *vectorIndex) remove(e *entry) {
	b, bit := (*x.blocks.Load())[e.place/64], uint64(1)<<(e.place%64)
	b.entries[e.place%64].Store(nil)
	for i := range b.bits {
		if v := b.bits[i].Load(); v&bit != 0 {
			b.bits[i].Store(v &^ bit)
		}
	}
	x.free = append(x.free, int(e.place))
	e.place = -1
}
