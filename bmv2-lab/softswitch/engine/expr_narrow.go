package engine

import "github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"

// narrowFn yields the value of a data expression modulo 2^64. Where the expression's span is
// narrow, that is the value itself: unsigned, or signed if the span has negative values.
type narrowFn func(p *packet) uint64

// narrow compiles a data expression to one word.
func (c *compiler) narrow(e *bmjson.Expr) narrowFn {
	if c.err != nil {
		return func(*packet) uint64 { return 0 }
	}
	switch e.Kind {
	case bmjson.ExprConst:
		v := lowWord(e.Value)
		return func(*packet) uint64 { return v }
	case bmjson.ExprLocal:
		off := c.params[e.Index].off
		return func(p *packet) uint64 { return p.params[off] }
	case bmjson.ExprRegister:
		return c.registerWord(e)
	case bmjson.ExprField:
		f, off := c.lay.field(e.Field)
		return c.loadField(e, f, off)
	case bmjson.ExprLastField, bmjson.ExprLastUnion:
		return c.loadDynamic(e)
	}
	return c.narrowOp(e)
}

// registerWord is the low word of a register cell; 0 outside of the array.
func (c *compiler) registerWord(e *bmjson.Expr) narrowFn {
	reg, index := e.Index, c.narrow(e.Right)
	return func(p *packet) uint64 {
		cell := p.registers[reg].cell(index(p))
		if cell == nil {
			return 0
		}
		return cell[0]
	}
}

func (c *compiler) loadField(e *bmjson.Expr, f *fieldLayout, off int) narrowFn {
	if f.varbits {
		c.fail(e.At, "a field of variable length cannot be read as a number")
		return nil
	}
	if f.signed && f.width < 64 {
		shift := uint(64 - f.width)
		return func(p *packet) uint64 { return uint64(int64(p.words[off]<<shift) >> shift) }
	}
	return func(p *packet) uint64 { return p.words[off] }
}

func (c *compiler) loadDynamic(e *bmjson.Expr) narrowFn {
	f, at := c.fieldOf(e), c.fieldAddress(e)
	if f.varbits {
		c.fail(e.At, "a field of variable length cannot be read as a number")
		return nil
	}
	if f.signed && f.width < 64 {
		shift := uint(64 - f.width)
		return func(p *packet) uint64 { return uint64(int64(p.words[at(p)]<<shift) >> shift) }
	}
	return func(p *packet) uint64 { return p.words[at(p)] }
}

func (c *compiler) narrowOp(e *bmjson.Expr) narrowFn {
	switch e.Op {
	case bmjson.OpAdd, bmjson.OpSub, bmjson.OpMul, bmjson.OpAnd, bmjson.OpOr, bmjson.OpXor:
		if e.Right.Kind == bmjson.ExprConst {
			return c.narrowConst(e)
		}
		return narrowRing(e.Op, c.narrow(e.Left), c.narrow(e.Right))
	case bmjson.OpNot:
		right := c.narrow(e.Right)
		return func(p *packet) uint64 { return ^right(p) }
	case bmjson.OpB2D:
		cond := c.boolean(e.Right)
		return func(p *packet) uint64 {
			if cond(p) {
				return 1
			}
			return 0
		}
	case bmjson.OpCond:
		cond, left, right := c.boolean(e.Cond), c.narrow(e.Left), c.narrow(e.Right)
		return func(p *packet) uint64 {
			if cond(p) {
				return left(p)
			}
			return right(p)
		}
	case bmjson.OpShl:
		return c.narrowShl(e)
	case bmjson.OpShr:
		return c.narrowShr(e)
	case bmjson.OpDiv, bmjson.OpMod:
		return c.narrowDiv(e)
	case bmjson.OpTwoComp, bmjson.OpSatCast, bmjson.OpUSatCast:
		return c.narrowCast(e)
	case bmjson.OpLastIndex, bmjson.OpSizeStack:
		s := c.stack(e.Right)
		less := uint64(0)
		if e.Op == bmjson.OpLastIndex {
			less = 1
		}
		return func(p *packet) uint64 { return p.words[s.next] - less }
	case bmjson.OpAccessField:
		return c.loadDynamic(e)
	}
	c.fail(e.At, "operator %q is not supported for data", e.Op)
	return nil
}

func narrowRing(op bmjson.Op, l, r narrowFn) narrowFn {
	switch op {
	case bmjson.OpAdd:
		return func(p *packet) uint64 { return l(p) + r(p) }
	case bmjson.OpSub:
		return func(p *packet) uint64 { return l(p) - r(p) }
	case bmjson.OpMul:
		return func(p *packet) uint64 { return l(p) * r(p) }
	case bmjson.OpAnd:
		return func(p *packet) uint64 { return l(p) & r(p) }
	case bmjson.OpOr:
		return func(p *packet) uint64 { return l(p) | r(p) }
	default:
		return func(p *packet) uint64 { return l(p) ^ r(p) }
	}
}

// narrowConst compiles an operation with a constant on its right, the commonest kind.
func (c *compiler) narrowConst(e *bmjson.Expr) narrowFn {
	k := lowWord(e.Right.Value)
	if e.Op == bmjson.OpAnd && coversSpan(k, c.span(e.Left)) {
		return c.narrow(e.Left) // the mask changes nothing
	}
	if off, ok := c.plainField(e.Left); ok {
		switch e.Op {
		case bmjson.OpAdd:
			return func(p *packet) uint64 { return p.words[off] + k }
		case bmjson.OpAnd:
			return func(p *packet) uint64 { return p.words[off] & k }
		}
	}
	l := c.narrow(e.Left)
	switch e.Op {
	case bmjson.OpAdd:
		return func(p *packet) uint64 { return l(p) + k }
	case bmjson.OpSub:
		return func(p *packet) uint64 { return l(p) - k }
	case bmjson.OpMul:
		return func(p *packet) uint64 { return l(p) * k }
	case bmjson.OpAnd:
		return func(p *packet) uint64 { return l(p) & k }
	case bmjson.OpOr:
		return func(p *packet) uint64 { return l(p) | k }
	default:
		return func(p *packet) uint64 { return l(p) ^ k }
	}
}

// coversSpan says whether a mask leaves every value of a span as it is.
func coversSpan(mask uint64, s span) bool {
	return !s.neg && s.bits <= 64 && mask&topMask(max(s.bits, 1)) == topMask(max(s.bits, 1))
}

// plainField is the word of an unsigned field of one word at a fixed place.
func (c *compiler) plainField(e *bmjson.Expr) (int, bool) {
	if e.Kind != bmjson.ExprField {
		return 0, false
	}
	f, off := c.lay.field(e.Field)
	return off, f.words == 1 && !f.signed && !f.varbits
}

func (c *compiler) narrowShl(e *bmjson.Expr) narrowFn {
	l := c.narrow(e.Left)
	if e.Right.Kind == bmjson.ExprConst {
		by := uint(constShift(e.Right.Value))
		return func(p *packet) uint64 { return l(p) << by }
	}
	r := c.shiftDistance(e.Right)
	return func(p *packet) uint64 { return l(p) << r(p) }
}

// shiftDistance compiles the distance of a shift; distances beyond a word saturate.
func (c *compiler) shiftDistance(e *bmjson.Expr) narrowFn {
	s := c.span(e)
	if s.narrow() && !s.neg {
		return c.narrow(e)
	}
	n := max(s.words(), 1)
	from, to := c.temp(n)
	f := c.wide(e, n)
	return func(p *packet) uint64 {
		v := p.words[from:to]
		f(p, v)
		switch {
		case wideIsNeg(v):
			return 0 // undefined in P4
		case !wideIsZero(v[1:]):
			return 1 << 32
		}
		return v[0]
	}
}

func (c *compiler) narrowShr(e *bmjson.Expr) narrowFn {
	s := c.span(e.Left)
	if !s.narrow() {
		return c.narrowShrWide(e, s)
	}
	l := c.narrow(e.Left)
	if s.neg {
		r := c.shiftDistance(e.Right)
		return func(p *packet) uint64 { return uint64(int64(l(p)) >> r(p)) }
	}
	if e.Right.Kind == bmjson.ExprConst {
		by := uint(constShift(e.Right.Value))
		return func(p *packet) uint64 { return l(p) >> by }
	}
	r := c.shiftDistance(e.Right)
	return func(p *packet) uint64 { return l(p) >> r(p) }
}

// narrowShrWide takes one word out of a wide value. From a field it is read directly.
func (c *compiler) narrowShrWide(e *bmjson.Expr, s span) narrowFn {
	if e.Right.Kind == bmjson.ExprConst && e.Left.Kind == bmjson.ExprField && !s.neg {
		f, off := c.lay.field(e.Left.Field)
		by := constShift(e.Right.Value)
		w, b := by/64, uint(by%64)
		switch {
		case w >= f.words:
			return func(*packet) uint64 { return 0 }
		case b == 0:
			return func(p *packet) uint64 { return p.words[off+w] }
		case w == f.words-1:
			return func(p *packet) uint64 { return p.words[off+w] >> b }
		}
		return func(p *packet) uint64 { return p.words[off+w]>>b | p.words[off+w+1]<<(64-b) }
	}
	return c.lowOfWide(e, s.words())
}

// lowOfWide evaluates an operation in n words and keeps the lowest.
func (c *compiler) lowOfWide(e *bmjson.Expr, n int) narrowFn {
	if n > maxWords {
		c.fail(e.At, "an intermediate result of %d words is not supported", n)
		return nil
	}
	from, to := c.temp(n)
	f := c.wideOp(e, n)
	return func(p *packet) uint64 {
		v := p.words[from:to]
		f(p, v)
		return v[0]
	}
}

// narrowDiv divides; division by zero, undefined in P4, yields 0.
func (c *compiler) narrowDiv(e *bmjson.Expr) narrowFn {
	ls, rs := c.span(e.Left), c.span(e.Right)
	if ls.neg || rs.neg || !ls.narrow() || !rs.narrow() {
		return c.lowOfWide(e, max(ls.words(), rs.words()))
	}
	l, r := c.narrow(e.Left), c.narrow(e.Right)
	mod := e.Op == bmjson.OpMod
	return func(p *packet) uint64 {
		a, b := l(p), r(p)
		switch {
		case b == 0:
			return 0
		case mod:
			return a % b
		}
		return a / b
	}
}

func (c *compiler) narrowCast(e *bmjson.Expr) narrowFn {
	s, width := c.span(e.Left), uint(e.Right.Value.Int64())
	if width >= 64 || s.bits > 63 {
		if e.Op == bmjson.OpTwoComp && width <= 64 {
			l, shift := c.narrow(e.Left), 64-width
			return func(p *packet) uint64 { return uint64(int64(l(p)<<shift) >> shift) }
		}
		return c.lowOfWide(e, max(s.words(), wordsOf(int(width)+1)))
	}
	l := c.narrow(e.Left)
	if e.Op == bmjson.OpTwoComp {
		shift := 64 - width
		return func(p *packet) uint64 { return uint64(int64(l(p)<<shift) >> shift) }
	}
	low, high := int64(0), int64(1)<<width-1
	if e.Op == bmjson.OpSatCast {
		low, high = -(int64(1) << (width - 1)), int64(1)<<(width-1)-1
	}
	return func(p *packet) uint64 { return uint64(min(max(int64(l(p)), low), high)) }
}
