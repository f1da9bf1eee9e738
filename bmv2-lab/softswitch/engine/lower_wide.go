package engine

import "github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"

// p4c compiles concatenations, slices and casts of wide values into bitwise operators and
// shifts over the full width. Each word of such a value depends on a few words only.

// wordwise says whether every word of a value can be lowered by itself.
func (l *lowerer) wordwise(e *bmjson.Expr) bool {
	if s := l.span(e); s.narrow() {
		return !s.neg
	}
	switch e.Kind {
	case bmjson.ExprConst:
		return e.Value.Sign() >= 0
	case bmjson.ExprField:
		f, _ := l.lay.field(e.Field)
		return !f.signed && !f.varbits
	case bmjson.ExprLocal:
		return true
	case bmjson.ExprOp:
		switch e.Op {
		case bmjson.OpAnd, bmjson.OpOr, bmjson.OpXor:
			return l.wordwise(e.Left) && l.wordwise(e.Right)
		case bmjson.OpShl, bmjson.OpShr:
			return e.Right.Kind == bmjson.ExprConst && e.Right.Value.Sign() >= 0 && l.wordwise(e.Left)
		}
	}
	return false
}

// wordAt lowers word i of a wordwise value, & mask.
func (l *lowerer) wordAt(e *bmjson.Expr, i int, mask uint64, dst int) operand {
	if i < 0 || mask == 0 {
		return constant(0)
	}
	if l.span(e).narrow() {
		if i > 0 {
			return constant(0)
		}
		return l.value(e, mask, dst)
	}
	switch e.Kind {
	case bmjson.ExprConst:
		return constant(constWords(e.Value, i+1)[i] & mask)
	case bmjson.ExprField:
		f, off := l.lay.field(e.Field)
		if i >= f.words {
			return constant(0)
		}
		return l.masked(inWord(off+i), min(64, f.width-64*i), mask, dst)
	case bmjson.ExprLocal:
		pl := l.params[e.Index]
		if i >= pl.words {
			return constant(0)
		}
		d := l.dst(dst)
		l.op3(opParam, d, pl.off+i, 0, mask)
		return inWord(d)
	}
	switch e.Op {
	case bmjson.OpShl:
		by := constShift(e.Right.Value)
		return l.straddle(e.Left, i-by/64, i-by/64-1, by%64, mask, dst)
	case bmjson.OpShr:
		return l.shiftedRight(e.Left, i, constShift(e.Right.Value), mask, dst)
	}
	return l.combine(e.Op, l.wordAt(e.Left, i, mask, anywhere), l.wordAt(e.Right, i, mask, anywhere), dst)
}

// shiftedRight is word i of e >> by, & mask.
func (l *lowerer) shiftedRight(e *bmjson.Expr, i, by int, mask uint64, dst int) operand {
	if by%64 == 0 {
		return l.wordAt(e, i+by/64, mask, dst)
	}
	return l.straddle(e, i+by/64+1, i+by/64, 64-by%64, mask, dst)
}

// straddle is word high << by | word low >> (64 - by), & mask.
func (l *lowerer) straddle(e *bmjson.Expr, high, low, by int, mask uint64, dst int) operand {
	a := l.wordAt(e, high, mask>>by, anywhere)
	switch {
	case by == 0:
		return a
	case a.constant:
		a = constant(a.k << by)
	default:
		d := l.slot()
		l.op3(opShlK, d, a.word, by, mask)
		a = inWord(d)
	}
	b := l.wordAt(e, low, mask<<(64-by), anywhere)
	if b.constant {
		b = constant(b.k >> (64 - by))
	} else {
		d := l.slot()
		l.op3(opShrK, d, b.word, 64-by, mask)
		b = inWord(d)
	}
	return l.combine(bmjson.OpOr, a, b, dst)
}

// combine is a bitwise operation on two operands.
func (l *lowerer) combine(op bmjson.Op, a, b operand, dst int) operand {
	if a.constant {
		a, b = b, a
	}
	all := ^uint64(0)
	switch {
	case a.constant:
		switch op {
		case bmjson.OpAnd:
			return constant(a.k & b.k)
		case bmjson.OpOr:
			return constant(a.k | b.k)
		}
		return constant(a.k ^ b.k)
	case b.constant && op == bmjson.OpAnd && b.k == 0:
		return constant(0)
	case b.constant && ((op == bmjson.OpAnd && b.k == all) || (op != bmjson.OpAnd && b.k == 0)):
		return a
	}
	d := l.dst(dst)
	if b.constant {
		ops := map[bmjson.Op]opcode{bmjson.OpAnd: opAndK, bmjson.OpOr: opOrK, bmjson.OpXor: opXorK}
		l.op3(ops[op], d, a.word, 0, b.k)
		return inWord(d)
	}
	ops := map[bmjson.Op]opcode{bmjson.OpAnd: opAnd, bmjson.OpOr: opOr, bmjson.OpXor: opXor}
	l.op3(ops[op], d, a.word, b.word, all)
	return inWord(d)
}

// wideMove assigns words, none of which may be read after it was written.
func (l *lowerer) wideMove(off int, words []operand) {
	for i := range words {
		for j := range i {
			if !words[i].constant && words[i].word == off+j {
				t := l.slot()
				l.op3(opMove, t, words[i].word, 0, 0)
				words[i] = inWord(t)
			}
		}
	}
	for i := 0; i < len(words); i++ {
		o := words[i]
		two := i+1 < len(words)
		switch {
		case two && !o.constant && words[i+1] == inWord(o.word+1):
			l.op3(opMove2, off+i, o.word, 0, 0)
			i++
		case two && o.constant && words[i+1] == constant(0):
			l.op3(opConst2, off+i, 0, 0, o.k)
			i++
		default:
			l.move(off+i, o)
		}
	}
}
