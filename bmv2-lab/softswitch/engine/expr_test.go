package engine

import (
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"
)

// The expression compiler is compared with arbitrary-precision arithmetic on random trees.

var exprWidths = []struct {
	width  int
	signed bool
}{
	{1, false}, {7, false}, {8, false}, {16, false}, {32, false}, {48, false}, {63, false}, {64, false},
	{65, false}, {128, false}, {200, false}, {8, true}, {32, true}, {64, true}, {65, true}, {130, true},
}

// exprProgram has one header of metadata with a field of each width, and room for results.
func exprProgram() *bmjson.Program {
	t := bmjson.HeaderType{Name: "m"}
	for range 2 {
		for _, w := range exprWidths {
			t.Fields = append(t.Fields, bmjson.Field{Name: "f", Width: w.width, Signed: w.signed})
		}
	}
	return &bmjson.Program{
		HeaderTypes: []bmjson.HeaderType{t},
		Headers:     []bmjson.Header{{Name: "m", Metadata: true, Stack: -1, Union: -1}},
	}
}

type exprGen struct {
	r      *rand.Rand
	values []*big.Int
}

func (g *exprGen) leaf() (*bmjson.Expr, *big.Int) {
	if g.r.IntN(3) == 0 {
		v := randomBits(g.r, 1+g.r.IntN(140))
		if g.r.IntN(4) == 0 {
			v.Neg(v)
		}
		return &bmjson.Expr{Kind: bmjson.ExprConst, Type: bmjson.TypeData, Value: v}, v
	}
	i := g.r.IntN(len(exprWidths))
	return &bmjson.Expr{Kind: bmjson.ExprField, Type: bmjson.TypeData, Field: bmjson.FieldRef{Field: i}}, g.values[i]
}

func randomBits(r *rand.Rand, n int) *big.Int {
	v := new(big.Int)
	for i := 0; i < n; i += 32 {
		v.Lsh(v, 32)
		v.Or(v, new(big.Int).SetUint64(uint64(r.Uint32())))
	}
	return v.And(v, new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), uint(n)), big.NewInt(1)))
}

func constExpr(v int64) *bmjson.Expr {
	return &bmjson.Expr{Kind: bmjson.ExprConst, Type: bmjson.TypeData, Value: big.NewInt(v)}
}

func (g *exprGen) data(depth int) (*bmjson.Expr, *big.Int) {
	if depth == 0 {
		return g.leaf()
	}
	e := &bmjson.Expr{Kind: bmjson.ExprOp, Type: bmjson.TypeData}
	l, lv := g.data(depth - 1)
	r, rv := g.data(g.r.IntN(depth))
	e.Left, e.Right = l, r
	v := new(big.Int)
	switch g.r.IntN(15) {
	case 0, 1:
		e.Op = bmjson.OpAdd
		v.Add(lv, rv)
	case 2:
		e.Op = bmjson.OpSub
		v.Sub(lv, rv)
	case 3:
		e.Op = bmjson.OpMul
		v.Mul(lv, rv)
	case 4:
		e.Op = bmjson.OpAnd
		v.And(lv, rv)
	case 5:
		e.Op = bmjson.OpOr
		v.Or(lv, rv)
	case 6:
		e.Op = bmjson.OpXor
		v.Xor(lv, rv)
	case 7:
		e.Op, e.Left = bmjson.OpNot, nil
		v.Not(rv)
	case 8:
		by := int64(g.r.IntN(150))
		e.Op, e.Right = bmjson.OpShl, constExpr(by)
		v.Lsh(lv, uint(by))
	case 9:
		by := int64(g.r.IntN(150))
		e.Op, e.Right = bmjson.OpShr, constExpr(by)
		v.Rsh(lv, uint(by))
	case 10:
		return g.division(e, lv, rv)
	case 11:
		return g.cast(e, lv)
	case 12:
		cond, yes := g.boolean(depth - 1)
		e.Op, e.Cond = bmjson.OpCond, cond
		if v.Set(rv); yes {
			v.Set(lv)
		}
	case 13:
		cond, yes := g.boolean(depth - 1)
		e.Op, e.Left, e.Right = bmjson.OpB2D, nil, cond
		if yes {
			v.SetInt64(1)
		}
	default: // a shift by a field of 7 bits
		e.Op = bmjson.OpShl
		if g.r.IntN(2) == 0 {
			e.Op = bmjson.OpShr
		}
		e.Right = &bmjson.Expr{Kind: bmjson.ExprField, Type: bmjson.TypeData, Field: bmjson.FieldRef{Field: 1}}
		if by := uint(g.values[1].Int64()); e.Op == bmjson.OpShl {
			v.Lsh(lv, by)
		} else {
			v.Rsh(lv, by)
		}
	}
	return e, v
}

func (g *exprGen) division(e *bmjson.Expr, lv, rv *big.Int) (*bmjson.Expr, *big.Int) {
	v := new(big.Int)
	if e.Op = bmjson.OpDiv; rv.Sign() == 0 {
		return e, v
	}
	if g.r.IntN(2) == 0 {
		e.Op = bmjson.OpMod
		return e, v.Rem(lv, rv)
	}
	return e, v.Quo(lv, rv)
}

func (g *exprGen) cast(e *bmjson.Expr, lv *big.Int) (*bmjson.Expr, *big.Int) {
	width := 2 + g.r.IntN(140)
	e.Right = constExpr(int64(width))
	one := big.NewInt(1)
	low, high := new(big.Int), new(big.Int)
	switch g.r.IntN(3) {
	case 0:
		e.Op = bmjson.OpTwoComp
		return e, fit(lv, width, true)
	case 1:
		e.Op = bmjson.OpSatCast
		high.Lsh(one, uint(width-1))
		low.Neg(high)
	default:
		e.Op = bmjson.OpUSatCast
		high.Lsh(one, uint(width))
	}
	high.Sub(high, one)
	switch {
	case lv.Cmp(low) < 0:
		return e, low
	case lv.Cmp(high) > 0:
		return e, high
	}
	return e, lv
}

func (g *exprGen) boolean(depth int) (*bmjson.Expr, bool) {
	e := &bmjson.Expr{Kind: bmjson.ExprOp, Type: bmjson.TypeBool}
	l, lv := g.data(max(depth-1, 0))
	r, rv := g.data(max(depth-1, 0))
	if g.r.IntN(4) == 0 {
		r, rv = l, lv
	}
	e.Left, e.Right = l, r
	cmp := lv.Cmp(rv)
	switch g.r.IntN(9) {
	case 0:
		e.Op = bmjson.OpEq
		return e, cmp == 0
	case 1:
		e.Op = bmjson.OpNe
		return e, cmp != 0
	case 2:
		e.Op = bmjson.OpLt
		return e, cmp < 0
	case 3:
		e.Op = bmjson.OpLe
		return e, cmp <= 0
	case 4:
		e.Op = bmjson.OpGt
		return e, cmp > 0
	case 5:
		e.Op = bmjson.OpGe
		return e, cmp >= 0
	case 6:
		e.Op, e.Left = bmjson.OpD2B, nil
		return e, rv.Sign() != 0
	case 7:
		inner, yes := g.boolean(max(depth-1, 0))
		e.Op, e.Left, e.Right = bmjson.OpLogicNot, nil, inner
		return e, !yes
	}
	a, av := g.boolean(0)
	b, bv := g.boolean(0)
	e.Left, e.Right = a, b
	if e.Op = bmjson.OpLogicAnd; g.r.IntN(2) == 0 {
		e.Op = bmjson.OpLogicOr
		return e, av || bv
	}
	return e, av && bv
}

// fit cuts a value to a field's width.
func fit(v *big.Int, width int, signed bool) *big.Int {
	one := big.NewInt(1)
	mod := new(big.Int).Lsh(one, uint(width))
	out := new(big.Int).Mod(v, mod)
	if signed && out.Bit(width-1) == 1 {
		out.Sub(out, mod)
	}
	return out
}

func TestExpressionsAgreeWithBigIntegers(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	src := exprProgram()
	for n := range 4000 {
		c := &compiler{src: src, lay: newLayout(src)}
		c.prog = &Program{src: src, lay: c.lay}
		g := &exprGen{r: r}
		for _, w := range exprWidths {
			v := randomBits(r, w.width)
			if r.IntN(3) == 0 { // the edges
				v = new(big.Int).Lsh(big.NewInt(1), uint(w.width-r.IntN(2)))
				v.Sub(v, big.NewInt(int64(r.IntN(3))))
			}
			g.values = append(g.values, fit(v, w.width, w.signed))
		}
		e, want := g.data(1 + r.IntN(4))
		to := len(exprWidths) + r.IntN(len(exprWidths))
		f := c.assign(&bmjson.Expr{Kind: bmjson.ExprField, Type: bmjson.TypeData, Field: bmjson.FieldRef{Field: to}}, e)
		c.statement()
		b, yes := g.boolean(1 + r.IntN(3))
		cond := c.boolean(b)
		if c.err != nil {
			t.Fatal(c.err)
		}
		p := &packet{words: make([]uint64, c.lay.cleared+c.lay.scratch), prog: c.prog}
		for i, v := range g.values {
			fl, off := c.lay.field(bmjson.FieldRef{Field: i})
			copy(p.words[off:off+fl.words], constWords(fit(v, fl.width, false), fl.words))
		}
		f(p)
		fl, off := c.lay.field(bmjson.FieldRef{Field: to})
		got := wordsToInt(p.words[off : off+fl.words])
		if want := fit(want, fl.width, false); got.Cmp(want) != 0 {
			t.Fatalf("case %d: %d bits: got %x, want %x", n, fl.width, got, want)
		}
		if cond(p) != yes {
			t.Fatalf("case %d: condition %s: got %v, want %v", n, b.Op, !yes, yes)
		}
	}
}

func TestWideShiftIsBounded(t *testing.T) {
	src := exprProgram()
	c := &compiler{src: src, lay: newLayout(src)}
	c.prog = &Program{src: src, lay: c.lay}
	// (1 << 2^18) >> 1 needs a quarter of a million bits.
	shift := &bmjson.Expr{Kind: bmjson.ExprOp, Type: bmjson.TypeData, Op: bmjson.OpShl, Left: constExpr(1), Right: constExpr(1 << 19)}
	c.narrow(&bmjson.Expr{Kind: bmjson.ExprOp, Type: bmjson.TypeData, Op: bmjson.OpShr, Left: shift, Right: constExpr(1)})
	if c.err == nil {
		t.Error("an intermediate result of half a million bits was accepted")
	}
}
