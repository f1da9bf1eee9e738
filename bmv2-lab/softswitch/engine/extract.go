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
	p.whole = false
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
	p.whole = false
	p.words[h.base+rawWord] = uint64(p.parsed)
	p.words[h.base+h.typ.fields[h.typ.varbits].off] = bits
	p.setValid(h)
	p.parsed += total
	return 0
}
