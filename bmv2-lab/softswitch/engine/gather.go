package engine

// The work of an instruction is often less than that of coming to it. Neighbours that do the
// same to other words become one instruction with a list.

// flatLoad is one field of a header: word = 8 bytes at at >> shift & mask.
type flatLoad struct {
	word, at uint16
	shift    uint8
	mask     uint64
}

// flatRead is a cell of a row: word = the row's word at at, or two words.
type flatRead struct {
	word uint16
	two  bool
	at   uint32
}

// gather makes such instructions in all blocks.
func (g *graph) gather() {
	g.each(func(b *basicBlock) {
		code := b.code
		b.code = nil
		for len(code) > 0 {
			in, n := code[0], 1
			switch in.op {
			case opHeader:
				in, n = g.gatherLoads(code)
			case opRegRead, opRegRead2:
				in, n = g.gatherReads(code)
			case opConst, opMove, opOrK:
				if len(code) > 1 {
					in, n = pair(code[0], code[1])
				}
			}
			b.code = append(b.code, in)
			code = code[n:]
		}
	})
}

// gatherLoads lets the extraction of a header load its fields. It returns the instruction and
// how many it stands for.
func (g *graph) gatherLoads(code []inst) (inst, int) {
	in, first, n := code[0], len(g.out.loads), 1
	for ; n < len(code) && code[n].op == opLoad && len(g.out.loads) < maxFlatWords-1; n++ {
		l := &code[n]
		g.out.loads = append(g.out.loads, flatLoad{l.a, l.b, uint8(l.c), l.k})
	}
	in.b, in.c = uint16(first), uint16(n-1)
	return in, n
}

// gatherReads makes one instruction of register reads of the same row.
func (g *graph) gatherReads(code []inst) (inst, int) {
	at, row, first, n := code[0].b, g.prog.places[code[0].c].row, len(g.out.reads), 0
	for ; n < len(code) && code[n].b == at && len(g.out.reads) < maxFlatWords-1; n++ {
		r := &code[n]
		if (r.op != opRegRead && r.op != opRegRead2) || g.prog.places[r.c].row != row {
			break
		}
		g.out.reads = append(g.out.reads, flatRead{r.a, r.op == opRegRead2, uint32(g.prog.places[r.c].at)})
		if at-r.a < uint16(roles[r.op].writes) { // the index is read into
			n++
			break
		}
	}
	if n < 2 {
		g.out.reads = g.out.reads[:first]
		return code[0], 1
	}
	return inst{opRegReads, uint16(first), at, uint16(n), uint64(row)}, n
}

// pair makes one instruction of two that write words next to each other, if there is one. It
// returns the first and 1 if there is none.
func pair(in, then inst) (inst, int) {
	zero := then.op == opConst && then.k == 0 && then.a == in.a+1
	switch {
	case in.op == opConst && zero:
		return inst{op: opConst2, a: in.a, k: in.k}, 2
	case in.op == opConst && in.k == 0 && then.op == opConst && in.a == then.a+1:
		return inst{op: opConst2, a: then.a, k: then.k}, 2
	case in.op == opOrK && zero:
		in.op = opOrK2
		return in, 2
	case in.op == opMove && then.op == opMove && then.a == in.a+1 && then.b == in.b+1 && in.a != then.b:
		in.op = opMove2
		return in, 2
	}
	return in, 1
}
