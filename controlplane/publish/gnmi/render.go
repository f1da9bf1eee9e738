package gnmi

import (
	"slices"

	gpb "github.com/openconfig/gnmi/proto/gnmi"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// kind says how the facts of one kind appear in a target: where, and with which leaves.
type kind struct {
	fact inventory.Kind
	node *node    // the list that the facts are entries of
	path []*node  // from the root to node
	name []string // the names in path, for the table
	// keys appends the values of all keys on path.
	keys func(f inventory.Fact, values []string) []string
	// id gives the ID of the fact with the keys, or, when they are not all, what the IDs of all
	// facts whose first keys they are begin with; device is the switch of the target. The first
	// key of a clustered kind is the cluster of the Ref.
	id        func(device string, keys []string, all bool) string
	clustered bool
	// leaves renders a fact.
	leaves func(e inventory.Entry, w *writer)
	// parent says that facts of other kinds appear beneath the entry.
	parent bool
	// guest says that the entry is that of another kind: only the leaves that are no keys come and go with the fact.
	guest bool
}

// kinds gives the kinds of a target, bound to its schema.
func (s schema) kinds(device bool) []*kind {
	root, table := s.fabric, fabricKinds()
	if device {
		root, table = s.device, deviceKinds()
	}
	for _, k := range table {
		at := root
		for _, name := range k.name {
			at = at.child(name)
			k.path = append(k.path, at)
		}
		k.node = at
	}
	return table
}

// elem is one element of a data path.
type elem struct {
	node   *node
	values []string // of the node's keys, in their order
}

func (e elem) proto() *gpb.PathElem {
	if len(e.values) == 0 {
		return e.node.elem
	}
	p := &gpb.PathElem{Name: e.node.name, Key: make(map[string]string, len(e.values))}
	for i, name := range e.node.keys {
		p.Key[name] = e.values[i]
	}
	return p
}

func (e elem) appendText(b []byte) []byte {
	b = append(b, '/')
	b = append(b, e.node.name...)
	for _, v := range e.values {
		b = append(b, 0)
		b = append(b, v...)
	}
	return b
}

func protoPath(elems []elem) []*gpb.PathElem {
	out := make([]*gpb.PathElem, len(elems))
	for i, e := range elems {
		out[i] = e.proto()
	}
	return out
}

// leaf is a leaf with its place beneath the entry of its fact.
type leaf struct {
	in    []elem // the containers that it is in; never changed
	node  *node
	value value
}

// path gives the leaf's path beneath the entry.
func (l *leaf) path() []elem { return append(l.in[:len(l.in):len(l.in)], elem{node: l.node}) }

// at says whether two leaves are in the same place.
func (l *leaf) at(o *leaf) bool {
	return l.node == o.node && slices.EqualFunc(l.in, o.in, func(a, b elem) bool {
		return a.node == b.node && slices.Equal(a.values, b.values)
	})
}

// filter selects leaves by their node; nil selects all.
type filter func(n *node) bool

// rendered is a fact as its target shows it, as far as it was asked for. What it holds is good until the writer that
// made it renders again.
type rendered struct {
	kind   *kind
	entry  []elem // the path of the list entry
	leaves []leaf
	time   int64 // nanoseconds since the epoch
}

// writer collects the leaves of a fact that a program matches. It can be used again.
type writer struct {
	program *program
	filter  filter
	state   states
	whole   bool // everything from here on was asked for
	node    *node
	path    []elem
	out     []leaf
	values  []string
	place   []elem // of the entry
}

// match follows the path of an entry with the given keys. The result is empty when nothing
// of the entry was asked for.
func (k *kind) match(p *program, values []string) states {
	s := p.start
	for _, n := range k.path {
		here := values[:len(n.keys)]
		values = values[len(n.keys):]
		if s = p.step(s, n.name, n.keys, here); s.empty() {
			break
		}
	}
	return s
}

// render gives what p and f select of a fact. ok is false when that is nothing.
func (w *writer) render(k *kind, e inventory.Entry, p *program, f filter) (r rendered, ok bool) {
	w.values = k.keys(e.Fact, w.values[:0])
	s := k.match(p, w.values)
	if s.empty() {
		return r, false
	}
	w.program, w.filter, w.state, w.whole = p, f, s, p.whole(s)
	w.node, w.path, w.out, w.place = k.node, nil, w.out[:0], w.place[:0]
	if !k.guest { // the keys are the host's
		own := w.values[len(w.values)-len(k.node.keys):]
		for i, name := range k.node.keys {
			w.leaf(name, str(own[i]))
		}
	}
	k.leaves(e, w)
	if len(w.out) == 0 {
		return r, false
	}
	rest := w.values
	for _, n := range k.path {
		w.place = append(w.place, elem{n, rest[:len(n.keys):len(n.keys)]})
		rest = rest[len(n.keys):]
	}
	return rendered{kind: k, entry: w.place, leaves: w.out, time: e.Event.UnixNano()}, true
}

// leaf writes a leaf of the container that the writer is in. An empty text or list is a
// leaf that is not there.
func (w *writer) leaf(name string, v value) {
	if (v.kind == text || v.kind == identity) && v.text == "" || v.kind == texts && len(v.list) == 0 {
		return
	}
	w.always(name, v)
}

// always is leaf for a text that may be empty.
func (w *writer) always(name string, v value) {
	n := w.node.child(name)
	if w.filter != nil && !w.filter(n) || !w.whole && !w.program.accepts(w.program.step(w.state, name, nil, nil)) {
		return
	}
	w.out = append(w.out, leaf{in: w.path, node: n, value: v})
}

// in calls f for the container that a name leads to, unless nothing of it was asked for.
func (w *writer) in(name string, f func()) { w.descend(name, nil, f) }

// entry calls f for an entry of a list and writes its keys.
func (w *writer) entry(name string, keys []value, f func()) {
	values := make([]string, len(keys))
	for i, v := range keys {
		values[i] = v.key()
	}
	w.descend(name, values, func() {
		for i, key := range w.node.keys {
			w.leaf(key, keys[i])
		}
		f()
	})
}

func (w *writer) descend(name string, values []string, f func()) {
	node, state, whole, path := w.node, w.state, w.whole, w.path
	n := node.child(name)
	if !whole {
		w.state = w.program.step(state, name, n.keys, values)
		if w.state.empty() {
			w.state = state
			return
		}
		w.whole = w.program.whole(w.state)
	}
	w.node = n
	w.path = append(path[:len(path):len(path)], elem{n, values}) // leaves keep it
	f()
	w.node, w.state, w.whole, w.path = node, state, whole, path
}
