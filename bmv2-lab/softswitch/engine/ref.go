package engine

import "github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"

// headerFn yields a header; unionFn the members of a header union.
type (
	headerFn func(p *packet) *headerLayout
	unionFn  func(p *packet) []int
)

// header compiles a header expression.
func (c *compiler) header(e *bmjson.Expr) headerFn {
	if e.Kind == bmjson.ExprHeader {
		h := &c.lay.headers[e.Index]
		return func(*packet) *headerLayout { return h }
	}
	switch e.Op {
	case bmjson.OpDerefStack:
		s := c.stack(e.Left)
		index := c.narrow(e.Right)
		return func(p *packet) *headerLayout { return p.element(s, index(p)) }
	case bmjson.OpAccessUnion:
		union, member := c.union(e.Left), e.Index
		return func(p *packet) *headerLayout { return &p.prog.lay.headers[union(p)[member]] }
	case bmjson.OpCond:
		cond, left, right := c.boolean(e.Cond), c.header(e.Left), c.header(e.Right)
		return func(p *packet) *headerLayout {
			if cond(p) {
				return left(p)
			}
			return right(p)
		}
	}
	c.fail(e.At, "operator %q is not supported for headers", e.Op)
	return nil
}

// stack compiles a header stack expression, which has to name a stack.
func (c *compiler) stack(e *bmjson.Expr) *stackLayout {
	if e.Kind != bmjson.ExprStack {
		c.fail(e.At, "an expression that yields a stack is not supported")
		return nil
	}
	return &c.lay.stacks[e.Index]
}

func (c *compiler) unionStack(e *bmjson.Expr) *stackLayout {
	if e.Kind != bmjson.ExprUnionStack {
		c.fail(e.At, "an expression that yields a union stack is not supported")
		return nil
	}
	return &c.lay.unionStacks[e.Index]
}

// union compiles a header union expression.
func (c *compiler) union(e *bmjson.Expr) unionFn {
	if e.Kind == bmjson.ExprUnion {
		members := c.lay.unions[e.Index]
		return func(*packet) []int { return members }
	}
	switch e.Op {
	case bmjson.OpDerefUnion:
		s := c.unionStack(e.Left)
		index := c.narrow(e.Right)
		return func(p *packet) []int { return p.unionElement(s, index(p)) }
	case bmjson.OpCond:
		cond, left, right := c.boolean(e.Cond), c.union(e.Left), c.union(e.Right)
		return func(p *packet) []int {
			if cond(p) {
				return left(p)
			}
			return right(p)
		}
	}
	c.fail(e.At, "operator %q is not supported for header unions", e.Op)
	return nil
}

// element is an element of a header stack. Outside of the stack, P4 leaves reads undefined
// and drops writes: they meet a header that is always invalid and zero.
func (p *packet) element(s *stackLayout, index uint64) *headerLayout {
	if index < uint64(s.size) {
		return &p.prog.lay.headers[s.elements[index]]
	}
	h := &p.prog.lay.headers[s.nowhere]
	p.clearHeader(h)
	return h
}

func (p *packet) unionElement(s *stackLayout, index uint64) []int {
	if index < uint64(s.size) {
		return p.prog.lay.unions[s.elements[index]]
	}
	members := p.prog.lay.unions[s.nowhere]
	for _, m := range members {
		p.clearHeader(&p.prog.lay.headers[m])
	}
	return members
}

func (p *packet) clearHeader(h *headerLayout) {
	clear(p.words[h.base : h.base+h.typ.words])
	if h.varSlot >= 0 {
		p.vars[h.varSlot] = p.vars[h.varSlot][:0]
	}
}

// address yields the word where a field starts.
type address func(p *packet) int

// fieldAddress compiles the place of a field that is not known before the packet.
func (c *compiler) fieldAddress(e *bmjson.Expr) address {
	off := c.fieldOf(e).off
	switch e.Kind {
	case bmjson.ExprLastField:
		s := &c.lay.stacks[e.Index]
		return func(p *packet) int { return p.element(s, p.words[s.next]-1).base + off }
	case bmjson.ExprLastUnion:
		s, member := &c.lay.unionStacks[e.Index], e.Member
		return func(p *packet) int {
			return p.prog.lay.headers[p.unionElement(s, p.words[s.next]-1)[member]].base + off
		}
	default: // access_field
		h := c.header(e.Left)
		return func(p *packet) int { return h(p).base + off }
	}
}

// headersEqual compares two headers of one type: both valid, and equal in every field.
func (p *packet) headersEqual(a, b *headerLayout) bool {
	if !p.isValid(a) || !p.isValid(b) {
		return false
	}
	for i := fieldWords; i < a.typ.words; i++ {
		if p.words[a.base+i] != p.words[b.base+i] {
			return false
		}
	}
	return a.varSlot < 0 || string(p.vars[a.varSlot]) == string(p.vars[b.varSlot])
}

// unionsEqual compares two unions of one type: the same member is valid, and equal.
func (p *packet) unionsEqual(a, b []int) bool {
	for i := range a {
		ha, hb := &p.prog.lay.headers[a[i]], &p.prog.lay.headers[b[i]]
		if p.isValid(ha) || p.isValid(hb) {
			return p.headersEqual(ha, hb)
		}
	}
	return false
}

func (p *packet) unionValid(members []int) bool {
	for _, m := range members {
		if p.isValid(&p.prog.lay.headers[m]) {
			return true
		}
	}
	return false
}
