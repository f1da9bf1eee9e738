package gnmi

import (
	"sync"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// place is where a leaf is beneath the entry of its fact, as a map key.
type place struct {
	node *node
	keys string // of the lists that it is in
}

// place gives the place of a leaf.
func (l *leaf) place() place {
	p := place{node: l.node}
	for _, e := range l.in {
		for _, v := range e.values {
			p.keys += v + "\x00"
		}
	}
	return p
}

// changed says how often leaves changed since they were last told. The zero changed is once.
type changed struct {
	times map[place]uint32 // nil when it is not known of each
	left  uint32           // then, how many states of all of them were left out
}

// all tells every leaf of a fact.
func (a *answer) all(b []byte, target string, r rendered, c changed) []byte {
	n := a.begin(b, target, r.entry, r.time)
	for i := range r.leaves {
		n.update(&r.leaves[i], a.encoding, c.leftOut(&r.leaves[i]))
	}
	return n.end(r.kind.node.atomic)
}

// leftOut is how many values of a leaf are not told (Update.duplicates; specification, section 2.1), at most.
func (c changed) leftOut(l *leaf) uint32 {
	if c.times == nil {
		return c.left
	}
	return max(c.times[l.place()], 1) - 1
}

// change tells what differs between two states of one fact; nil when nothing does. Atomic facts
// are told whole (specification, section 2.1.1). e is the fact as it is now. A leaf that changed and changed back in
// between is told for its duplicates.
func (a *answer) change(target string, before, now rendered, e inventory.Entry, c changed) []byte {
	var room [32]*leaf
	different, lost := compare(room[:0], before.leaves, now.leaves)
	if c.times != nil {
		different = different[:0]
		for i := range now.leaves {
			if l := &now.leaves[i]; c.times[l.place()] > 0 {
				different = append(different, l)
			}
		}
	}
	switch {
	case len(different) == 0 && !lost:
		return nil
	case before.kind.node.atomic && len(now.leaves) > 0:
		return a.all(make([]byte, 0, noticeBytes+leafBytes*len(now.leaves)), target, now, c)
	}
	n := a.begin(make([]byte, 0, noticeBytes+leafBytes*len(different)), target, before.entry, e.Event.UnixNano())
	if lost {
		for _, path := range gone(before.leaves, before.kind.whole(e)) {
			n.delete(path)
		}
	}
	for _, l := range different {
		n.update(l, a.encoding, c.leftOut(l))
	}
	return n.end(false)
}

// What a notification takes without leaves, and what one leaf takes, mostly.
const (
	noticeBytes = 192
	leafBytes   = 64
)

// end tells that a fact is no more. What other facts have beneath the same entry stays. An atomic container goes
// with the prefix that it came with.
func (a *answer) end(target string, r rendered, at int64) []byte {
	switch {
	case r.kind.parent:
		n := a.begin(nil, target, r.entry, at)
		for _, path := range gone(r.leaves, nil) {
			n.delete(path)
		}
		return n.end(false)
	case r.kind.guest:
		n := a.begin(nil, target, r.entry, at)
		for i := range r.leaves {
			n.delete(r.leaves[i].path())
		}
		return n.end(false)
	case r.kind.node.atomic:
		n := a.begin(nil, target, r.entry, at)
		n.delete(nil)
		return n.end(false)
	}
	n := a.begin(nil, target, nil, at)
	n.delete(r.entry)
	return n.end(false)
}

// compare appends the leaves of now that before lacks or has with another value to changed, and says whether before has
// leaves that now lacks. The leaves of one kind of fact come in one order, so most stand in the same place in both.
func compare(changed []*leaf, before, now []leaf) (_ []*leaf, lost bool) {
	var index map[place]*leaf // of before, once the two are not in step
	still := 0
	for i := range now {
		l := &now[i]
		var old *leaf
		switch {
		case index == nil && still == i && i < len(before) && before[i].at(l):
			old = &before[i]
		default:
			if index == nil {
				index = make(map[place]*leaf, len(before))
				for j := range before {
					index[before[j].place()] = &before[j]
				}
			}
			old = index[l.place()]
		}
		if old != nil {
			still++
		}
		if old == nil || !old.value.equal(l.value) {
			changed = append(changed, l)
		}
	}
	return changed, still < len(before)
}

// whole gives every leaf of a fact, asked for or not.
func (k *kind) whole(e inventory.Entry) []leaf {
	var p program
	p.add(nil)
	r, _ := new(writer).render(k, e, &p, nil)
	return r.leaves
}

// gone gives the fewest paths that cover the leaves of before that are not in now, and
// none of those in now.
func gone(before, now []leaf) [][]elem {
	kept := map[string]bool{}
	for _, l := range now {
		var b []byte
		for _, e := range l.path() {
			b = e.appendText(b)
			kept[string(b)] = true
		}
	}
	var paths [][]elem
	told := map[string]bool{}
	for _, l := range before {
		var b []byte
		path := l.path()
		for i, e := range path {
			b = e.appendText(b)
			if kept[string(b)] {
				continue
			}
			if !told[string(b)] {
				told[string(b)] = true
				paths = append(paths, path[:i+1])
			}
			break
		}
	}
	return paths
}

// tell gives the messages for a chain of updates of one object: the end of what was known, if it came to that, and
// then the difference to the newest state. What came and went in between is not told. left is how many states were left
// out before the newest.
func (s *selector) tell(p *part, k *kind, chain []inventory.Update, left uint32) [][]byte {
	chain = p.shown(s, k, chain)
	known := chain[0].Before
	var end *inventory.Update
	states := 0 // where those after the end begin
	for i := range chain {
		if chain[i].Fact != nil {
			continue
		}
		states = i + 1
		if known.Fact != nil {
			end = &chain[i]
		}
	}
	var out [][]byte
	old, new := writers.Get().(*writer), writers.Get().(*writer)
	defer writers.Put(old)
	defer writers.Put(new)
	var before, now rendered
	was, is := false, false
	if known.Fact != nil {
		before, was = s.render(old, k, known, p.filter)
	}
	if was && end != nil {
		out = append(out, p.answer.end(p.answer.targetOf(s.space, known.Fact), before, end.Event.UnixNano()))
		was = false
	}
	if chain = chain[states:]; len(chain) == 0 {
		return out
	}
	last := chain[len(chain)-1].Entry
	now, is = s.render(new, k, last, p.filter)
	target := p.answer.targetOf(s.space, last.Fact)
	c := changed{times: s.times(p, k, chain), left: left}
	switch {
	case was:
		if m := p.answer.change(target, before, now, last, c); m != nil {
			out = append(out, m)
		}
	case is:
		room := make([]byte, 0, noticeBytes+leafBytes*len(now.leaves))
		out = append(out, p.answer.all(room, target, now, c))
	}
	return out
}

// shown is a chain as the reader of a part in a space sees it: a state that may not be seen is none.
func (p *part) shown(s *selector, k *kind, chain []inventory.Update) []inventory.Update {
	if !s.perSwitch && p.answer.reader == nil {
		return chain
	}
	hide := func(e inventory.Entry) inventory.Entry {
		if e.Fact == nil {
			return e
		}
		e, ok := p.answer.show(k, e)
		if !ok || !s.has(e.Fact) {
			e.Fact = nil
		}
		return e
	}
	out := make([]inventory.Update, len(chain))
	for i, u := range chain {
		u.Entry, u.Before = hide(u.Entry), hide(u.Before)
		out[i] = u
	}
	return out
}

// times counts how often each leaf changed in a chain of states; nil when the chain is one state.
func (s *selector) times(p *part, k *kind, chain []inventory.Update) map[place]uint32 {
	if len(chain) == 1 {
		return nil
	}
	times := map[place]uint32{}
	old, new := writers.Get().(*writer), writers.Get().(*writer)
	var before rendered
	if first := chain[0].Before; first.Fact != nil {
		before, _ = s.render(old, k, first, p.filter)
	}
	var changed []*leaf
	for _, u := range chain {
		now, _ := s.render(new, k, u.Entry, p.filter)
		changed, _ = compare(changed[:0], before.leaves, now.leaves)
		for _, l := range changed {
			times[l.place()]++
		}
		before, old, new = now, new, old
	}
	writers.Put(old)
	writers.Put(new)
	return times
}

// writers are kept for use again: their room has grown to what facts take.
var writers = sync.Pool{New: func() any { return new(writer) }}
