package engine

import "encoding/binary"

// runFlat runs flat code from pc on. For the parser it returns the parser error, else 0. It
// is one function, since a call for each instruction would cost more than the instruction.
// What it calls is given pc and yields where to go on: a pc that outlived the call would be
// stored at every instruction. For the same reason lists are gone through in functions, and the
// function is as long as the instructions that are common are many: those that are rare, or take long
// anyway, are in functions behind it.
func (p *packet) runFlat(pc int) int {
	code, w := p.prog.flat.code, (*flatWords)(p.words)
	for {
		in := &code[pc]
		pc++
		switch in.op {
		case opMove:
			w[in.a] = w[in.b]
		case opMove2:
			w[in.a], w[in.a+1] = w[in.b], w[in.b+1]
		case opConst:
			w[in.a] = in.k
		case opConst2:
			w[in.a], w[in.a+1] = in.k, 0
		case opParam:
			w[in.a] = p.params[in.b] & in.k
		case opAndK:
			w[in.a] = w[in.b] & in.k
		case opOrK:
			w[in.a] = w[in.b] | in.k
		case opOrK2:
			w[in.a], w[in.a+1] = w[in.b]|in.k, 0
		case opXorK:
			w[in.a] = w[in.b] ^ in.k
		case opAddK:
			w[in.a] = (w[in.b] + in.k) & (^uint64(0) >> (in.c & 63))
		case opShlK:
			w[in.a] = w[in.b] << (in.c & 63) & in.k
		case opShrK:
			w[in.a] = w[in.b] >> (in.c & 63) & in.k
		case opAnd:
			w[in.a] = w[in.b] & w[in.c] & in.k
		case opOr:
			w[in.a] = (w[in.b] | w[in.c]) & in.k
		case opXor:
			w[in.a] = (w[in.b] ^ w[in.c]) & in.k
		case opAdd:
			w[in.a] = (w[in.b] + w[in.c]) & in.k
		case opSub:
			w[in.a] = (w[in.b] - w[in.c]) & in.k
		case opShlOr:
			w[in.a] = w[in.b]<<(in.k&63) | w[in.c]

		case opJump:
			pc = int(in.k)
		case opJumpEq:
			if w[in.a] == w[in.b] {
				pc = int(in.k)
			}
		case opJumpNe:
			if w[in.a] != w[in.b] {
				pc = int(in.k)
			}
		case opJumpLt:
			if w[in.a] < w[in.b] {
				pc = int(in.k)
			}
		case opJumpLe:
			if w[in.a] <= w[in.b] {
				pc = int(in.k)
			}
		case opJumpDiffer:
			for i := range in.c {
				if w[in.a+i] != w[in.b+i] {
					pc = int(in.k)
					break
				}
			}
		case opJumpEqK:
			if w[in.a] == in.k {
				pc = in.target()
			}
		case opJumpNeK:
			if w[in.a] != in.k {
				pc = in.target()
			}
		case opJumpLtK:
			if w[in.a] < in.k {
				pc = in.target()
			}
		case opJumpGtK:
			if w[in.a] > in.k {
				pc = in.target()
			}
		case opJumpAny:
			if w[in.a]&in.k != 0 {
				pc = in.target()
			}
		case opJumpNone:
			if w[in.a]&in.k == 0 {
				pc = in.target()
			}

		case opRegRead:
			if r, i := &p.registers[in.c], w[in.b]; i < r.size {
				w[in.a] = r.words[i*r.row]
			}
		case opRegRead2:
			if cell := p.registers[in.c].cell(w[in.b]); len(cell) == 2 {
				w[in.a], w[in.a+1] = cell[0], cell[1]
			}
		case opRegWrite:
			if r, i := &p.registers[in.c], w[in.b]; i < r.size {
				r.words[i*r.row] = w[in.a] & in.k
			}
		case opRegWriteK:
			if r, i := &p.registers[in.c], w[in.b]; i < r.size {
				r.words[i*r.row] = in.k
			}
		case opRegWrite2:
			if cell := p.registers[in.c].cell(w[in.b]); len(cell) == 2 {
				cell[0], cell[1] = w[in.a], w[in.a+1]
			}
		case opRemove:
			if w[in.a] != 0 {
				w[in.a] = 0
				p.length -= int(in.k)
				p.whole = false
			}
		case opLoad:
			w[in.a] = binary.BigEndian.Uint64(p.frame[p.at+int(in.b):]) >> (in.c & 63) & in.k
		case opAccept:
			return p.prog.errs.none
		case opReject:
			return int(w[in.a] & (1<<31 - 1))
		case opEnd:
			return 0
		case opHeader:
			if pc = p.header(in, pc); pc < 0 {
				return ^pc
			}
		case opPeek:
			if pc = p.peek(in, pc); pc < 0 {
				return ^pc
			}
		case opRegReads:
			pc = p.readAll(in, pc)
		case opCount:
			pc = p.count(in, pc)
		case opCalc:
			pc = p.calculate(in, pc)
		case opTable:
			pc = p.applyFlat(in)
		default:
			pc = p.runOther(in, pc)
			if pc < 0 {
				return ^pc
			}
		}
	}
}

// runOther runs one of the instructions that are rare, or that take long anyway. It yields
// where to go on, or ^result at the end.
//
//go:noinline
func (p *packet) runOther(in *inst, pc int) int {
	fc, w := p.prog.flat, (*flatWords)(p.words)
	switch in.op {
	case opTableBy:
		return p.applyIndirect(&fc.tables[in.c])
	case opSext:
		w[in.a] = uint64(int64(w[in.b]<<(in.c&63)) >> (in.c & 63))
	case opMul:
		w[in.a] = w[in.b] * w[in.c] & in.k
	case opNot:
		w[in.a] = ^w[in.b] & in.k
	case opMod:
		w[in.a] = w[in.b] % max(w[in.c], 1)
	case opLoop:
		if p.loops++; p.loops > in.k {
			return in.target()
		}
	case opLoadShort:
		w[in.a] = bitsAt(p.frame[p.at:], int(in.b), int(in.c))
	case opPick:
		next, e := fc.picks[in.c](p)
		switch {
		case e != 0:
			return ^(e - 1)
		case next < 0:
			return ^p.prog.errs.none
		}
		return fc.states[next]
	case opParse:
		if e := fc.parses[in.c](p); e != 0 {
			return ^(e - 1)
		}
	case opCall:
		fc.calls[in.c](p)
	case opWord:
		w[in.a] = fc.words[in.c](p)
	case opJumpNot:
		if !fc.conds[in.c](p) {
			return int(in.k)
		}
	case opNode:
		next := fc.nodes[in.c].run(p)
		if next == nil || p.exit {
			return ^0
		}
		return next.pc
	case opWrong:
		p.checksum = true
	case opCheckExit:
		if p.exit {
			return ^0
		}
	}
	return pc
}

// header extracts a header of fixed length. It yields pc, or ^error. The loads are unrolled,
// since the processor guesses the ends of many short loops wrong.
func (p *packet) header(in *inst, pc int) int {
	at, bytes, rank := p.parsed, int(uint32(in.k)), int(in.k>>32)
	data := p.frame[at:]
	if len(data) < bytes {
		return ^p.prog.errs.tooShort
	}
	w := (*flatWords)(p.words)
	w[in.a], w[in.a+rawWord] = 1, uint64(at)
	p.at, p.parsed = at, at+bytes
	p.whole, p.rank = p.whole && rank > p.rank, rank
	loads := p.prog.flat.loads[in.b:][:in.c]
	for ; len(loads) >= 4; loads = loads[4:] {
		loads[0].run(w, data)
		loads[1].run(w, data)
		loads[2].run(w, data)
		loads[3].run(w, data)
	}
	switch len(loads) {
	case 3:
		loads[2].run(w, data)
		fallthrough
	case 2:
		loads[1].run(w, data)
		fallthrough
	case 1:
		loads[0].run(w, data)
	}
	return pc
}

// peek is a lookahead. It yields pc, or ^error.
func (p *packet) peek(in *inst, pc int) int {
	data := p.frame[p.parsed:]
	if len(data) < int(in.k) {
		return ^p.prog.errs.tooShort
	}
	w, at, end := (*flatWords)(p.words), int(in.b/8), in.b%8+in.c
	if end <= 64 && at+8 <= len(data) {
		w[in.a] = binary.BigEndian.Uint64(data[at:]) << (in.b % 8) >> (64 - in.c)
	} else {
		w[in.a] = bitsAt(data, int(in.b), int(in.c))
	}
	return pc
}

// count counts the packet in a cell. It yields pc.
func (p *packet) count(in *inst, pc int) int {
	if cells, i := p.sw.counters[in.c].cells, p.words[in.a]; i < uint64(len(cells)) {
		cells[i].Packets++
		cells[i].Bytes += uint64(p.inLength)
	}
	return pc
}

// calculate runs a calculation. It yields pc.
func (p *packet) calculate(in *inst, pc int) int {
	p.words[in.a] = p.prog.flat.calcs[in.c](p)
	return pc
}

// run loads the field from the bytes of its header.
func (l *flatLoad) run(w *flatWords, data []byte) {
	at := int(l.at)
	w[l.word] = binary.BigEndian.Uint64(data[at:at+8:at+8]) >> (l.shift & 63) & l.mask
}

// readAll reads the registers of a row. It yields pc.
func (p *packet) readAll(in *inst, pc int) int {
	w := (*flatWords)(p.words)
	row := p.rows[in.k].cell(w[in.b])
	if row == nil {
		return pc
	}
	reads := p.prog.flat.reads[in.a:][:in.c]
	for i := range reads {
		r := &reads[i]
		w[r.word] = row[r.at]
		if r.two {
			w[r.word+1] = row[r.at+1]
		}
	}
	return pc
}

// target is where a jump goes that compares with a constant.
func (in *inst) target() int { return int(in.b) | int(in.c)<<16 }
