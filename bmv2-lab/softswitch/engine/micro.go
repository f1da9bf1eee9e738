package engine

// Most steps of real programs only move words about. Runs of such steps are executed by a
// loop over flat operations, which costs less than a call of a closure for each.

type microKind uint8

const (
	microNone     microKind = iota
	microMove               // dst = src
	microMove2              // two words
	microConst              // dst = k
	microParam              // dst = parameter word src
	microMask               // dst = src & k
	microAdd                // dst = (src + k) & mask
	microRead               // dst = register[index], one word
	microRead2              // two words
	microWrite              // register[index] = src & k, one word
	microWrite2             // two words
	microWriteImm           // register[index] = k
)

// micro is a flat operation on words of the state.
type micro struct {
	kind     microKind
	dst, src int32
	index    int32 // the word with a register's index
	register int32
	k, mask  uint64
}

// step is one compiled step of an action: as a closure, and perhaps as a flat operation.
type step struct {
	run   op
	micro micro
}

// minRun is the length from which a run of flat operations is worth a loop.
const minRun = 2

// fuse turns steps into closures, runs of flat operations into one each.
func fuse(steps []step) []op {
	var out []op
	for i := 0; i < len(steps); {
		n := i
		for n < len(steps) && steps[n].micro.kind != microNone {
			n++
		}
		if n-i < minRun {
			out = append(out, steps[i].run)
			i++
			continue
		}
		list := make([]micro, 0, n-i)
		for _, s := range steps[i:n] {
			list = append(list, s.micro)
		}
		out = append(out, func(p *packet) { p.runMicros(list) })
		i = n
	}
	return out
}

func (p *packet) runMicros(list []micro) {
	w, params := p.words, p.params
	for i := range list {
		m := &list[i]
		switch m.kind {
		case microMove:
			w[m.dst] = w[m.src]
		case microMove2:
			w[m.dst], w[m.dst+1] = w[m.src], w[m.src+1]
		case microConst:
			w[m.dst] = m.k
		case microParam:
			w[m.dst] = params[m.src]
		case microMask:
			w[m.dst] = w[m.src] & m.k
		case microAdd:
			w[m.dst] = (w[m.src] + m.k) & m.mask
		case microRead:
			if cell := p.registers[m.register].cell(w[m.index]); cell != nil {
				w[m.dst] = cell[0]
			}
		case microRead2:
			if cell := p.registers[m.register].cell(w[m.index]); cell != nil {
				w[m.dst], w[m.dst+1] = cell[0], cell[1]
			}
		case microWrite:
			if cell := p.registers[m.register].cell(w[m.index]); cell != nil {
				cell[0] = w[m.src] & m.k
			}
		case microWrite2:
			if cell := p.registers[m.register].cell(w[m.index]); cell != nil {
				cell[0], cell[1] = w[m.src], w[m.src+1]
			}
		case microWriteImm:
			if cell := p.registers[m.register].cell(w[m.index]); cell != nil {
				cell[0] = m.k
			}
		}
	}
}
