package engine

// Codes that the parser's operations return: 0 for success, else the parser error plus 1.
// coreErrors are those of the core library that the machine itself raises.
type coreErrors struct {
	none, tooShort, stackBounds, headerTooShort, timeout, invalidArgument int
}

// extract reads a header of fixed length.
func (p *packet) extract(h *headerLayout) int {
	data := p.frame[p.parsed:]
	if len(data) < h.typ.bytes {
		return p.prog.errs.tooShort + 1
	}
	p.prog.blocks[h.index].prefix.read(p.words, h.base, data)
	p.words[h.base+rawWord] = uint64(p.parsed)
	if h.union >= 0 {
		p.setValid(h)
	} else {
		p.words[h.base] = 1
	}
	p.parsed += h.typ.bytes
	return 0
}

// maxVarBits is where BMv2's conversion of a length to an int saturates.
const maxVarBits = 1<<31 - 1

// extractVar reads a header whose variable-length field has bits bits.
func (p *packet) extractVar(h *headerLayout, bits uint64) int {
	if bits >= maxVarBits || bits%8 != 0 {
		return p.prog.errs.invalidArgument + 1
	}
	n := int(bits / 8)
	data := p.frame[p.parsed:]
	total := h.typ.bytes + n
	if len(data) < total {
		return p.prog.errs.tooShort + 1
	}
	if h.typ.maxBytes > 0 && total > h.typ.maxBytes {
		return p.prog.errs.headerTooShort + 1
	}
	hb := &p.prog.blocks[h.index]
	content := p.vars[h.varSlot][:0]
	if hb.loose != nil {
		content = hb.loose.read(p.words, h.base, data, 8*n, content)
	} else {
		hb.prefix.read(p.words, h.base, data)
		varAt := hb.prefix.bytes
		content = append(content, data[varAt:varAt+n]...)
		hb.suffix.read(p.words, h.base, data[varAt+n:])
	}
	p.vars[h.varSlot] = content
	p.words[h.base+rawWord] = uint64(p.parsed)
	p.words[h.base+h.typ.fields[h.typ.varbits].off] = bits
	p.setValid(h)
	p.parsed += total
	return 0
}

// emit appends the headers in the deparser's order and the payload to out. What follows each
// other in the frame, as it came, is copied in one piece, and patched where it was changed.
func (p *packet) emit(out []byte) []byte {
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
		for i := range at.header.patch {
			at.header.patch[i].apply(out[at.at:], p.words, at.header.base)
		}
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
