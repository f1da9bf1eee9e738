package engine

import "github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"

// Steps that make headers valid or invalid, copy them, and move them in stacks.

// addHeader is setValid(): a header that was invalid starts with all fields 0.
func (c *compiler) addHeader(e *bmjson.Expr) op {
	h := c.header(e)
	return func(p *packet) {
		h := h(p)
		if p.words[h.base] == 0 {
			p.clearHeader(h)
			p.setValid(h)
			p.length += h.typ.bytes
		}
	}
}

// removeHeader is setInvalid().
func (c *compiler) removeHeader(e *bmjson.Expr) op {
	h := c.header(e)
	return func(p *packet) {
		h := h(p)
		if p.words[h.base] != 0 {
			p.length -= p.headerBytes(h)
			p.words[h.base] = 0
			p.whole = false
		}
	}
}

// copyHeader makes dst what src is, validity included. BMv2's packet length register does
// not follow.
func (p *packet) copyHeader(dst, src *headerLayout) {
	if !p.isValid(src) {
		p.words[dst.base] = 0
		return
	}
	if dst == src {
		return
	}
	p.setValid(dst)
	n := dst.typ.words
	copy(p.words[dst.base+fieldWords:dst.base+n], p.words[src.base+fieldWords:src.base+n])
	if dst.varSlot >= 0 {
		p.vars[dst.varSlot] = append(p.vars[dst.varSlot][:0], p.vars[src.varSlot]...)
	}
}

func (c *compiler) assignHeader(dst, src *bmjson.Expr) op {
	if dst.HeaderType != src.HeaderType {
		c.fail(dst.At, "a header cannot be assigned one of another type")
		return nil
	}
	d, s := c.header(dst), c.header(src)
	return func(p *packet) { p.copyHeader(d(p), s(p)) }
}

func (p *packet) copyUnion(dst, src []int) {
	for i := range dst {
		p.copyHeader(&p.prog.lay.headers[dst[i]], &p.prog.lay.headers[src[i]])
	}
}

func (c *compiler) assignUnion(dst, src *bmjson.Expr) op {
	d, s := c.union(dst), c.union(src)
	return func(p *packet) { p.copyUnion(d(p), s(p)) }
}

func (c *compiler) assignStack(dst, src *bmjson.Expr) op {
	d, s := c.stack(dst), c.stack(src)
	if c.err == nil && (dst.HeaderType != src.HeaderType || d.size != s.size) {
		c.fail(dst.At, "a header stack cannot be assigned one of another type or size")
	}
	return func(p *packet) {
		p.words[d.next] = p.words[s.next]
		for i := range d.elements {
			p.copyHeader(&p.prog.lay.headers[d.elements[i]], &p.prog.lay.headers[s.elements[i]])
		}
	}
}

func (c *compiler) assignUnionStack(dst, src *bmjson.Expr) op {
	d, s := c.unionStack(dst), c.unionStack(src)
	if c.err == nil && d.size != s.size {
		c.fail(dst.At, "a header union stack cannot be assigned one of another size")
	}
	return func(p *packet) {
		p.words[d.next] = p.words[s.next]
		for i := range d.elements {
			p.copyUnion(p.prog.lay.unions[d.elements[i]], p.prog.lay.unions[s.elements[i]])
		}
	}
}

// assignVarbits copies a variable-length field.
func (c *compiler) assignVarbits(dst, src *bmjson.Expr) op {
	d, s := &c.lay.headers[dst.Field.Header], &c.lay.headers[src.Field.Header]
	_, dOff := c.lay.field(dst.Field)
	_, sOff := c.lay.field(src.Field)
	return func(p *packet) {
		p.words[dOff] = p.words[sOff]
		p.vars[d.varSlot] = append(p.vars[d.varSlot][:0], p.vars[s.varSlot]...)
	}
}

// push and pop move the elements of a stack, as P4_16 defines push_front and pop_front: the
// whole stack moves, and what comes in is invalid.
func (c *compiler) shift(stack, count *bmjson.Expr, push bool) op {
	n := c.narrow(count)
	if stack.Type == bmjson.TypeUnionStack {
		s := c.unionStack(stack)
		return func(p *packet) { p.shiftStack(s, n(p), push, p.moveUnion) }
	}
	s := c.stack(stack)
	return func(p *packet) { p.shiftStack(s, n(p), push, p.moveHeader) }
}

// moveHeader moves element src of a stack to dst; src -1 makes dst invalid.
func (p *packet) moveHeader(dst, src int) {
	d := &p.prog.lay.headers[dst]
	if src < 0 {
		p.words[d.base] = 0
		return
	}
	p.copyHeader(d, &p.prog.lay.headers[src])
}

func (p *packet) moveUnion(dst, src int) {
	d := p.prog.lay.unions[dst]
	if src >= 0 {
		p.copyUnion(d, p.prog.lay.unions[src])
		return
	}
	for _, h := range d {
		p.words[p.prog.lay.headers[h].base] = 0
	}
}

func (p *packet) shiftStack(s *stackLayout, count uint64, push bool, move func(dst, src int)) {
	n := int(min(count, uint64(s.size)))
	next := int(p.words[s.next])
	if push {
		p.words[s.next] = uint64(min(s.size, next+n))
		for i := s.size - 1; i >= 0; i-- {
			if i >= n {
				move(s.elements[i], s.elements[i-n])
			} else {
				move(s.elements[i], -1)
			}
		}
		return
	}
	p.words[s.next] = uint64(max(next-n, 0))
	for i := 0; i < s.size; i++ {
		if i+n < s.size {
			move(s.elements[i], s.elements[i+n])
		} else {
			move(s.elements[i], -1)
		}
	}
}
