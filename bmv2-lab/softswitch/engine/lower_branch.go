package engine

import "github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"

// branch lowers a jump to yes if cond holds and to no otherwise; next is the one of them
// that is placed right behind.
func (l *lowerer) branch(cond *bmjson.Expr, yes, no, next label) {
	if l.err != nil {
		return
	}
	if cond.Kind == bmjson.ExprBool {
		to := no
		if cond.Yes {
			to = yes
		}
		l.jumpUnless(to, next)
		return
	}
	switch cond.Op {
	case bmjson.OpLogicAnd:
		also := l.newLabel()
		l.branch(cond.Left, also, no, also)
		l.meet(also)
		l.branch(cond.Right, yes, no, next)
	case bmjson.OpLogicOr:
		also := l.newLabel()
		l.branch(cond.Left, yes, also, also)
		l.meet(also)
		l.branch(cond.Right, yes, no, next)
	case bmjson.OpLogicNot:
		l.branch(cond.Right, no, yes, next)
	case bmjson.OpD2B:
		l.branchTruth(cond, yes, no, next)
	case bmjson.OpValid:
		l.branchValid(cond, yes, no, next)
	case bmjson.OpEq:
		l.branchEqual(cond, yes, no, next)
	case bmjson.OpNe:
		l.branchEqual(cond, no, yes, next)
	case bmjson.OpLt, bmjson.OpLe, bmjson.OpGt, bmjson.OpGe:
		l.branchOrder(cond, yes, no, next)
	default:
		l.branchCall(cond, yes, no, next)
	}
}

// jumpUnless jumps, unless the target comes next anyway.
func (l *lowerer) jumpUnless(to, next label) {
	if to != next {
		l.jump(to)
	}
}

// branchCall lets a closure decide.
func (l *lowerer) branchCall(cond *bmjson.Expr, yes, no, next label) {
	l.emit(inst{op: opJumpNot, c: uint16(len(l.out.conds)), k: uint64(no)})
	l.out.conds = append(l.out.conds, l.boolean(cond))
	l.seen.expr(cond)
	l.jumpUnless(yes, next)
}

// either emits jumps on a word and a constant: op jumps to yes, its opposite to no.
func (l *lowerer) either(op, opposite opcode, a int, k uint64, yes, no, next label) {
	if next == yes {
		l.jumpK(opposite, a, k, no)
		return
	}
	l.jumpK(op, a, k, yes)
	l.jumpUnless(no, next)
}

func (l *lowerer) branchTruth(cond *bmjson.Expr, yes, no, next label) {
	e := cond.Right
	if !l.span(e).narrow() {
		l.branchCall(cond, yes, no, next)
		return
	}
	l.branchConst(e, 0, no, yes, next)
}

func (l *lowerer) branchValid(cond *bmjson.Expr, yes, no, next label) {
	e := cond.Right
	if e.Kind != bmjson.ExprHeader {
		l.branchCall(cond, yes, no, next)
		return
	}
	h := &l.lay.headers[e.Index]
	if h.metadata {
		l.jumpUnless(yes, next)
		return
	}
	l.either(opJumpNeK, opJumpEqK, h.base, 0, yes, no, next)
}

// branchConst compares a value with a constant.
func (l *lowerer) branchConst(e *bmjson.Expr, k uint64, yes, no, next label) {
	if inner, mask := unmask(e, ^uint64(0)); k == 0 && inner != e && !coversSpan(mask, l.span(inner)) {
		a := l.value(inner, ^uint64(0), anywhere)
		if !a.constant {
			l.either(opJumpNone, opJumpAny, a.word, mask, yes, no, next)
			return
		}
	}
	a := l.value(e, ^uint64(0), anywhere)
	switch {
	case !a.constant:
		l.either(opJumpEqK, opJumpNeK, a.word, k, yes, no, next)
	case a.k == k:
		l.jumpUnless(yes, next)
	default:
		l.jumpUnless(no, next)
	}
}

func (l *lowerer) branchEqual(cond *bmjson.Expr, yes, no, next label) {
	left, right := cond.Left, cond.Right
	if left.Type != bmjson.TypeData || l.varSlot(left) >= 0 || l.varSlot(right) >= 0 {
		l.equalCall(cond, yes, no, next)
		return
	}
	if l.comparable64(cond) {
		if right.Kind == bmjson.ExprConst {
			l.branchConst(left, lowWord(right.Value), yes, no, next)
			return
		}
		a := l.reg(l.value(left, ^uint64(0), anywhere))
		b := l.reg(l.value(right, ^uint64(0), anywhere))
		l.op3(opJumpNe, a, b, 0, uint64(no))
		l.jumpUnless(yes, next)
		return
	}
	if !l.wordwise(left) || !l.wordwise(right) {
		l.equalCall(cond, yes, no, next)
		return
	}
	n := max(wordsOf(l.span(left).bits), wordsOf(l.span(right).bits))
	for i := 0; i < n; i++ {
		a := l.reg(l.wordAt(left, i, ^uint64(0), anywhere))
		b := l.reg(l.wordAt(right, i, ^uint64(0), anywhere))
		l.op3(opJumpNe, a, b, 0, uint64(no))
	}
	l.jumpUnless(yes, next)
}

// equalCall is branchCall for an equality, whichever of == and != cond is.
func (l *lowerer) equalCall(cond *bmjson.Expr, yes, no, next label) {
	equality := *cond
	equality.Op = bmjson.OpEq
	l.branchCall(&equality, yes, no, next)
}

func (l *lowerer) branchOrder(cond *bmjson.Expr, yes, no, next label) {
	if l.span(cond.Left).neg || l.span(cond.Right).neg || !l.comparable64(cond) {
		l.branchCall(cond, yes, no, next)
		return
	}
	a := l.value(cond.Left, ^uint64(0), anywhere)
	b := l.value(cond.Right, ^uint64(0), anywhere)
	op := cond.Op
	if op == bmjson.OpGt || op == bmjson.OpGe {
		a, b = b, a
		op = map[bmjson.Op]bmjson.Op{bmjson.OpGt: bmjson.OpLt, bmjson.OpGe: bmjson.OpLe}[op]
	}
	// a < b or a <= b.
	switch {
	case op == bmjson.OpLt && !a.constant && b.constant:
		l.jumpK(opJumpLtK, a.word, b.k, yes)
	case op == bmjson.OpLt && a.constant && !b.constant:
		l.jumpK(opJumpGtK, b.word, a.k, yes)
	case op == bmjson.OpLt:
		l.op3(opJumpLt, l.reg(a), l.reg(b), 0, uint64(yes))
	case !a.constant && b.constant:
		l.jumpK(opJumpGtK, a.word, b.k, no)
		l.jumpUnless(yes, next)
		return
	case a.constant && !b.constant:
		l.jumpK(opJumpLtK, b.word, a.k, no)
		l.jumpUnless(yes, next)
		return
	default:
		l.op3(opJumpLe, l.reg(a), l.reg(b), 0, uint64(yes))
	}
	l.jumpUnless(no, next)
}
