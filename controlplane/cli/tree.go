package cli

import (
	"maps"
	"slices"
	"time"
	"unique"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
)

// branch is a container of the data that was read, or an entry of a list. There are millions in a large cluster, most of
// which hold a few things: what they hold is looked for one by one.
type branch struct {
	keys   map[string]string // of a list entry
	leaves []leaf
	nodes  []*node
	lists  []*list
}

// leaf is a value, of one of the types of gpb.TypedValue's field.
type leaf struct {
	name  string
	value any
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
func (l *list) find(keys map[string]string) *branch {
	if l.index != nil {
		return l.index[entryID(keys)]
	}
	for _, e := range l.entries {
		if maps.Equal(e.keys, keys) {
			return e
		}
	}
	return nil
}

// add makes an entry that is not there yet.
func (l *list) add(keys map[string]string) *branch {
	n := &branch{keys: keys}
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

// apply takes out what a notification deletes and puts its leaves in their places.
func (b *branch) apply(n *gpb.Notification) {
	for _, d := range n.GetDelete() {
		b.remove(slices.Concat(n.GetPrefix().GetElem(), d.GetElem()))
	}
	if n.GetAtomic() {
		b.remove(n.GetPrefix().GetElem())
	}
	b.add(n)
}

// remove takes out what a path leads to, and what is empty without it.
func (b *branch) remove(elems []*gpb.PathElem) {
	if len(elems) == 0 {
		*b = branch{keys: b.keys}
		return
	}
	e, rest := elems[0], elems[1:]
	l, n := b.list(e.GetName()), b.child(e.GetName())
	switch {
	case l != nil && len(e.GetKey()) > 0:
		entry := l.find(e.GetKey())
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
		b.leaves = slices.DeleteFunc(b.leaves, func(o leaf) bool { return o.name == e.GetName() })
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

// add puts the leaves of a notification in their places.
func (b *branch) add(n *gpb.Notification) {
	if len(n.GetUpdate()) == 0 {
		return
	}
	at := b.walk(n.GetPrefix().GetElem())
	for _, u := range n.GetUpdate() {
		elems := u.GetPath().GetElem()
		if len(elems) == 0 {
			continue
		}
		at.walk(elems[:len(elems)-1]).set(elems[len(elems)-1].GetName(), u.GetVal().GetValue())
	}
}

func (b *branch) walk(elems []*gpb.PathElem) *branch {
	for _, e := range elems {
		if len(e.GetKey()) == 0 {
			b = b.node(e.GetName())
		} else {
			b = b.entry(e)
		}
	}
	return b
}

// set puts a leaf in its place.
func (b *branch) set(name string, value any) {
	for i := range b.leaves {
		if b.leaves[i].name == name {
			b.leaves[i].value = value
			return
		}
	}
	b.leaves = append(b.leaves, leaf{shared(name), value})
}

// shared gives a name as others have it too: each came in a message of its own.
func shared(name string) string { return unique.Make(name).Value() }

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
		n = &node{name: shared(name)}
		b.nodes = append(b.nodes, n)
	}
	return &n.branch
}

func (b *branch) entry(e *gpb.PathElem) *branch {
	l := b.list(e.GetName())
	if l == nil {
		l = &list{name: shared(e.GetName())}
		b.lists = append(b.lists, l)
	}
	if n := l.find(e.GetKey()); n != nil {
		return n
	}
	return l.add(e.GetKey())
}

// entryID is the keys of a list entry as one.
func entryID(keys map[string]string) string {
	var id []byte
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		id = append(append(id, keys[name]...), 0)
	}
	return string(id)
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

// leaf gives the value of a leaf; nil for none.
func (b *branch) leaf(name string) any {
	for i := range b.leaves {
		if b.leaves[i].name == name {
			return b.leaves[i].value
		}
	}
	return nil
}

func (b *branch) has(leaf string) bool { return b.leaf(leaf) != nil }

func (b *branch) text(leaf string) string {
	if v, ok := b.leaf(leaf).(*gpb.TypedValue_StringVal); ok {
		return v.StringVal
	}
	return ""
}

func (b *branch) number(leaf string) uint64 {
	if v, ok := b.leaf(leaf).(*gpb.TypedValue_UintVal); ok {
		return v.UintVal
	}
	return 0
}

func (b *branch) signed(leaf string) int64 {
	if v, ok := b.leaf(leaf).(*gpb.TypedValue_IntVal); ok {
		return v.IntVal
	}
	return 0
}

func (b *branch) truth(leaf string) bool {
	v, ok := b.leaf(leaf).(*gpb.TypedValue_BoolVal)
	return ok && v.BoolVal
}

// texts gives a leaf-list; never nil.
func (b *branch) texts(leaf string) []string {
	out := []string{}
	if v, ok := b.leaf(leaf).(*gpb.TypedValue_LeaflistVal); ok {
		for _, e := range v.LeaflistVal.GetElement() {
			out = append(out, e.GetStringVal())
		}
	}
	return out
}

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
		m[e.keys["key"]] = e.in("state").text("value")
	}
	return m
}
