package engine

import "slices"

// p4c copies a lot: into the fields of structs, and in and out of what was a control's or an
// action's parameter. tidy makes instructions read what a copy was made of, as far as control
// flows straight on, and then takes out those that write what nothing reads.
func (l *lowerer) tidy() {
	l.forward()
	for l.sweep() {
	}
}

// role says which words an instruction reads and writes. A pure instruction does nothing but
// write; where copies end, words may change that it does not name.
type role struct {
	a, b, c uint8 // words that it reads from there on
	writes  uint8 // words from a on
	pure    bool
	ends    bool
}

// roles is by opcode. opJumpDiffer and opCalc are apart: their number of words varies.
var roles = [...]role{
	opMove: {b: 1, writes: 1, pure: true}, opMove2: {b: 2, writes: 2, pure: true},
	opConst: {writes: 1, pure: true}, opConst2: {writes: 2, pure: true}, opParam: {writes: 1, pure: true},
	opSext: {b: 1, writes: 1, pure: true}, opAndK: {b: 1, writes: 1, pure: true}, opOrK: {b: 1, writes: 1, pure: true},
	opXorK: {b: 1, writes: 1, pure: true}, opAddK: {b: 1, writes: 1, pure: true}, opShlK: {b: 1, writes: 1, pure: true},
	opShrK: {b: 1, writes: 1, pure: true}, opNot: {b: 1, writes: 1, pure: true},
	opAnd: {b: 1, c: 1, writes: 1, pure: true}, opOr: {b: 1, c: 1, writes: 1, pure: true},
	opXor: {b: 1, c: 1, writes: 1, pure: true}, opAdd: {b: 1, c: 1, writes: 1, pure: true},
	opSub: {b: 1, c: 1, writes: 1, pure: true}, opMul: {b: 1, c: 1, writes: 1, pure: true},
	opShlOr: {b: 1, c: 1, writes: 1, pure: true}, opMod: {b: 1, c: 1, writes: 1, pure: true},

	opJump: {ends: true}, opJumpEq: {a: 1, b: 1}, opJumpNe: {a: 1, b: 1}, opJumpLt: {a: 1, b: 1}, opJumpLe: {a: 1, b: 1},
	opJumpEqK: {a: 1}, opJumpNeK: {a: 1}, opJumpLtK: {a: 1}, opJumpGtK: {a: 1}, opJumpAny: {a: 1}, opJumpNone: {a: 1},
	opJumpDiffer: {},

	// What a register holds is not known; a read outside of it leaves the word as it was.
	opRegRead: {a: 1, b: 1, writes: 1, pure: true}, opRegRead2: {a: 2, b: 1, writes: 2, pure: true},
	opRegReads: {}, opOrK2: {}, // made when nothing asks any more
	opRegWrite: {a: 1, b: 1}, opRegWriteK: {b: 1}, opRegWrite2: {a: 2, b: 1},
	opCount: {a: 1}, opCalc: {writes: 1, pure: true}, opRemove: {a: 1, writes: 1}, opTable: {ends: true}, opTableBy: {ends: true}, opLoop: {},

	opHeader: {writes: 2}, opLoad: {writes: 1, pure: true}, opLoadShort: {writes: 1, pure: true},
	opPeek: {writes: 1}, opPick: {ends: true}, opParse: {ends: true}, opReject: {a: 1, ends: true},
	opAccept: {ends: true},

	opCall: {ends: true}, opWord: {writes: 1, ends: true}, opJumpNot: {ends: true}, opNode: {ends: true},
	opCheckExit: {}, opWrong: {}, opEnd: {ends: true},
}

// entries are the places that control may come to other than from the instruction before.
func (l *lowerer) entries() map[int]bool {
	at := map[int]bool{}
	for to := range l.jumped {
		at[l.labels[to]] = true
	}
	for i := range l.out.tables {
		for _, list := range [][]int{l.out.tables[i].hit, l.out.tables[i].miss, l.out.tables[i].empty} {
			for _, to := range list {
				at[l.labels[to]] = true
			}
		}
	}
	for _, to := range l.outside() {
		at[l.labels[to]] = true
	}
	return at
}

// outside are the labels that control may come to other than by a jump or a table: by the
// number of a parser state or by a node only if there are instructions that do so.
func (l *lowerer) outside() []label {
	list := []label{label(l.out.parser), label(l.out.verify), label(l.out.update)}
	if len(l.out.picks) > 0 {
		for _, to := range l.out.states {
			list = append(list, label(to))
		}
	}
	for n, to := range l.nodes {
		if n == l.prog.ingress || n == l.prog.egress || len(l.out.nodes) > 0 {
			list = append(list, to)
		}
	}
	slices.Sort(list)
	return list
}

// forward replaces the words that instructions read.
func (l *lowerer) forward() {
	entries := l.entries()
	copies := map[int]int{}
	source := func(w int) int {
		if s, ok := copies[w]; ok {
			return s
		}
		return w
	}
	for i := range l.out.code {
		in := &l.out.code[i]
		r := roles[in.op]
		if entries[i] {
			clear(copies)
		}
		if r.a == 1 && r.writes == 0 {
			in.a = uint16(source(int(in.a)))
		}
		if r.b == 1 {
			in.b = uint16(source(int(in.b)))
		}
		if r.c == 1 {
			in.c = uint16(source(int(in.c)))
		}
		if in.op == opCalc {
			l.makeCalc(int(in.c), source)
		}
		for w := int(in.a); w < int(in.a)+int(r.writes); w++ {
			delete(copies, w)
			for to, from := range copies {
				if from == w {
					delete(copies, to)
				}
			}
		}
		switch {
		case r.ends:
			clear(copies)
		case in.op == opMove && in.a != in.b:
			copies[int(in.a)] = int(in.b)
		case in.op == opMove2 && in.a != in.b+1 && in.b != in.a+1 && in.a != in.b:
			copies[int(in.a)], copies[int(in.a)+1] = source(int(in.b)), source(int(in.b)+1)
		}
	}
}

// makeCalc compiles calculation i of the code with its input taken from where source says.
func (l *lowerer) makeCalc(i int, source func(int) int) {
	s := &l.src.Calculations[l.calcIndex[i]]
	k := l.newCalc(s.Input, s.Payload)
	for j := range k.inputs {
		for n := range k.inputs[j].units {
			u := &k.inputs[j].units[n]
			u.word = source(u.word)
			l.read(u.word)
		}
	}
	k.makePlan()
	l.out.calcs[i] = l.calcFn(k, s.Algo, s.At)
}

// read marks a word as read by a calculation.
func (l *lowerer) read(word int) {
	if l.inCalcs == nil {
		l.inCalcs = map[int]bool{}
	}
	l.inCalcs[word] = true
}

// sweep takes out instructions that only write metadata or scratch words that nothing reads.
// It says whether there were any.
func (l *lowerer) sweep() bool {
	dead := l.unread()
	kept, moved := l.out.code[:0], make([]int, len(l.out.code)+1)
	for i, in := range l.out.code {
		moved[i] = len(kept)
		r, gone := roles[in.op], roles[in.op].pure
		for w := int(in.a); w < int(in.a)+int(r.writes); w++ {
			gone = gone && dead[w]
		}
		if !gone {
			kept = append(kept, in)
		}
	}
	moved[len(l.out.code)] = len(kept)
	changed := len(kept) < len(l.out.code)
	l.out.code = kept
	for i, at := range l.labels {
		if at >= 0 {
			l.labels[i] = moved[at]
		}
	}
	return changed
}

// unread says of each word whether nothing reads it.
func (l *lowerer) unread() []bool {
	dead := l.unreadOutside()
	for _, in := range l.out.code {
		l.uses(in, func(w int) { dead[w] = false })
	}
	return dead
}

// unreadOutside says of each word whether no closure and no calculation reads it, nor the
// switch itself.
func (l *lowerer) unreadOutside() []bool {
	dead := l.unreadByClosures()
	for _, f := range l.prog.std.all() {
		dead[f.off] = false
	}
	return dead
}

// readStandardFields keeps the fields of the target that the program reads: the switch need not
// write the others.
func (l *lowerer) readStandardFields() {
	dead := l.unreadByClosures()
	for _, in := range l.out.code {
		l.uses(in, func(w int) { dead[w] = false })
	}
	l.out.std = l.prog.std
	for _, f := range l.out.std.written() {
		f.ok = f.ok && !dead[f.off]
	}
}

// unreadByClosures says of each word whether no closure and no calculation reads it.
func (l *lowerer) unreadByClosures() []bool {
	dead := make([]bool, l.lay.cleared+l.lay.scratch)
	for w := l.lay.cleared; w < len(dead); w++ {
		dead[w] = true
	}
	for i := range l.src.Headers {
		h := &l.lay.headers[i]
		if !h.metadata || l.seen.whole[i] {
			continue
		}
		for j, f := range h.typ.fields {
			for w := h.base + f.off; w < h.base+f.off+f.words; w++ {
				dead[w] = !l.seen.read[i][j]
			}
		}
	}
	for w := range l.inCalcs {
		dead[w] = false
	}
	return dead
}

// uses calls read for every word that an instruction reads. A register read only keeps its
// target as it was; that alone is no use of it.
func (l *lowerer) uses(in inst, read func(w int)) {
	r := roles[in.op]
	if in.op == opRegRead || in.op == opRegRead2 {
		r.a = 0
	}
	if in.op == opJumpDiffer {
		r.a, r.b = uint8(in.c), uint8(in.c)
	}
	for n, from := range [3]uint16{in.a, in.b, in.c} {
		for w := range [3]uint8{r.a, r.b, r.c}[n] {
			read(int(from) + int(w))
		}
	}
}
