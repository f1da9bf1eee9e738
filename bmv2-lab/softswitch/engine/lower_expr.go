package engine

import "github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"

// operand is a value that flat code can use: a constant or a word of the state.
type operand struct {
	constant bool
	k        uint64
	word     int
}

func constant(k uint64) operand { return operand{constant: true, k: k} }
func inWord(w int) operand      { return operand{word: w} }

// anywhere, as a destination, lets a value be where it likes.
const anywhere = -1

func (l *lowerer) dst(d int) int {
	if d == anywhere {
		return l.slot()
	}
	return d
}

// reg puts an operand into a word.
func (l *lowerer) reg(o operand) int {
	if !o.constant {
		return o.word
	}
	w := l.slot()
	l.op3(opConst, w, 0, 0, o.k)
	return w
}

// value lowers e & mask, where e is taken modulo 2^64, as in narrow. If it takes an
// instruction, its result is in dst.
func (l *lowerer) value(e *bmjson.Expr, mask uint64, dst int) operand {
	if l.err != nil {
		return operand{}
	}
	switch e.Kind {
	case bmjson.ExprConst:
		return constant(lowWord(e.Value) & mask)
	case bmjson.ExprField:
		f, off := l.lay.field(e.Field)
		switch {
		case f.varbits || (f.signed && f.width < 64 && mask != ^uint64(0)):
		case f.signed && f.width < 64:
			d := l.dst(dst)
			l.op3(opSext, d, off, 64-f.width, 0)
			return inWord(d)
		default:
			return l.masked(inWord(off), min(f.width, 64), mask, dst)
		}
	case bmjson.ExprLocal:
		d, pl := l.dst(dst), l.params[e.Index]
		l.op3(opParam, d, pl.off, 0, mask)
		return inWord(d)
	case bmjson.ExprOp:
		if o, ok := l.operation(e, mask, dst); ok {
			return o
		}
	}
	return l.number(e, mask, dst)
}

// number calls the closure of an expression.
func (l *lowerer) number(e *bmjson.Expr, mask uint64, dst int) operand {
	d := l.dst(dst)
	l.op3(opWord, d, 0, len(l.out.words), 0)
	l.out.words = append(l.out.words, l.narrow(e))
	l.seen.expr(e)
	return l.masked(inWord(d), 64, mask, d)
}

// masked cuts a word of width bits; a mask that covers them takes no instruction.
func (l *lowerer) masked(o operand, width int, mask uint64, dst int) operand {
	if mask&topMask(max(width, 1)) == topMask(max(width, 1)) {
		return o
	}
	d := l.dst(dst)
	l.op3(opAndK, d, o.word, 0, mask)
	return inWord(d)
}

// lowMask says whether a mask is all ones from bit 0 on, and how many.
func lowMask(mask uint64) (n int, ok bool) {
	for n < 64 && mask>>n&1 != 0 {
		n++
	}
	return n, n > 0 && (n == 64 || mask>>n == 0)
}

// operation lowers an operator; ok is false if there is no instruction for it.
func (l *lowerer) operation(e *bmjson.Expr, mask uint64, dst int) (operand, bool) {
	switch e.Op {
	case bmjson.OpAnd, bmjson.OpOr, bmjson.OpXor:
		return l.bitwise(e, mask, dst), true
	case bmjson.OpAdd, bmjson.OpSub, bmjson.OpMul:
		return l.arithmetic(e, mask, dst), true
	case bmjson.OpNot:
		r := l.reg(l.value(e.Right, ^uint64(0), anywhere))
		d := l.dst(dst)
		l.op3(opNot, d, r, 0, mask)
		return inWord(d), true
	case bmjson.OpShl, bmjson.OpShr:
		return l.shiftBy(e, mask, dst)
	case bmjson.OpB2D:
		return l.truthValue(e.Right, mask, dst), true
	case bmjson.OpCond:
		return l.choice(e, mask), true
	}
	return operand{}, false
}

func (l *lowerer) bitwise(e *bmjson.Expr, mask uint64, dst int) operand {
	if e.Right.Kind == bmjson.ExprConst {
		k := lowWord(e.Right.Value)
		if e.Op == bmjson.OpAnd {
			return l.value(e.Left, mask&k, dst)
		}
		left := l.value(e.Left, mask, dst)
		if k &= mask; k == 0 {
			return left
		}
		if left.constant {
			if e.Op == bmjson.OpOr {
				return constant(left.k | k)
			}
			return constant(left.k ^ k)
		}
		d := l.dst(dst)
		l.op3(map[bmjson.Op]opcode{bmjson.OpOr: opOrK, bmjson.OpXor: opXorK}[e.Op], d, left.word, 0, k)
		return inWord(d)
	}
	if o, ok := l.concatenation(e, mask, dst); ok {
		return o
	}
	a := l.reg(l.value(e.Left, mask, anywhere))
	b := l.reg(l.value(e.Right, mask, anywhere))
	d := l.dst(dst)
	op := map[bmjson.Op]opcode{bmjson.OpAnd: opAnd, bmjson.OpOr: opOr, bmjson.OpXor: opXor}[e.Op]
	l.op3(op, d, a, b, ^uint64(0))
	return inWord(d)
}

// concatenation is what p4c makes of x ++ y: x << n | y, with masks.
func (l *lowerer) concatenation(e *bmjson.Expr, mask uint64, dst int) (operand, bool) {
	if e.Op != bmjson.OpOr {
		return operand{}, false
	}
	left, leftMask := unmask(e.Left, mask)
	if left.Kind != bmjson.ExprOp || left.Op != bmjson.OpShl || left.Right.Kind != bmjson.ExprConst {
		return operand{}, false
	}
	by := constShift(left.Right.Value)
	if by >= 64 {
		return operand{}, false
	}
	high := l.reg(l.value(left.Left, leftMask>>by, anywhere))
	low := l.reg(l.value(e.Right, mask, anywhere))
	d := l.dst(dst)
	l.op3(opShlOr, d, high, low, uint64(by))
	return inWord(d), true
}

// unmask takes constant masks off an expression.
func unmask(e *bmjson.Expr, mask uint64) (*bmjson.Expr, uint64) {
	for e.Kind == bmjson.ExprOp && e.Op == bmjson.OpAnd && e.Right.Kind == bmjson.ExprConst {
		mask &= lowWord(e.Right.Value)
		e = e.Left
	}
	return e, mask
}

func (l *lowerer) arithmetic(e *bmjson.Expr, mask uint64, dst int) operand {
	left := l.value(e.Left, ^uint64(0), anywhere)
	right := l.value(e.Right, ^uint64(0), anywhere)
	if left.constant && right.constant {
		v := map[bmjson.Op]uint64{bmjson.OpAdd: left.k + right.k, bmjson.OpSub: left.k - right.k,
			bmjson.OpMul: left.k * right.k}[e.Op]
		return constant(v & mask)
	}
	if n, low := lowMask(mask); low && right.constant && e.Op != bmjson.OpMul {
		k := right.k
		if e.Op == bmjson.OpSub {
			k = -k
		}
		d := l.dst(dst)
		l.op3(opAddK, d, left.word, 64-n, k)
		return inWord(d)
	}
	a, b := l.reg(left), l.reg(right)
	d := l.dst(dst)
	l.op3(map[bmjson.Op]opcode{bmjson.OpAdd: opAdd, bmjson.OpSub: opSub, bmjson.OpMul: opMul}[e.Op], d, a, b, mask)
	return inWord(d)
}

// shiftBy lowers shifts by constants.
func (l *lowerer) shiftBy(e *bmjson.Expr, mask uint64, dst int) (operand, bool) {
	if e.Right.Kind != bmjson.ExprConst {
		return operand{}, false
	}
	by := constShift(e.Right.Value)
	op := opShlK
	if e.Op == bmjson.OpShr {
		if s := l.span(e.Left); !s.narrow() && l.wordwise(e.Left) {
			return l.shiftedRight(e.Left, 0, by, mask, dst), true
		} else if s.neg || !s.narrow() {
			return operand{}, false
		}
		op = opShrK
	}
	if by >= 64 {
		return constant(0), true
	}
	within := ^uint64(0)
	if op == opShlK {
		within = mask >> by
	}
	left := l.value(e.Left, within, anywhere)
	switch {
	case left.constant && op == opShlK:
		return constant(left.k << by & mask), true
	case left.constant:
		return constant(left.k >> by & mask), true
	}
	d := l.dst(dst)
	l.op3(op, d, left.word, by, mask)
	return inWord(d), true
}

// truthValue is 1 or 0.
func (l *lowerer) truthValue(cond *bmjson.Expr, mask uint64, dst int) operand {
	if dst != anywhere && l.reads(cond, dst, 1) {
		dst = anywhere
	}
	d, yes, no := l.dst(dst), l.newLabel(), l.newLabel()
	l.op3(opConst, d, 0, 0, 0)
	l.branch(cond, yes, no, yes)
	l.meet(yes)
	l.op3(opConst, d, 0, 0, 1&mask)
	l.place(no)
	return inWord(d)
}

// reads says whether an expression may read one of n words.
func (l *lowerer) reads(e *bmjson.Expr, word, n int) bool {
	if e == nil {
		return false
	}
	switch e.Kind {
	case bmjson.ExprField:
		f, off := l.lay.field(e.Field)
		return off < word+n && word < off+f.words
	case bmjson.ExprConst, bmjson.ExprBool, bmjson.ExprLocal:
		return false
	case bmjson.ExprOp, bmjson.ExprRegister:
		return e.Op == bmjson.OpAccessField || l.reads(e.Cond, word, n) || l.reads(e.Left, word, n) || l.reads(e.Right, word, n)
	case bmjson.ExprHeader:
		return l.lay.headers[e.Index].metadata || l.within(e.Index, word, n)
	}
	return true
}

// within says whether one of n words is of a header.
func (l *lowerer) within(header, word, n int) bool {
	h := &l.lay.headers[header]
	return h.base < word+n && word < h.base+h.typ.words
}

func (l *lowerer) choice(e *bmjson.Expr, mask uint64) operand {
	d, yes, no, end := l.slot(), l.newLabel(), l.newLabel(), l.newLabel()
	l.branch(e.Cond, yes, no, yes)
	l.place(yes)
	l.move(d, l.value(e.Left, mask, d))
	l.jump(end)
	l.place(no)
	l.move(d, l.value(e.Right, mask, d))
	l.place(end)
	return inWord(d)
}

// move puts an operand into a word, if it is not there.
func (l *lowerer) move(dst int, o operand) {
	switch {
	case o.constant:
		l.op3(opConst, dst, 0, 0, o.k)
	case o.word != dst:
		l.op3(opMove, dst, o.word, 0, 0)
	}
}
