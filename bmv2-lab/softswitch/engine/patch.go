package engine

import "encoding/binary"

// patchChunk is 8 bytes of a header of which some bits are fields that the program writes.
type patchChunk struct {
	at    int    // byte
	mask  uint64 // the bits of those fields
	chunk chunk
}

// patchAt is a header in the outgoing frame that has to be patched.
type patchAt struct {
	header *headerLayout
	at     int // byte
}

// newPatch says how to put the written fields into a copy of a header; ok is false if that
// cannot be done in chunks of 8 bytes.
func newPatch(t *typeLayout, written []bool) (list []patchChunk, ok bool) {
	for i := range t.fields {
		f := &t.fields[i]
		if !written[i] {
			continue
		}
		if f.varbits || t.varbits >= 0 || t.bytes < 8 {
			return nil, false
		}
		for _, u := range fieldUnits(f.off, f, f.bitOff) {
			if list, ok = addToPatch(list, u, t.bytes); !ok {
				return nil, false
			}
		}
	}
	return list, true
}

// addToPatch enters a unit, into the last chunk if it lies in there.
func addToPatch(list []patchChunk, u unit, bytes int) ([]patchChunk, bool) {
	if n := len(list); n == 0 || u.bit < 8*list[n-1].at || u.bit+u.n > 8*list[n-1].at+64 {
		list = append(list, patchChunk{at: min(u.bit/8, bytes-8)})
	}
	c := &list[len(list)-1]
	shift := 8*c.at + 64 - u.bit - u.n
	if shift < 0 {
		return nil, false // it touches nine bytes
	}
	c.mask |= topMask(u.n) << shift
	c.chunk.parts = append(c.chunk.parts, part{u.word, uint8(shift), false})
	return list, true
}

// apply puts the fields into a header that stands at the start of data.
func (c *patchChunk) apply(data []byte, words []uint64, base int) {
	b := data[c.at : c.at+8]
	v := binary.BigEndian.Uint64(b)&^c.mask | c.chunk.value(words, base)
	binary.BigEndian.PutUint64(b, v)
}
