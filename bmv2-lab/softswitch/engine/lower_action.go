package engine

import "github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"

// body lowers the steps of an action.
func (l *lowerer) body(a *action) {
	src := &l.src.Actions[a.index]
	l.params = a.params
	defer func() { l.params = nil }()
	if a.jumps != nil {
		l.call(func(p *packet) { a.exec(p, p.params) })
		l.emit(inst{op: opCheckExit})
		l.seen.action(a.index)
		return
	}
	for i := range src.Primitives {
		p := &src.Primitives[i]
		if !l.step(p) {
			l.call(l.primitive(p))
			l.seen.primitive(p)
		}
		l.statement()
	}
	if a.exits {
		l.emit(inst{op: opCheckExit})
	}
}

// step lowers one primitive; it is false if there is no instruction for it.
func (l *lowerer) step(p *bmjson.Primitive) bool {
	if l.err != nil {
		return true
	}
	arg := func(i int) *bmjson.Expr { return p.Args[i].Expr }
	switch p.Op {
	case "assign":
		return l.assignment(arg(0), arg(1))
	case "count":
		l.op3(opCount, l.reg(l.value(arg(1), ^uint64(0), anywhere)), 0, p.Args[0].Index, 0)
		return true
	case "register_read":
		return l.readRegister(arg(0), p.Args[1].Index, arg(2))
	case "register_write":
		return l.writeRegister(p.Args[0].Index, arg(1), arg(2))
	case "remove_header":
		return l.invalidate(arg(0))
	case "modify_field_with_hash_based_offset":
		return l.hashing(arg(0), arg(1), p.Args[2].Index, arg(3))
	}
	return false
}

// field is the layout and the place of an unsigned field at a fixed place.
func (l *lowerer) fixedField(e *bmjson.Expr) (*fieldLayout, int, bool) {
	if e.Kind != bmjson.ExprField {
		return nil, 0, false
	}
	f, off := l.lay.field(e.Field)
	return f, off, !f.varbits
}

func (l *lowerer) assignment(dst, src *bmjson.Expr) bool {
	f, off, ok := l.fixedField(dst)
	if !ok {
		return false
	}
	if f.words == 1 {
		l.move(off, l.value(src, f.mask(), off))
		return true
	}
	if !l.wordwise(src) {
		return false
	}
	words := make([]operand, f.words)
	apart := !l.reads(src, off, f.words)
	for i := range words {
		to := anywhere
		if apart {
			to = off + i
		}
		words[i] = l.wordAt(src, i, topMask(min(64, f.width-64*i)), to)
	}
	l.wideMove(off, words)
	return true
}

func (l *lowerer) readRegister(dst *bmjson.Expr, reg int, index *bmjson.Expr) bool {
	f, off, ok := l.fixedField(dst)
	width := l.src.Registers[reg].Width
	if !ok || f.width < width || f.words != wordsOf(width) || f.words > 2 {
		return false
	}
	at := l.reg(l.value(index, ^uint64(0), anywhere))
	l.op3([]opcode{1: opRegRead, 2: opRegRead2}[f.words], off, at, reg, 0)
	return true
}

func (l *lowerer) writeRegister(reg int, index, src *bmjson.Expr) bool {
	width := l.src.Registers[reg].Width
	at := l.value(index, ^uint64(0), anywhere)
	switch {
	case width <= 64:
		v := l.value(src, topMask(width), anywhere)
		if v.constant {
			l.op3(opRegWriteK, 0, l.reg(at), reg, v.k)
		} else {
			l.op3(opRegWrite, v.word, l.reg(at), reg, ^uint64(0))
		}
		return true
	case width <= 128 && src.Kind == bmjson.ExprField:
		if f, off := l.lay.field(src.Field); f.width == width && !f.varbits && !f.signed {
			l.op3(opRegWrite2, off, l.reg(at), reg, 0)
			return true
		}
	}
	return false
}

func (l *lowerer) invalidate(e *bmjson.Expr) bool {
	if e.Kind != bmjson.ExprHeader {
		return false
	}
	h := &l.lay.headers[e.Index]
	if h.varSlot >= 0 || h.metadata {
		return false
	}
	l.op3(opRemove, h.base, 0, 0, uint64(h.typ.bytes))
	return true
}

// calculate lowers dst = a calculation.
func (l *lowerer) calculate(dst, calculation int) {
	l.op3(opCalc, dst, 0, len(l.out.calcs), 0)
	l.out.calcs = append(l.out.calcs, nil) // tidy makes it
	l.calcIndex = append(l.calcIndex, calculation)
}

// hashing lowers dst = base + calculation % max(size, 1).
func (l *lowerer) hashing(dst, base *bmjson.Expr, calc int, size *bmjson.Expr) bool {
	f, off, ok := l.fixedField(dst)
	if !ok || f.words != 1 || !l.span(base).narrow() || !l.span(size).narrow() {
		return false
	}
	h := l.slot()
	from, n := l.value(base, ^uint64(0), anywhere), l.value(size, ^uint64(0), anywhere)
	l.calculate(h, calc)
	switch {
	case n.constant && n.k&(n.k-1) == 0:
		l.op3(opAndK, h, h, 0, max(n.k, 1)-1)
	default:
		l.op3(opMod, h, h, l.reg(n), 0)
	}
	if from == constant(0) {
		l.move(off, l.masked(inWord(h), 64, f.mask(), off))
		return true
	}
	l.op3(opAdd, off, h, l.reg(from), f.mask())
	return true
}
