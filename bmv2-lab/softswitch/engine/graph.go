package engine

import "slices"

// Once tidied, flat code is taken apart into basic blocks, which are easier to change than an
// array with places in it: jumps are made to go where they end up (thread.go), what nothing
// reads is taken out (dead.go), and neighbours become one instruction (gather.go).

// basicBlock is a run of instructions that control enters at the first one only.
type basicBlock struct {
	code []inst // without jumps
	cond inst   // at the end, a conditional jump to yes; opJump if there is none
	yes  *basicBlock
	next *basicBlock // nil: the last instruction leaves

	known  bool  // control comes here at all
	facts  facts // what is known then
	from   int   // edges that come here
	live   wordSet
	label  label // where it is put
	placed bool
}

// graph is flat code as basic blocks.
type graph struct {
	*lowerer
	at     map[label]*basicBlock // what instructions and tables name
	roots  []*basicBlock         // where control comes from outside
	room   int                   // instructions that copying may still add
	tested map[uint16]bool       // words that jumps compare with constants
}

// leaves says whether control does not go on behind an instruction.
func (op opcode) leaves() bool {
	switch op {
	case opTable, opTableBy, opPick, opReject, opAccept, opNode, opEnd:
		return true
	}
	return false
}

// maxGraph bounds the work on a graph, in instructions.
const maxGraph = 1 << 16

// improve rearranges the code; if it is very large, it is left as it is.
func (l *lowerer) improve() {
	if len(l.out.code) > maxGraph {
		return
	}
	g := l.cut()
	g.straighten()
	g.gather()
	g.put()
}

// cut takes the code apart.
func (l *lowerer) cut() *graph {
	g := &graph{lowerer: l, at: map[label]*basicBlock{}, room: len(l.out.code)}
	code, starts := l.out.code, l.entries()
	blocks, behind := make([]*basicBlock, len(code)), []int{}
	var b *basicBlock
	for i, in := range code {
		if b == nil {
			b = &basicBlock{cond: inst{op: opJump}}
			blocks[i] = b
		}
		jumps := in.op.jumpsTo() != 0
		if jumps {
			b.cond = in
		} else {
			b.code = append(b.code, in)
		}
		if jumps || in.op.leaves() || starts[i+1] {
			behind = append(behind, i+1)
			b = nil
		}
	}
	for to, i := range l.labels {
		if i >= 0 && i < len(blocks) && blocks[i] != nil {
			g.at[label(to)] = blocks[i]
		}
	}
	for _, b := range blocks {
		if b != nil {
			g.connect(b, blocks, behind[0])
			behind = behind[1:]
		}
	}
	g.roots = g.entered()
	return g
}

// connect makes the edges of a block behind which the instruction number behind stands.
func (g *graph) connect(b *basicBlock, blocks []*basicBlock, behind int) {
	if n := len(b.code); n > 0 && b.code[n-1].op.leaves() {
		return
	}
	if behind < len(blocks) {
		b.next = blocks[behind]
	}
	switch in := b.cond; {
	case in.op.jumpsTo() == 'b':
		b.yes = g.at[label(in.target())]
	case in.op != opJump:
		b.yes = g.at[label(in.k)]
	case g.lowerer.out.code[behind-1].op == opJump:
		b.next = g.at[label(in.k)]
	}
}

// entered lists the blocks that control comes to from outside.
func (g *graph) entered() (roots []*basicBlock) {
	for _, to := range g.outside() {
		roots = append(roots, g.at[to])
	}
	return roots
}

// each calls visit for every block that control may come to, those that follow first.
func (g *graph) each(visit func(b *basicBlock)) {
	seen := map[*basicBlock]bool{}
	var walk func(b *basicBlock)
	walk = func(b *basicBlock) {
		if b == nil || seen[b] {
			return
		}
		seen[b] = true
		g.successors(b, walk)
		visit(b)
	}
	for _, b := range g.roots {
		walk(b)
	}
}

// successors calls visit for every block that may follow one.
func (g *graph) successors(b *basicBlock, visit func(to *basicBlock)) {
	if b.yes != nil {
		visit(b.yes)
	}
	if b.next != nil {
		visit(b.next)
		return
	}
	last := b.code[len(b.code)-1]
	if last.op == opTable || last.op == opTableBy {
		t := &g.out.tables[last.c]
		for _, list := range [][]int{t.hit, t.miss, t.empty} {
			for _, to := range list {
				visit(g.at[label(to)])
			}
		}
	}
}

// put makes an array of the blocks again. What follows a block is put right behind it, if it
// has no place yet.
func (g *graph) put() {
	g.out.code = nil
	var placed []*basicBlock
	todo, old := slices.Clone(g.roots), len(g.labels)
	for len(todo) > 0 {
		b := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for b != nil && !b.placed {
			b.placed = true
			b.label = g.here()
			placed = append(placed, b)
			g.out.code = append(g.out.code, b.code...)
			if b.yes != nil {
				if b.next.placed && !b.yes.placed {
					b.turn()
				}
				g.out.code = append(g.out.code, b.cond)
			}
			if b.next != nil && b.next.placed {
				if to := b.next; len(to.code) <= maxCopied && len(to.code) < g.room {
					g.room -= len(to.code) + 1
					b.next = &basicBlock{code: to.code, cond: to.cond, yes: to.yes, next: to.next}
				} else {
					g.out.code = append(g.out.code, inst{op: opJump, k: uint64(to.label)})
				}
			}
			g.successors(b, func(to *basicBlock) { todo = append(todo, to) })
			b = b.next
		}
	}
	// Now that every block has a place, its label stands for those that it had.
	for to := range g.labels[:old] {
		if b := g.at[label(to)]; b != nil && b.placed {
			g.labels[to] = g.labels[b.label]
		} else {
			g.labels[to] = -1
		}
	}
	for _, b := range placed {
		if b.yes != nil {
			g.aim(b)
		}
	}
}

// aim sets the target of a placed block's conditional jump, which is behind its code.
func (g *graph) aim(b *basicBlock) {
	in := &g.out.code[g.labels[b.label]+len(b.code)]
	if to := b.yes.label; in.op.jumpsTo() == 'b' {
		in.b, in.c = uint16(to), uint16(to>>16)
	} else {
		in.k = uint64(to)
	}
}

// turn exchanges the ways on, if the condition has an opposite.
func (b *basicBlock) turn() {
	opposite, ok := map[opcode]opcode{opJumpEqK: opJumpNeK, opJumpNeK: opJumpEqK, opJumpAny: opJumpNone, opJumpNone: opJumpAny,
		opJumpEq: opJumpNe, opJumpNe: opJumpEq}[b.cond.op]
	if ok {
		b.cond.op = opposite
		b.yes, b.next = b.next, b.yes
	}
}
