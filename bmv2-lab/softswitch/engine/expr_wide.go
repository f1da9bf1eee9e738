package engine

import "github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"

// wideFn writes the value of a data expression to dst, modulo 2^(64*len(dst)).
type wideFn func(p *packet, dst []uint64)

func nothing(*packet, []uint64) {}

// wide compiles a data expression to n words.
func (c *compiler) wide(e *bmjson.Expr, n int) wideFn {
	if c.err == nil && n > maxWords {
		c.fail(e.At, "an intermediate result of %d words is not supported", n)
	}
	if c.err != nil {
		return nothing
	}
	if s := c.span(e); s.narrow() && e.Kind != bmjson.ExprConst {
		f := c.narrow(e)
		if s.neg {
			return func(p *packet, dst []uint64) { dst[0] = f(p); extend(dst, 1) }
		}
		return func(p *packet, dst []uint64) { dst[0] = f(p); clear(dst[1:]) }
	}
	switch e.Kind {
	case bmjson.ExprConst:
		v := constWords(e.Value, n)
		return func(_ *packet, dst []uint64) { copy(dst, v) }
	case bmjson.ExprLocal:
		pl := c.params[e.Index]
		return func(p *packet, dst []uint64) { copyWords(dst, p.params[pl.off:pl.off+pl.words]) }
	case bmjson.ExprRegister:
		reg, index := e.Index, c.narrow(e.Right)
		return func(p *packet, dst []uint64) { copyWords(dst, p.registers[reg].cell(index(p))) }
	case bmjson.ExprField:
		f, off := c.lay.field(e.Field)
		if f.varbits {
			c.fail(e.At, "a field of variable length cannot be read as a number")
		}
		return wideField(f, func(*packet) int { return off })
	case bmjson.ExprLastField, bmjson.ExprLastUnion:
		return wideField(c.fieldOf(e), c.fieldAddress(e))
	}
	return c.wideOp(e, n)
}

// copyWords copies an unsigned value of another length.
func copyWords(dst, src []uint64) {
	clear(dst[copy(dst, src):])
}

func wideField(f *fieldLayout, at address) wideFn {
	words, width, signed := f.words, f.width, f.signed
	return func(p *packet, dst []uint64) {
		off := at(p)
		copyWords(dst, p.words[off:off+words])
		if signed && width <= 64*len(dst) {
			signExtend(dst, width)
		}
	}
}

func (c *compiler) wideOp(e *bmjson.Expr, n int) wideFn {
	switch e.Op {
	case bmjson.OpAdd, bmjson.OpSub, bmjson.OpMul, bmjson.OpAnd, bmjson.OpOr, bmjson.OpXor:
		return c.wideRing(e, n)
	case bmjson.OpNot:
		f := c.wide(e.Right, n)
		return func(p *packet, dst []uint64) { f(p, dst); wideNot(dst, dst) }
	case bmjson.OpCond:
		cond, left, right := c.boolean(e.Cond), c.wide(e.Left, n), c.wide(e.Right, n)
		return func(p *packet, dst []uint64) {
			if cond(p) {
				left(p, dst)
			} else {
				right(p, dst)
			}
		}
	case bmjson.OpShl:
		f, by := c.wide(e.Left, n), c.shiftDistance(e.Right)
		return func(p *packet, dst []uint64) { f(p, dst); wideShl(dst, dst, by(p)) }
	case bmjson.OpShr:
		return c.wideShr(e)
	case bmjson.OpDiv, bmjson.OpMod:
		return c.wideDiv(e)
	case bmjson.OpTwoComp, bmjson.OpSatCast, bmjson.OpUSatCast:
		return c.wideCast(e)
	case bmjson.OpAccessField:
		return wideField(c.fieldOf(e), c.fieldAddress(e))
	}
	c.fail(e.At, "operator %q is not supported for data of this width", e.Op)
	return nothing
}

func (c *compiler) wideRing(e *bmjson.Expr, n int) wideFn {
	l, r := c.wide(e.Left, n), c.wide(e.Right, n)
	from, to := c.temp(n)
	switch e.Op {
	case bmjson.OpAdd:
		return func(p *packet, dst []uint64) { b := p.words[from:to]; l(p, dst); r(p, b); wideAdd(dst, dst, b) }
	case bmjson.OpSub:
		return func(p *packet, dst []uint64) { b := p.words[from:to]; l(p, dst); r(p, b); wideSub(dst, dst, b) }
	case bmjson.OpAnd:
		return func(p *packet, dst []uint64) {
			b := p.words[from:to]
			l(p, dst)
			r(p, b)
			for i := range dst {
				dst[i] &= b[i]
			}
		}
	case bmjson.OpOr:
		return func(p *packet, dst []uint64) {
			b := p.words[from:to]
			l(p, dst)
			r(p, b)
			for i := range dst {
				dst[i] |= b[i]
			}
		}
	case bmjson.OpXor:
		return func(p *packet, dst []uint64) {
			b := p.words[from:to]
			l(p, dst)
			r(p, b)
			for i := range dst {
				dst[i] ^= b[i]
			}
		}
	}
	from2, to2 := c.temp(n)
	return func(p *packet, dst []uint64) {
		a, b := p.words[from:to], p.words[from2:to2]
		l(p, a)
		r(p, b)
		wideMul(dst, a, b)
	}
}

// exact compiles an expression with all the words that its value can need.
func (c *compiler) exact(e *bmjson.Expr, atLeast int) (f wideFn, from, to int) {
	n := max(c.span(e).words(), atLeast, 1)
	from, to = c.temp(n)
	return c.wide(e, n), from, to
}

// copySigned copies a signed value of another length.
func copySigned(dst, src []uint64) {
	if n := copy(dst, src); n < len(dst) {
		extend(dst, n)
	}
}

func (c *compiler) wideShr(e *bmjson.Expr) wideFn {
	f, from, to := c.exact(e.Left, 1)
	by := c.shiftDistance(e.Right)
	return func(p *packet, dst []uint64) {
		v := p.words[from:to]
		f(p, v)
		wideSar(v, v, by(p))
		copySigned(dst, v)
	}
}

// wideDiv divides, rounding towards zero; the remainder has the sign of the dividend.
func (c *compiler) wideDiv(e *bmjson.Expr) wideFn {
	n := max(c.span(e.Left).words(), c.span(e.Right).words())
	l, lf, lt := c.exact(e.Left, n)
	r, rf, rt := c.exact(e.Right, n)
	qf, qt := c.temp(n)
	mf, mt := c.temp(n)
	mod := e.Op == bmjson.OpMod
	return func(p *packet, dst []uint64) {
		a, b, quot, rem := p.words[lf:lt], p.words[rf:rt], p.words[qf:qt], p.words[mf:mt]
		l(p, a)
		r(p, b)
		if wideIsZero(b) {
			clear(dst)
			return
		}
		negA, negB := wideIsNeg(a), wideIsNeg(b)
		if negA {
			wideNeg(a, a)
		}
		if negB {
			wideNeg(b, b)
		}
		wideDivMod(quot, rem, a, b)
		if mod {
			quot, negB = rem, false
		}
		if negA != negB {
			wideNeg(quot, quot)
		}
		copySigned(dst, quot)
	}
}

func (c *compiler) wideCast(e *bmjson.Expr) wideFn {
	width := int(e.Right.Value.Int64())
	f, from, to := c.exact(e.Left, wordsOf(width+1))
	if e.Op == bmjson.OpTwoComp {
		return func(p *packet, dst []uint64) {
			v := p.words[from:to]
			f(p, v)
			signExtend(v, width)
			copySigned(dst, v)
		}
	}
	low, high := make([]uint64, to-from), make([]uint64, to-from)
	one := make([]uint64, to-from)
	one[0] = 1
	if e.Op == bmjson.OpSatCast {
		wideShl(high, one, uint64(width-1))
		wideNeg(low, high)
	} else {
		wideShl(high, one, uint64(width))
	}
	wideSub(high, high, one)
	return func(p *packet, dst []uint64) {
		v := p.words[from:to]
		f(p, v)
		switch {
		case wideCmp(v, high) > 0:
			copySigned(dst, high)
		case wideCmp(v, low) < 0:
			copySigned(dst, low)
		default:
			copySigned(dst, v)
		}
	}
}
