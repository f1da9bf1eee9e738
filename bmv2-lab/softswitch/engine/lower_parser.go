package engine

import "github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"

// parserCode lowers the parser and returns its label.
func (l *lowerer) parserCode() int {
	states := l.src.Parser.States
	for range states {
		l.out.states = append(l.out.states, int(l.newLabel()))
	}
	accept, endless := l.here(), l.newLabel()
	l.emit(inst{op: opAccept})
	l.place(endless)
	code := l.slot()
	l.op3(opConst, code, 0, 0, uint64(l.prog.errs.timeout))
	l.op3(opReject, code, 0, 0, 0)
	l.statement()
	at := func(state int) label {
		if state < 0 {
			return accept
		}
		return label(l.out.states[state])
	}
	cyclic, placed := hasCycle(states), make([]bool, len(states))
	// A state without a select, and the default of one, follow right behind if they can.
	for first := range states {
		for i := first; i >= 0 && !placed[i]; i = states[i].Default {
			l.place(at(i))
			placed[i] = true
			if cyclic {
				l.jumpK(opLoop, 0, maxStates, endless)
			}
			for j := range states[i].Ops {
				l.parserStep(&states[i].Ops[j])
				l.statement()
			}
			l.transition(&states[i], at)
			if next := states[i].Default; next < 0 || placed[next] {
				l.jump(at(next))
			}
			l.statement()
		}
	}
	return int(at(l.src.Parser.Init))
}

// hasCycle says whether the states may go round.
func hasCycle(states []bmjson.State) bool {
	const busy, done = 1, 2
	seen := make([]int, len(states))
	var visit func(i int) bool
	visit = func(i int) bool {
		if i < 0 || seen[i] == done {
			return false
		}
		if seen[i] == busy {
			return true
		}
		seen[i] = busy
		for _, t := range states[i].Transitions {
			if visit(t.Next) {
				return true
			}
		}
		round := visit(states[i].Default)
		seen[i] = done
		return round
	}
	for i := range states {
		if visit(i) {
			return true
		}
	}
	return false
}

func (l *lowerer) parserStep(o *bmjson.ParserOp) {
	switch {
	case o.Kind == bmjson.ParserExtract && o.Length == nil && l.lay.headers[o.Target].union < 0:
		l.header(&l.lay.headers[o.Target])
		return
	case o.Kind == bmjson.ParserSet && o.Look == nil:
		dst := &bmjson.Expr{Kind: bmjson.ExprField, Type: bmjson.TypeData, Field: o.Dest, At: o.At}
		if l.assignment(dst, o.Value) {
			return
		}
	case o.Kind == bmjson.ParserSet:
		if f, off := l.lay.field(o.Dest); f.words == 1 && o.Look.Width <= 64 && !f.varbits {
			l.peekAt(o.Look, off)
			l.move(off, l.masked(inWord(off), o.Look.Width, f.mask(), off))
			return
		}
	case o.Kind == bmjson.ParserVerify && l.span(o.Value).narrow():
		good, bad := l.newLabel(), l.newLabel()
		l.branch(o.Cond, good, bad, bad)
		l.place(bad)
		l.op3(opReject, l.reg(l.value(o.Value, ^uint64(0), anywhere)), 0, 0, 0)
		l.place(good)
		return
	}
	l.op3(opParse, 0, 0, len(l.out.parses), 0)
	l.out.parses = append(l.out.parses, l.parserOp(o))
	l.seen.parserOp(o)
}

// header lowers the extraction of a header of fixed length. Every load is of 8 bytes, inside
// of the header if it is that long.
func (l *lowerer) header(h *headerLayout) {
	l.op3(opHeader, h.base, 0, 0, uint64(h.typ.bytes)|uint64(h.rank)<<32)
	b := &l.prog.blocks[h.index].prefix
	short := func(word, bit, n int) { l.op3(opLoadShort, h.base+word, bit, n, 0) }
	for _, u := range b.odd {
		short(u.word, u.bit, u.n)
	}
	for _, ld := range b.loads {
		bit, n := 8*ld.off+64-int(ld.shift), 0
		for n < 64 && ld.mask>>n&1 != 0 {
			n++
		}
		bit = 8*ld.off + 64 - int(ld.shift) - n
		if h.typ.bytes < 8 {
			short(ld.word, bit, n)
			continue
		}
		at := min(ld.off, h.typ.bytes-8)
		l.op3(opLoad, h.base+ld.word, at, 64-(bit-8*at)-n, ld.mask)
	}
}

// peekAt lowers a lookahead of at most 64 bits.
func (l *lowerer) peekAt(look *bmjson.Lookahead, dst int) {
	l.op3(opPeek, dst, look.Offset, look.Width, uint64(look.Offset+look.Width+7)/8)
}

// transition lowers the select of a state but for its default, which comes behind.
func (l *lowerer) transition(s *bmjson.State, at func(state int) label) {
	if len(s.Transitions) == 0 {
		return
	}
	key, width, ok := l.selectKey(s)
	if !ok {
		l.op3(opPick, 0, 0, len(l.out.picks), 0)
		l.out.picks = append(l.out.picks, l.selection(s))
		l.seen.key(s)
		return
	}
	masked := map[uint64]int{}
	for i := range s.Transitions {
		k := newSelectCase(&s.Transitions[i], 1)
		word, ok := key, true
		if k.mask[0]&topMask(width) != topMask(width) {
			if word, ok = masked[k.mask[0]]; !ok {
				word = l.slot()
				masked[k.mask[0]] = word
				l.op3(opAndK, word, key, 0, k.mask[0])
			}
		}
		l.jumpK(opJumpEqK, word, k.value[0], at(k.next))
	}
}

// selectKey packs a transition key, each part padded to whole bytes, into one word.
func (l *lowerer) selectKey(s *bmjson.State) (word, width int, ok bool) {
	for _, k := range s.Key {
		width += (k.Width + 7) / 8 * 8
		if k.Look == nil && k.Value.Kind != bmjson.ExprField {
			return 0, 0, false
		}
	}
	for i := range s.Transitions {
		if s.Transitions[i].ValueSet >= 0 {
			return 0, 0, false
		}
	}
	if width > 64 || width == 0 {
		return 0, 0, false
	}
	for i, k := range s.Key {
		part := l.slot()
		if k.Look != nil {
			l.peekAt(k.Look, part)
		} else {
			_, part = l.lay.field(k.Value.Field)
		}
		if i == 0 {
			word = part
			continue
		}
		packed := l.slot()
		l.op3(opShlOr, packed, word, part, uint64((k.Width+7)/8*8))
		word = packed
	}
	return word, width, true
}
