package cli

import (
	"slices"
	"time"
)

// branch is a container of the data that was read, or an entry of a list. There are millions in a large cluster, most of
// which hold a few things: what they hold is looked for one by one.
type branch struct {
	keys   []key // of a list entry
	leaves []leaf
	nodes  []*node
	lists  []*list
}

type leaf struct {
	name  string
	value value
}

// node is a container in a container.
type node struct {
	name string
	branch
}

// list has the entries of a list in the order in which they came.
type list struct {
	name    string
	entries []*branch
	index   map[string]*branch // nil while there are few entries
}

// fewEntries is how many entries are looked through one by one.
const fewEntries = 8

// find gives an entry by its keys; nil for none.
func (l *list) find(keys []key) *branch {
	if l.index != nil {
		return l.index[entryID(keys)]
	}
	for _, e := range l.entries {
		if slices.Equal(e.keys, keys) {
			return e
		}
	}
	return nil
}

// add makes an entry that is not there yet.
func (l *list) add(keys []key) *branch {
	n := &branch{keys: slices.Clone(keys)}
	l.entries = append(l.entries, n)
	switch {
	case l.index != nil:
		l.index[entryID(keys)] = n
	case len(l.entries) > fewEntries:
		l.index = make(map[string]*branch, 2*len(l.entries))
		for _, e := range l.entries {
			l.index[entryID(e.keys)] = e
		}
	}
	return n
}

// drop takes an entry out.
func (l *list) drop(entry *branch) {
	if l.index != nil {
		delete(l.index, entryID(entry.keys))
	}
	l.entries = slices.DeleteFunc(l.entries, func(o *branch) bool { return o == entry })
}

// apply takes out what a note deletes and puts its leaves in their places.
func (b *branch) apply(n *note) {
	for _, gone := range n.deletes {
		b.remove(slices.Concat(n.prefix, gone))
	}
	if n.atomic {
		b.remove(n.prefix)
	}
	b.add(n)
}

// remove takes out what a path leads to, and what is empty without it.
func (b *branch) remove(path []element) {
	if len(path) == 0 {
		*b = branch{keys: b.keys}
		return
	}
	e, rest := path[0], path[1:]
	l, n := b.list(e.name), b.child(e.name)
	switch {
	case l != nil && len(e.keys) > 0:
		entry := l.find(e.keys)
		if entry == nil {
			return
		}
		if entry.remove(rest); entry.empty() {
			l.drop(entry)
		}
	case l != nil:
		b.lists = slices.DeleteFunc(b.lists, func(o *list) bool { return o == l })
	case n != nil:
		if n.remove(rest); n.empty() {
			b.nodes = slices.DeleteFunc(b.nodes, func(o *node) bool { return o == n })
		}
	default:
		b.leaves = slices.DeleteFunc(b.leaves, func(o leaf) bool { return o.name == e.name })
	}
}

// empty says whether there is nothing in the branch.
func (b *branch) empty() bool {
	for _, l := range b.lists {
		if len(l.entries) > 0 {
			return false
		}
	}
	return len(b.leaves)+len(b.nodes) == 0
}

// add puts the leaves of a note in their places.
func (b *branch) add(n *note) {
	if len(n.updates) == 0 {
		return
	}
	at := b.walk(n.prefix)
	for rest := n.updates; len(rest) > 0; {
		path := rest[0].path
		if len(path) == 0 {
			rest = rest[1:]
			continue
		}
		together := 1
		for together < len(rest) && beside(path, rest[together].path) {
			together++
		}
		in := at.walk(path[:len(path)-1])
		if in.leaves == nil {
			in.leaves = make([]leaf, 0, together)
		}
		for _, u := range rest[:together] {
			in.set(u.path[len(u.path)-1].name, u.value)
		}
		rest = rest[together:]
	}
}

// beside says whether two paths lead to leaves of the same container.
func beside(a, b []element) bool {
	return len(a) == len(b) && slices.EqualFunc(a[:len(a)-1], b[:len(b)-1], func(a, b element) bool {
		return a.name == b.name && slices.Equal(a.keys, b.keys)
	})
}

func (b *branch) walk(path []element) *branch {
	for _, e := range path {
		if len(e.keys) == 0 {
			b = b.node(e.name)
		} else {
			b = b.entry(e)
		}
	}
	return b
}

// set puts a leaf in its place.
func (b *branch) set(name string, v value) {
	for i := range b.leaves {
		if b.leaves[i].name == name {
			b.leaves[i].value = v
			return
		}
	}
	b.leaves = append(b.leaves, leaf{name, v})
}

// child gives a container; nil for none.
func (b *branch) child(name string) *node {
	for _, n := range b.nodes {
		if n.name == name {
			return n
		}
	}
	return nil
}

// list gives a list; nil for none.
func (b *branch) list(name string) *list {
	for _, l := range b.lists {
		if l.name == name {
			return l
		}
	}
	return nil
}

func (b *branch) node(name string) *branch {
	n := b.child(name)
	if n == nil {
		n = &node{name: name}
		b.nodes = append(b.nodes, n)
	}
	return &n.branch
}

func (b *branch) entry(e element) *branch {
	l := b.list(e.name)
	if l == nil {
		l = &list{name: e.name}
		b.lists = append(b.lists, l)
	}
	if n := l.find(e.keys); n != nil {
		return n
	}
	return l.add(e.keys)
}

// entryID is the keys of a list entry as one.
func entryID(keys []key) string {
	if len(keys) == 1 {
		return keys[0].value
	}
	var id []byte
	for _, k := range keys {
		id = append(append(id, k.value...), 0)
	}
	return string(id)
}

// key gives a key of a list entry.
func (b *branch) key(name string) string {
	for _, k := range b.keys {
		if k.name == name {
			return k.value
		}
	}
	return ""
}

// in gives the container at a path; an empty one when there is none.
func (b *branch) in(path ...string) *branch {
	for _, name := range path {
		n := b.child(name)
		if n == nil {
			return &branch{}
		}
		b = &n.branch
	}
	return b
}

// each gives the entries of the list that path ends with.
func (b *branch) each(path ...string) []*branch {
	last := len(path) - 1
	l := b.in(path[:last]...).list(path[last])
	if l == nil {
		return nil
	}
	return l.entries
}

// leaf gives the value of a leaf; that of none has no kind.
func (b *branch) leaf(name string) (v value) {
	for i := range b.leaves {
		if b.leaves[i].name == name {
			return b.leaves[i].value
		}
	}
	return v
}

func (b *branch) has(name string) bool {
	return slices.ContainsFunc(b.leaves, func(l leaf) bool { return l.name == name })
}

func (b *branch) text(leaf string) string { return b.leaf(leaf).text }

func (b *branch) number(leaf string) uint64 { return b.leaf(leaf).unsigned() }

func (b *branch) signed(leaf string) int64 {
	if v := b.leaf(leaf); v.kind == typedInt {
		return int64(v.number)
	}
	return 0
}

func (b *branch) truth(leaf string) bool { return b.leaf(leaf).truth() }

// texts gives a leaf-list; never nil.
func (b *branch) texts(leaf string) []string { return append([]string{}, b.leaf(leaf).list...) }

// instant gives a time leaf; the zero time when there is none.
func (b *branch) instant(leaf string) time.Time {
	if ns := b.number(leaf); ns != 0 {
		return time.Unix(0, int64(ns)).UTC()
	}
	return time.Time{}
}

// pairs gives a list of keys and values as a map; never nil.
func (b *branch) pairs(container, name string) map[string]string {
	m := map[string]string{}
	for _, e := range b.each(container, name) {
		m[e.key("key")] = e.in("state").text("value")
	}
	return m
}
