package engine

// wordSet is a set of words of the state, a bit for each.
type wordSet []uint64

func (s wordSet) add(w int)      { s[w/64] |= 1 << (w % 64) }
func (s wordSet) remove(w int)   { s[w/64] &^= 1 << (w % 64) }
func (s wordSet) has(w int) bool { return s[w/64]>>(w%64)&1 != 0 }

// join adds the words of t, and says whether there were any that s lacked.
func (s wordSet) join(t wordSet) (changed bool) {
	for i, w := range t {
		changed = changed || w&^s[i] != 0
		s[i] |= w
	}
	return changed
}

// bury takes out instructions that write only what is written again before it is read.
func (g *graph) bury() {
	fixed := g.fixedReads()
	var blocks []*basicBlock
	g.each(func(b *basicBlock) {
		b.live = make(wordSet, len(fixed))
		blocks = append(blocks, b)
	})
	// Where control leaves, what is read is what the next part of the program reads, or the
	// switch itself.
	outside := append(wordSet(nil), fixed...)
	now := make(wordSet, len(fixed))
	for changed := true; changed; {
		changed = false
		for _, b := range blocks {
			g.liveAtEnd(b, now, outside)
			for i := len(b.code) - 1; i >= 0; i-- {
				g.before(&b.code[i], now, fixed, outside)
			}
			changed = b.live.join(now) || changed
		}
		for _, b := range g.roots {
			changed = outside.join(b.live) || changed
		}
	}
	for _, b := range blocks {
		g.liveAtEnd(b, now, outside)
		b.drop(func(in *inst) bool {
			if in.writesOnly(now) {
				return true
			}
			g.before(in, now, fixed, outside)
			return false
		})
	}
}

// fixedReads is what closures and the switch itself may read.
func (g *graph) fixedReads() wordSet {
	all := make(wordSet, (g.lay.cleared+g.lay.scratch+63)/64)
	for w, unread := range g.unreadOutside() {
		if !unread {
			all.add(w)
		}
	}
	return all
}

// liveAtEnd sets live to what is read behind a block's code.
func (g *graph) liveAtEnd(b *basicBlock, live, outside wordSet) {
	clear(live)
	g.successors(b, func(to *basicBlock) { live.join(to.live) })
	if b.yes != nil {
		if b.cond.op == opJumpNot || b.cond.op == opLoop {
			live.join(outside)
		}
		g.uses(b.cond, func(w int) { live.add(w) })
	}
}

// before changes live, what is read behind an instruction, to what is read before it.
func (g *graph) before(in *inst, live, fixed, outside wordSet) {
	r := roles[in.op]
	if r.pure && r.a == 0 {
		for n := range int(r.writes) {
			live.remove(int(in.a) + n)
		}
	}
	switch {
	case in.op.leaves() && in.op != opTable, in.op == opHeader, in.op == opPeek, in.op == opCheckExit:
		live.join(outside)
	case r.ends, in.op == opCalc:
		live.join(fixed)
	}
	g.uses(*in, func(w int) { live.add(w) })
}

// writesOnly says whether an instruction does nothing but write words that are not live.
func (in *inst) writesOnly(live wordSet) bool {
	r := roles[in.op]
	for n := range int(r.writes) {
		if live.has(int(in.a) + n) {
			return false
		}
	}
	return r.pure
}

// drop takes out the instructions that gone says, asked from the last to the first.
func (b *basicBlock) drop(gone func(in *inst) bool) {
	kept := len(b.code)
	code := append([]inst(nil), b.code...)
	for i := len(code) - 1; i >= 0; i-- {
		if !gone(&code[i]) {
			kept--
			code[kept] = code[i]
		}
	}
	b.code = code[kept:]
}
