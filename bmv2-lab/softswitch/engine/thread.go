package engine

import (
	"maps"
	"slices"
)

// p4c keeps in flags which way control went, and programs ask again and again whether a header
// is valid. Where it is known how a test ends, on the way that leads to it, that way goes on
// behind the test; what stands before the test is copied to it if that is little.

// fact is what is known of a word: that it is k, or that it is not.
type fact struct {
	k   uint64
	not bool
}

// facts are by word.
type facts map[uint16]fact

// with is f where word is also known to be, or not to be, something.
func (f facts) with(word uint16, is fact) facts {
	if old, ok := f[word]; ok && !old.not {
		return f
	}
	out := maps.Clone(f)
	if out == nil {
		out = facts{}
	}
	out[word] = is
	return out
}

// meet leaves of f what g says too. It says whether f changed.
func (f facts) meet(g facts) (changed bool) {
	for w, a := range f {
		b, ok := g[w]
		switch {
		case ok && a == b:
			continue
		case ok && a.not && !b.not && a.k != b.k:
			continue
		case ok && b.not && !a.not && a.k != b.k:
			f[w] = b
		default:
			delete(f, w)
		}
		changed = true
	}
	return changed
}

// run changes f as an instruction changes the words. It is kept of tested words only.
func (f facts) run(in *inst, tested map[uint16]bool) {
	r := roles[in.op]
	if r.ends && in.op != opTable {
		clear(f)
		return
	}
	for n := range uint16(r.writes) {
		delete(f, in.a+n)
	}
	if !tested[in.a] {
		return
	}
	switch in.op {
	case opConst:
		f[in.a] = fact{k: in.k}
	case opHeader:
		f[in.a] = fact{k: 1}
	case opRemove:
		f[in.a] = fact{k: 0}
	}
}

// decide says which way a conditional jump goes.
func (f facts) decide(in *inst) (yes, ok bool) {
	v, ok := f[in.a]
	if !ok {
		return false, false
	}
	if v.not {
		return in.op == opJumpNeK, (in.op == opJumpNeK || in.op == opJumpEqK) && v.k == in.k
	}
	switch in.op {
	case opJumpEqK:
		return v.k == in.k, true
	case opJumpNeK:
		return v.k != in.k, true
	case opJumpLtK:
		return v.k < in.k, true
	case opJumpGtK:
		return v.k > in.k, true
	case opJumpAny:
		return v.k&in.k != 0, true
	case opJumpNone:
		return v.k&in.k == 0, true
	}
	return false, false
}

// after is what is known when control leaves a block for yes, or for next.
func (b *basicBlock) after(f facts, yes bool) facts {
	switch {
	case b.cond.op == opJumpNot:
		return nil // a closure ran
	case b.cond.op == opJumpEqK || b.cond.op == opJumpNeK:
		return f.with(b.cond.a, fact{b.cond.k, yes != (b.cond.op == opJumpEqK)})
	}
	return f
}

// learn finds the facts of every block.
func (g *graph) learn() {
	g.tested = map[uint16]bool{}
	g.each(func(b *basicBlock) {
		b.known, b.facts = false, nil
		if b.cond.op.jumpsTo() == 'b' {
			g.tested[b.cond.a] = true
		}
	})
	var todo []*basicBlock
	reach := func(to *basicBlock, f facts) {
		switch {
		case !to.known:
			to.known, to.facts = true, maps.Clone(f)
		case !to.facts.meet(f):
			return
		}
		todo = append(todo, to)
	}
	for _, b := range g.roots {
		reach(b, nil)
	}
	for len(todo) > 0 {
		b := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		f := g.atEnd(b, b.facts)
		switch {
		case b.yes != nil:
			reach(b.yes, b.after(f, true))
			reach(b.next, b.after(f, false))
		default:
			g.successors(b, func(to *basicBlock) { reach(to, f) })
		}
	}
}

// atEnd is what is known behind a block's code.
func (g *graph) atEnd(b *basicBlock, f facts) facts {
	out := maps.Clone(f)
	if out == nil {
		out = facts{}
	}
	for i := range b.code {
		out.run(&b.code[i], g.tested)
	}
	return out
}

// maxCopied is the number of instructions of a block that is copied to save a jump.
const maxCopied = 8

// maxRounds bounds how often the code is gone over.
const maxRounds = 8

// straighten takes out tests and jumps whose outcome is known.
func (g *graph) straighten() {
	for changed, n := true, 0; changed && n < maxRounds; n++ {
		g.learn()
		changed = false
		g.each(func(b *basicBlock) { changed = g.redirect(b) || changed })
		g.bury()
		changed = g.join() || changed
	}
}

// redirect lets the ways out of a block go where they end up.
func (g *graph) redirect(b *basicBlock) (changed bool) {
	if b.next == nil {
		return false
	}
	f := g.atEnd(b, b.facts)
	if b.yes != nil {
		if yes, ok := f.decide(&b.cond); ok {
			if yes {
				b.next = b.yes
			}
			b.yes = nil
			changed = true
		} else if to := g.follow(b.yes, b.after(f, true), maxRounds); to != b.yes {
			b.yes, changed = to, true
		}
	}
	if b.yes != nil {
		f = b.after(f, false)
	}
	if to := g.follow(b.next, f, maxRounds); to != b.next {
		b.next, changed = to, true
	}
	if b.yes == b.next {
		b.yes = nil
	}
	if b.yes == nil {
		b.cond = inst{op: opJump}
	}
	return changed
}

// follow is where control ends up that comes to a block with these facts.
func (g *graph) follow(to *basicBlock, f facts, hops int) *basicBlock {
	for ; hops > 0; hops-- {
		out := to.next
		switch {
		case out == nil:
			return to
		case to.yes != nil:
			yes, ok := g.atEnd(to, f).decide(&to.cond)
			if !ok {
				return to
			}
			if yes {
				out = to.yes
			}
		case len(to.code) > 0:
			return to
		}
		if n := len(to.code); n > 0 {
			if n > maxCopied || n > g.room {
				return to
			}
			g.room -= n
			return &basicBlock{code: slices.Clone(to.code), cond: inst{op: opJump}, next: g.follow(out, g.atEnd(to, f), hops-1)}
		}
		to = out
	}
	return to
}

// join appends to blocks what follows them by a plain jump and has no other way in, or is
// short enough to be copied.
func (g *graph) join() (changed bool) {
	g.each(func(b *basicBlock) { b.from = 0 })
	for _, b := range g.roots {
		b.from++
	}
	g.each(func(b *basicBlock) { g.successors(b, func(to *basicBlock) { to.from++ }) })
	g.each(func(b *basicBlock) {
		for b.next != nil && b.yes == nil && b.next != b {
			to := b.next
			if to.from > 1 {
				if n := len(to.code) + 1; n > maxCopied || n > g.room {
					return
				}
				g.room -= len(to.code) + 1
				to.from--
				g.successors(to, func(s *basicBlock) { s.from++ })
			}
			b.code = append(slices.Clip(b.code), to.code...)
			b.cond, b.yes, b.next = to.cond, to.yes, to.next
			changed = true
		}
	})
	return changed
}
