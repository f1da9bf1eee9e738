package engine

// Most frames leave as they came, but for some fields. The parser of flat code keeps account of
// it: whole is true while every header was extracted right behind the one before, in the
// deparser's order, and all of them are valid still. Headers that anything but the parser can
// make valid do not take part: they have no rank, and made lists where their validity is.

// rankHeaders numbers the headers that take part in their order.
func (c *compiler) rankHeaders() {
	times := map[*headerLayout]int{}
	for _, h := range c.prog.deparser {
		if h.metadata {
			return // it is not in the frame
		}
		times[h]++
	}
	for i, h := range c.prog.deparser {
		switch {
		case c.live.remade[h.index]:
			c.prog.made = append(c.prog.made, h.base)
		case h.copied && h.varSlot < 0 && times[h] == 1:
			h.rank = i + 1
			if h.patch != nil {
				c.prog.patched = append(c.prog.patched, h)
			}
		}
	}
}

// emit appends the headers in the deparser's order and the payload to out.
func (p *packet) emit(out []byte) []byte {
	if !p.leavesWhole() {
		return p.emitPieces(out)
	}
	out = append(out, p.frame...)
	for _, h := range p.prog.patched {
		if p.words[h.base] != 0 {
			p.patch(out[p.words[h.base+rawWord]:], h)
		}
	}
	return out
}

// leavesWhole says whether the headers that leave are those that came, in the same order.
func (p *packet) leavesWhole() bool {
	valid := uint64(0)
	for _, w := range p.prog.made {
		valid |= p.words[w]
	}
	return p.whole && valid == 0
}

// patch puts the written fields of a header into its copy at the start of out.
func (p *packet) patch(out []byte, h *headerLayout) {
	for i := range h.patch {
		h.patch[i].apply(out, p.words, h.base)
	}
}

// emitPieces is emit for all packets. What follows each other in the frame, as it came, is
// copied in one piece, and patched where it was changed.
func (p *packet) emitPieces(out []byte) []byte {
	from, to := 0, 0 // the piece of the frame that is next to be copied
	patches := p.patches[:0]
	for i, valid := range p.prog.emitted {
		if valid >= 0 && p.words[valid] == 0 {
			continue
		}
		h := p.prog.deparser[i]
		if !h.copied {
			out = append(out, p.frame[from:to]...)
			from, to = 0, 0
			out = p.deparse(out, h)
			continue
		}
		at := int(p.words[h.base+rawWord])
		if at != to {
			out = append(out, p.frame[from:to]...)
			from = at
		}
		if h.patch != nil {
			patches = append(patches, patchAt{h, len(out) + at - from})
		}
		to = at + p.headerBytes(h)
	}
	rest := p.payload()
	if to == p.parsed {
		out = append(out, p.frame[from:to+len(rest)]...)
	} else {
		out = append(append(out, p.frame[from:to]...), rest...)
	}
	for _, at := range patches {
		p.patch(out[at.at:], at.header)
	}
	p.patches = patches
	return out
}

// deparse appends a valid header to out, which grows as needed.
func (p *packet) deparse(out []byte, h *headerLayout) []byte {
	hb := &p.prog.blocks[h.index]
	if hb.loose != nil {
		return hb.loose.write(out, p.words, h.base, p.vars[h.varSlot])
	}
	out = appendBlock(out, &hb.prefix, p.words, h.base)
	if h.varSlot >= 0 {
		out = append(out, p.vars[h.varSlot]...)
		out = appendBlock(out, &hb.suffix, p.words, h.base)
	}
	return out
}

func appendBlock(out []byte, b *block, words []uint64, base int) []byte {
	n := len(out)
	if cap(out) < n+b.bytes+8 {
		out = append(make([]byte, 0, 2*(n+b.bytes)+64), out...)
	}
	b.write(out[n:n+8*len(b.chunks)], words, base)
	return out[:n+b.bytes]
}
