package engine

import (
	"math/big"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"
)

// compiler turns a decoded program into closures. Its first error sticks.
type compiler struct {
	src  *bmjson.Program
	prog *Program
	lay  *layout
	err  error
	live *liveness

	// The program is to tell what it does; names are the parameters of the action at work.
	trace bool
	names []bmjson.Param

	// While an action is compiled: its parameters' places in the action data.
	params []paramLayout
	// Scratch words in use by the statement that is being compiled.
	scratch int
	// The step that is being compiled, as a flat operation if it is one.
	micro micro
}

// paramLayout is the place of a run-time parameter in the action data.
type paramLayout struct {
	off, words, width int
}

func (c *compiler) fail(at bmjson.Place, format string, args ...any) {
	if c.err == nil {
		c.err = bmjson.Errorf(at, format, args...)
	}
}

// temp reserves scratch words; they are free again after the statement.
func (c *compiler) temp(words int) (from, to int) {
	from = c.lay.cleared + c.scratch
	c.scratch += words
	c.lay.scratch = max(c.lay.scratch, c.scratch)
	return from, from + words
}

// statement ends the use of scratch words.
func (c *compiler) statement() { c.scratch = 0 }

// maxWords bounds the width of intermediate results.
const maxWords = 4096

// span bounds an integer: from -2^bits (neg) or 0 to below 2^bits.
type span struct {
	bits int
	neg  bool
}

// narrow says whether every value of the span can be kept in one word: unsigned, or signed
// if the span has negative values.
func (s span) narrow() bool { return s.bits <= 63 || (s.bits == 64 && !s.neg) }

// words is the number of words that hold every value of the span, signed.
func (s span) words() int { return wordsOf(s.bits + 1) }

func (s span) or(t span) span { return span{max(s.bits, t.bits), s.neg || t.neg} }

func spanOfConst(v *big.Int) span {
	if v.Sign() >= 0 {
		return span{v.BitLen(), false}
	}
	// -2^n needs n bits.
	return span{new(big.Int).Not(v).BitLen(), true}
}

// span bounds the value of a data expression.
func (c *compiler) span(e *bmjson.Expr) span {
	switch e.Kind {
	case bmjson.ExprConst:
		return spanOfConst(e.Value)
	case bmjson.ExprLocal:
		return span{c.params[e.Index].width, false}
	case bmjson.ExprRegister:
		return span{c.src.Registers[e.Index].Width, false}
	case bmjson.ExprField, bmjson.ExprLastField, bmjson.ExprLastUnion:
		return spanOfField(c.fieldOf(e))
	case bmjson.ExprOp:
		return c.spanOfOp(e)
	}
	return span{}
}

func spanOfField(f *fieldLayout) span {
	if f.signed {
		return span{f.width - 1, true}
	}
	return span{f.width, false}
}

// fieldOf is the layout of the field that a field expression names.
func (c *compiler) fieldOf(e *bmjson.Expr) *fieldLayout {
	var t *typeLayout
	field := e.Field.Field
	switch e.Kind {
	case bmjson.ExprField:
		f, _ := c.lay.field(e.Field)
		return f
	case bmjson.ExprLastField:
		t = c.lay.headers[c.src.Stacks[e.Index].Headers[0]].typ
	case bmjson.ExprLastUnion:
		u := c.src.UnionStacks[e.Index].Unions[0]
		t = c.lay.headers[c.src.Unions[u].Headers[e.Member]].typ
	default: // access_field
		t, field = &c.lay.types[e.Left.HeaderType], e.Index
	}
	if field == bmjson.ValidField {
		return &validLayout
	}
	return &t.fields[field]
}

// maxShift bounds a shift to the left whose distance is not a constant.
const maxShift = 1 << 12

func (c *compiler) spanOfOp(e *bmjson.Expr) span {
	switch e.Op {
	case bmjson.OpB2D:
		return span{1, false}
	case bmjson.OpLastIndex:
		return span{31, true}
	case bmjson.OpSizeStack:
		return span{31, false}
	case bmjson.OpAccessField:
		return spanOfField(c.fieldOf(e))
	case bmjson.OpNot:
		return span{c.span(e.Right).bits, true}
	case bmjson.OpTwoComp, bmjson.OpSatCast:
		return span{int(e.Right.Value.Int64()) - 1, true}
	case bmjson.OpUSatCast:
		return span{int(e.Right.Value.Int64()), false}
	}
	l, r := c.span(e.Left), c.span(e.Right)
	both := l.or(r)
	switch e.Op {
	case bmjson.OpAdd:
		return span{both.bits + 1, both.neg}
	case bmjson.OpSub:
		if !both.neg {
			return span{both.bits, true}
		}
		return span{both.bits + 1, true}
	case bmjson.OpMul:
		return span{l.bits + r.bits + 1, both.neg}
	case bmjson.OpDiv:
		return span{l.bits + 1, both.neg}
	case bmjson.OpMod:
		return span{r.bits, l.neg}
	case bmjson.OpShl:
		if e.Right.Kind == bmjson.ExprConst {
			return span{l.bits + constShift(e.Right.Value), l.neg}
		}
		return span{l.bits + min(maxShift, 1<<min(r.bits, 20)), l.neg}
	case bmjson.OpShr:
		if e.Right.Kind == bmjson.ExprConst {
			return span{max(l.bits-constShift(e.Right.Value), 0), l.neg}
		}
		return l
	case bmjson.OpAnd:
		switch {
		case !l.neg && !r.neg:
			return span{min(l.bits, r.bits), false}
		case !l.neg:
			return l
		case !r.neg:
			return r
		}
		return both
	default: // | ^ ?
		return both
	}
}

// constShift is a constant shift distance, bounded so that sums of it stay small.
func constShift(v *big.Int) int {
	if v.Sign() < 0 {
		return 0
	}
	if v.IsInt64() && v.Int64() < 64*maxWords {
		return int(v.Int64())
	}
	return 64 * maxWords
}

// lowWord is the value of a constant modulo 2^64.
func lowWord(v *big.Int) uint64 {
	w := constWords(v, 1)
	return w[0]
}

// constWords is a constant in two's complement.
func constWords(v *big.Int, n int) []uint64 {
	mod := new(big.Int).Lsh(big.NewInt(1), uint(64*n))
	m := new(big.Int).Mod(v, mod)
	out := make([]uint64, n)
	b := m.Bytes()
	wordsFromBytes(out, b)
	return out
}
