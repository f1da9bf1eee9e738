package engine

import "encoding/binary"

// A block is a run of whole bytes on the wire that is made of words of the state: a header,
// or the input of a calculation. It is read word by word and written in chunks of 8 bytes.

// unit is n bits (at most 64) of one word of the state at a bit offset of a block.
type unit struct {
	word int
	bit  int
	n    int
}

// fieldUnits splits a field that starts at a bit offset, the most significant word first.
func fieldUnits(word int, f *fieldLayout, bit int) []unit {
	var us []unit
	for i := f.words - 1; i >= 0; i-- {
		n := min(64, f.width-64*i)
		us = append(us, unit{word + i, bit, n})
		bit += n
	}
	return us
}

// wordLoad reads bits at off (bytes) and shift into a word.
type wordLoad struct {
	word  int
	off   int
	shift uint8
	mask  uint64
}

// part is a word's contribution to a chunk: shifted left, or right if right is set.
type part struct {
	word  int
	shift uint8
	right bool
}

// chunk is 8 bytes of a block.
type chunk struct {
	parts []part
}

type block struct {
	bytes  int
	loads  []wordLoad
	odd    []unit // units that touch nine bytes
	reach  int    // bytes that loads read, at least
	chunks []chunk
	first  []int // the words of the first chunks, as far as they are one word as it is
}

// newBlock builds a block of bits bits, rounded up to whole bytes with zero bits.
func newBlock(bits int, units []unit) block {
	b := block{bytes: (bits + 7) / 8, chunks: make([]chunk, (bits+63)/64)}
	for _, u := range units {
		if u.bit%8+u.n > 64 {
			b.odd = append(b.odd, u)
		} else {
			b.loads = append(b.loads, wordLoad{u.word, u.bit / 8, uint8(64 - u.bit%8 - u.n), topMask(u.n)})
			b.reach = max(b.reach, u.bit/8+8)
		}
		b.place(u)
	}
	for i := range b.chunks {
		if parts := b.chunks[i].parts; len(b.first) == i && len(parts) == 1 && parts[0].shift == 0 {
			b.first = append(b.first, parts[0].word)
		}
	}
	return b
}

// place enters a unit into the chunks that it touches.
func (b *block) place(u unit) {
	first, last := u.bit/64, (u.bit+u.n-1)/64
	end := u.bit%64 + u.n
	if first == last {
		b.chunks[first].parts = append(b.chunks[first].parts, part{u.word, uint8(64 - end), false})
		return
	}
	b.chunks[first].parts = append(b.chunks[first].parts, part{u.word, uint8(end - 64), true})
	b.chunks[last].parts = append(b.chunks[last].parts, part{u.word, uint8(128 - end), false})
}

// read takes the block's words, relative to base, from data, which has at least b.bytes.
func (b *block) read(words []uint64, base int, data []byte) {
	if len(data) < b.reach {
		var pad [64]byte
		if b.reach <= len(pad) {
			copy(pad[:], data)
			data = pad[:]
		} else {
			data = append(append(make([]byte, 0, b.reach), data...), make([]byte, b.reach-len(data))...)
		}
	}
	for i := range b.loads {
		l := &b.loads[i]
		words[base+l.word] = binary.BigEndian.Uint64(data[l.off:]) >> l.shift & l.mask
	}
	for _, u := range b.odd {
		words[base+u.word] = bitsAt(data, u.bit, u.n)
	}
}

// write puts the block, with words relative to base, into out, which has 8 bytes to spare.
func (b *block) write(out []byte, words []uint64, base int) {
	for _, w := range b.first {
		binary.BigEndian.PutUint64(out[:8], words[base+w])
		out = out[8:]
	}
	for i := range b.chunks[len(b.first):] {
		c := &b.chunks[len(b.first)+i]
		binary.BigEndian.PutUint64(out[:8], c.value(words, base))
		out = out[8:]
	}
}

func (c *chunk) value(words []uint64, base int) uint64 {
	var v uint64
	for i := range c.parts {
		t := &c.parts[i]
		if w := words[base+t.word]; t.right {
			v |= w >> t.shift
		} else {
			v |= w << t.shift
		}
	}
	return v
}

// bitsAt reads n bits (at most 64) at a bit offset; bits behind the end are 0.
func bitsAt(data []byte, bit, n int) uint64 {
	var v uint64
	for i := 0; i < n; {
		at := bit + i
		var b byte
		if at/8 < len(data) {
			b = data[at/8]
		}
		take := min(8-at%8, n-i)
		v = v<<take | uint64(b>>(8-at%8-take))&(1<<take-1)
		i += take
	}
	return v
}

// headerBlocks are the parts of a header before and after its variable-length field.
type headerBlocks struct {
	prefix, suffix block
	loose          *looseHeader // instead, if that field does not start on a byte
}

// newHeaderBlocks lays out those fields of a header that are needed.
func newHeaderBlocks(t *typeLayout, need func(field int) bool) (hb headerBlocks) {
	var prefix, suffix []unit
	split := t.bytes * 8
	if t.varbits >= 0 {
		split = t.fields[t.varbits].bitOff
	}
	for i := range t.fields {
		f := &t.fields[i]
		switch {
		case f.varbits || !need(i):
		case t.varbits >= 0 && i > t.varbits:
			suffix = append(suffix, fieldUnits(f.off, f, f.bitOff-split)...)
		default:
			prefix = append(prefix, fieldUnits(f.off, f, f.bitOff)...)
		}
	}
	if split%8 != 0 {
		hb.loose = &looseHeader{prefix, suffix, split}
		return hb
	}
	hb.prefix = newBlock(split, prefix)
	hb.suffix = newBlock(t.bytes*8-split, suffix)
	return hb
}
