package engine

import (
	"bytes"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"
)

// boolFn yields the value of a boolean expression.
type boolFn func(p *packet) bool

// boolean compiles a boolean expression.
func (c *compiler) boolean(e *bmjson.Expr) boolFn {
	if c.err != nil {
		return func(*packet) bool { return false }
	}
	if e.Kind == bmjson.ExprBool {
		yes := e.Yes
		return func(*packet) bool { return yes }
	}
	switch e.Op {
	case bmjson.OpLogicAnd:
		l, r := c.boolean(e.Left), c.boolean(e.Right)
		return func(p *packet) bool { return l(p) && r(p) }
	case bmjson.OpLogicOr:
		l, r := c.boolean(e.Left), c.boolean(e.Right)
		return func(p *packet) bool { return l(p) || r(p) }
	case bmjson.OpLogicNot:
		return c.negation(e.Right)
	case bmjson.OpCond:
		cond, l, r := c.boolean(e.Cond), c.boolean(e.Left), c.boolean(e.Right)
		return func(p *packet) bool {
			if cond(p) {
				return l(p)
			}
			return r(p)
		}
	case bmjson.OpValid:
		h := c.header(e.Right)
		return func(p *packet) bool { return p.isValid(h(p)) }
	case bmjson.OpValidUnion:
		u := c.union(e.Right)
		return func(p *packet) bool { return p.unionValid(u(p)) }
	case bmjson.OpD2B:
		return c.dataToBool(e.Right)
	case bmjson.OpEq, bmjson.OpNe:
		return c.equality(e)
	case bmjson.OpLt, bmjson.OpLe, bmjson.OpGt, bmjson.OpGe:
		return c.order(e)
	}
	c.fail(e.At, "operator %q is not supported for booleans", e.Op)
	return nil
}

func (c *compiler) negation(e *bmjson.Expr) boolFn {
	if e.Kind == bmjson.ExprOp && e.Op == bmjson.OpD2B {
		if off, ok := c.plainField(e.Right); ok {
			return func(p *packet) bool { return p.words[off] == 0 }
		}
	}
	f := c.boolean(e)
	return func(p *packet) bool { return !f(p) }
}

func (c *compiler) dataToBool(e *bmjson.Expr) boolFn {
	if off, ok := c.plainField(e); ok {
		return func(p *packet) bool { return p.words[off] != 0 }
	}
	if c.span(e).narrow() {
		f := c.narrow(e)
		return func(p *packet) bool { return f(p) != 0 }
	}
	f, from, to := c.exact(e, 1)
	return func(p *packet) bool {
		v := p.words[from:to]
		f(p, v)
		return !wideIsZero(v)
	}
}

func (c *compiler) equality(e *bmjson.Expr) boolFn {
	f := c.equal(e)
	if e.Op == bmjson.OpEq {
		return f
	}
	return func(p *packet) bool { return !f(p) }
}

func (c *compiler) equal(e *bmjson.Expr) boolFn {
	switch e.Left.Type {
	case bmjson.TypeBool:
		l, r := c.boolean(e.Left), c.boolean(e.Right)
		return func(p *packet) bool { return l(p) == r(p) }
	case bmjson.TypeHeader:
		l, r := c.header(e.Left), c.header(e.Right)
		return func(p *packet) bool { return p.headersEqual(l(p), r(p)) }
	case bmjson.TypeUnion:
		l, r := c.union(e.Left), c.union(e.Right)
		return func(p *packet) bool { return p.unionsEqual(l(p), r(p)) }
	case bmjson.TypeData:
		return c.equalData(e)
	}
	c.fail(e.At, "comparing %s is not supported", e.Left.Type)
	return nil
}

func (c *compiler) equalData(e *bmjson.Expr) boolFn {
	if l, r := c.varSlot(e.Left), c.varSlot(e.Right); l >= 0 && r >= 0 {
		// BMv2 compares the values as numbers.
		return func(p *packet) bool { return bytes.Equal(canonical(p.vars[l]), canonical(p.vars[r])) }
	}
	if c.comparable64(e) {
		return c.equalNarrow(e)
	}
	if f := c.equalFields(e); f != nil {
		return f
	}
	l, r, lf, lt, rf, rt := c.sameWidth(e)
	return func(p *packet) bool {
		a, b := p.words[lf:lt], p.words[rf:rt]
		l(p, a)
		r(p, b)
		return wideEq(a, b)
	}
}

// varSlot is where the content of a variable-length field is, or -1 for other expressions.
func (c *compiler) varSlot(e *bmjson.Expr) int {
	if e.Kind != bmjson.ExprField || !c.fieldOf(e).varbits {
		return -1
	}
	return c.lay.headers[e.Field.Header].varSlot
}

func (c *compiler) equalNarrow(e *bmjson.Expr) boolFn {
	if e.Right.Kind == bmjson.ExprConst {
		k := lowWord(e.Right.Value)
		if off, ok := c.plainField(e.Left); ok {
			return func(p *packet) bool { return p.words[off] == k }
		}
		l := c.narrow(e.Left)
		return func(p *packet) bool { return l(p) == k }
	}
	loff, lok := c.plainField(e.Left)
	if roff, rok := c.plainField(e.Right); lok && rok {
		return func(p *packet) bool { return p.words[loff] == p.words[roff] }
	}
	l, r := c.narrow(e.Left), c.narrow(e.Right)
	return func(p *packet) bool { return l(p) == r(p) }
}

// equalFields compares two wide unsigned fields of one width in place.
func (c *compiler) equalFields(e *bmjson.Expr) boolFn {
	if e.Left.Kind != bmjson.ExprField || e.Right.Kind != bmjson.ExprField {
		return nil
	}
	lf, l := c.lay.field(e.Left.Field)
	rf, r := c.lay.field(e.Right.Field)
	if lf.words != rf.words || lf.signed || rf.signed || lf.varbits || rf.varbits {
		return nil
	}
	n := lf.words
	if n == 2 {
		return func(p *packet) bool { return p.words[l] == p.words[r] && p.words[l+1] == p.words[r+1] }
	}
	return func(p *packet) bool { return wideEq(p.words[l:l+n], p.words[r:r+n]) }
}

// comparable64 says whether both sides of a comparison fit one word in the same way.
func (c *compiler) comparable64(e *bmjson.Expr) bool {
	l, r := c.span(e.Left), c.span(e.Right)
	return l.narrow() && r.narrow() && (l.neg == r.neg || (l.bits <= 63 && r.bits <= 63))
}

func (c *compiler) sameWidth(e *bmjson.Expr) (l, r wideFn, lf, lt, rf, rt int) {
	n := max(c.span(e.Left).words(), c.span(e.Right).words())
	l, lf, lt = c.exact(e.Left, n)
	r, rf, rt = c.exact(e.Right, n)
	return l, r, lf, lt, rf, rt
}

func (c *compiler) order(e *bmjson.Expr) boolFn {
	left, right, op := e.Left, e.Right, e.Op
	// Only < and <= are left; the others swap their sides.
	if op == bmjson.OpGt || op == bmjson.OpGe {
		left, right = right, left
		op = map[bmjson.Op]bmjson.Op{bmjson.OpGt: bmjson.OpLt, bmjson.OpGe: bmjson.OpLe}[op]
	}
	less := op == bmjson.OpLt
	if !c.comparable64(e) {
		l, r, lf, lt, rf, rt := c.sameWidth(&bmjson.Expr{Left: left, Right: right})
		return func(p *packet) bool {
			a, b := p.words[lf:lt], p.words[rf:rt]
			l(p, a)
			r(p, b)
			cmp := wideCmp(a, b)
			return cmp < 0 || (!less && cmp == 0)
		}
	}
	l, r := c.narrow(left), c.narrow(right)
	signed := c.span(left).neg || c.span(right).neg
	switch {
	case signed && less:
		return func(p *packet) bool { return int64(l(p)) < int64(r(p)) }
	case signed:
		return func(p *packet) bool { return int64(l(p)) <= int64(r(p)) }
	case less:
		return func(p *packet) bool { return l(p) < r(p) }
	}
	return func(p *packet) bool { return l(p) <= r(p) }
}
