package engine

// lowerer turns a program into flat code. Where it has no instruction for a piece, it asks
// the compiler for the closure and calls that.
type lowerer struct {
	*compiler
	out       *flatCode
	labels    []int // where each label is in the code; -1: not placed yet
	jumped    map[label]bool
	barrier   int // instructions before this place are not merged with later ones
	nodes     map[*node]label
	seen      *liveness    // what closures and the target read
	calcIndex []int        // by instruction's number: the program's
	inCalcs   map[int]bool // words that calculations read
	tooBig    bool
}

// label is a place in the code that may not be known yet.
type label int

// maxFlatCode bounds the code: actions are repeated for every table that has them.
const maxFlatCode = 1 << 20

// lower makes the program's flat code; without it (a program too large) the closures run.
func (c *compiler) lower(ingress, egress *pipelineNodes) {
	if c.lay.cleared+c.lay.scratch >= maxFlatWords/2 {
		return
	}
	l := &lowerer{compiler: c, out: &flatCode{}, nodes: map[*node]label{}, jumped: map[label]bool{}, seen: noLiveness(c.src)}
	c.statement()
	l.out.parser = l.parserCode()
	l.out.verify, l.out.update = l.checksumCode(true), l.checksumCode(false)
	l.pipelineCode(&c.src.Ingress, ingress)
	l.pipelineCode(&c.src.Egress, egress)
	if c.err != nil || l.tooBig || !l.nameable() {
		return
	}
	l.seen.fixed()
	l.tidy()
	l.sideBySide()
	l.readStandardFields()
	l.improve()
	l.finish()
	c.prog.flat = l.out
}

// nameable says whether instructions can name all that they use.
func (l *lowerer) nameable() bool {
	o := l.out
	return max(l.lay.cleared+l.lay.scratch, len(l.src.Registers), len(l.src.Counters), len(o.calls), len(o.words),
		len(o.conds), len(o.parses), len(o.picks), len(o.calcs), len(o.nodes), len(o.tables)) < maxFlatWords
}

func (l *lowerer) emit(in inst) {
	switch in.op.jumpsTo() {
	case 'k':
		l.jumped[label(in.k)] = true
	case 'b':
		l.jumped[label(in.target())] = true
	}
	if l.merge(in) {
		return
	}
	if len(l.out.code) >= maxFlatCode {
		l.tooBig = true
		return
	}
	l.out.code = append(l.out.code, in)
}

func (l *lowerer) op3(op opcode, a, b, c int, k uint64) {
	l.emit(inst{op, uint16(a), uint16(b), uint16(c), k})
}

func (l *lowerer) newLabel() label {
	l.labels = append(l.labels, -1)
	return label(len(l.labels) - 1)
}

func (l *lowerer) place(at label) {
	l.labels[at] = len(l.out.code)
	l.barrier = len(l.out.code)
}

// meet places a label to which everything that jumps there has been emitted already.
func (l *lowerer) meet(at label) {
	if l.jumped[at] {
		l.place(at)
	} else {
		l.labels[at] = len(l.out.code)
	}
}

func (l *lowerer) here() label {
	at := l.newLabel()
	l.place(at)
	return at
}

func (l *lowerer) jump(to label) { l.emit(inst{op: opJump, k: uint64(to)}) }

// jumpK emits a jump that compares with a constant.
func (l *lowerer) jumpK(op opcode, a int, k uint64, to label) {
	l.emit(inst{op, uint16(a), uint16(to), uint16(to >> 16), k})
}

// jumpsTo says where an instruction keeps its target: 'k', 'b' (bc) or 0 for none.
func (op opcode) jumpsTo() byte {
	switch op {
	case opJump, opJumpEq, opJumpNe, opJumpLt, opJumpLe, opJumpDiffer, opJumpNot:
		return 'k'
	case opJumpEqK, opJumpNeK, opJumpLtK, opJumpGtK, opJumpAny, opJumpNone, opLoop:
		return 'b'
	}
	return 0
}

// finish puts places where labels are.
func (l *lowerer) finish() {
	at := func(to label) int {
		pc := max(l.labels[to], 0) // nothing goes where there is no place
		// A jump to a jump goes on at once.
		for hops := 0; hops < 8 && l.out.code[pc].op == opJump; hops++ {
			pc = l.labels[l.out.code[pc].k]
		}
		return pc
	}
	resolved := make([]inst, len(l.out.code))
	for i, in := range l.out.code {
		switch in.op.jumpsTo() {
		case 'k':
			pc := at(label(in.k))
			in.k = uint64(pc)
			if to := l.out.code[pc].op; in.op == opJump && (to == opEnd || to == opAccept) {
				in = inst{op: to}
			}
		case 'b':
			pc := at(label(in.target()))
			in.b, in.c = uint16(pc), uint16(pc>>16)
		}
		resolved[i] = in
	}
	resolve := func(list []int) {
		for i, to := range list {
			list[i] = at(label(to))
		}
	}
	for i := range l.out.tables {
		resolve(l.out.tables[i].hit)
		resolve(l.out.tables[i].miss)
		resolve(l.out.tables[i].empty)
	}
	resolve(l.out.states)
	for n, to := range l.nodes {
		n.pc = at(to)
	}
	l.out.parser = at(label(l.out.parser))
	l.out.verify, l.out.update = at(label(l.out.verify)), at(label(l.out.update))
	l.out.code = resolved
}

// call emits the call of a closure.
func (l *lowerer) call(f op) {
	if f == nil {
		return
	}
	l.op3(opCall, 0, 0, len(l.out.calls), 0)
	l.out.calls = append(l.out.calls, f)
}

// maxDiffer is how many words one comparison takes.
const maxDiffer = 255

// merge makes one instruction of the last one and this one, where no jump can come between
// them: comparisons of adjacent words.
func (l *lowerer) merge(in inst) bool {
	at := len(l.out.code)
	if at == 0 || l.barrier == at || in.op != opJumpNe {
		return false
	}
	last := &l.out.code[at-1]
	switch {
	case last.k != in.k:
		return false
	case last.op == opJumpNe && last.a+1 == in.a && last.b+1 == in.b:
		*last = inst{opJumpDiffer, last.a, last.b, 2, in.k}
		return true
	case last.op == opJumpDiffer && last.c < maxDiffer && last.a+last.c == in.a && last.b+last.c == in.b:
		last.c++
		return true
	}
	return false
}

// slot reserves a scratch word.
func (l *lowerer) slot() int {
	at, _ := l.temp(1)
	return at
}
