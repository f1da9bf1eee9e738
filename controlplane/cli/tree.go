package cli

import (
	"maps"
	"slices"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
)

// branch is a container of the data that was read, or an entry of a list.
type branch struct {
	keys   map[string]string // of a list entry
	leaves map[string]*gpb.TypedValue
	nodes  map[string]*branch // containers by name
	lists  map[string]*list   // lists by name
}

// list has the entries of a list in the order in which they came.
type list struct {
	entries []*branch
	index   map[string]*branch
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
	l, isList := b.lists[e.GetName()]
	switch {
	case isList && len(e.GetKey()) > 0:
		id := entryID(e.GetKey())
		entry, ok := l.index[id]
		if !ok {
			return
		}
		if entry.remove(rest); !entry.empty() {
			return
		}
		delete(l.index, id)
		l.entries = slices.DeleteFunc(l.entries, func(o *branch) bool { return o == entry })
	case isList:
		delete(b.lists, e.GetName())
	case b.nodes[e.GetName()] != nil:
		node := b.nodes[e.GetName()]
		if node.remove(rest); node.empty() {
			delete(b.nodes, e.GetName())
		}
	default:
		delete(b.leaves, e.GetName())
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
		place, name := at.walk(elems[:len(elems)-1]), elems[len(elems)-1].GetName()
		if place.leaves == nil {
			place.leaves = map[string]*gpb.TypedValue{}
		}
		place.leaves[name] = u.GetVal()
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

func (b *branch) node(name string) *branch {
	if n, ok := b.nodes[name]; ok {
		return n
	}
	if b.nodes == nil {
		b.nodes = map[string]*branch{}
	}
	n := &branch{}
	b.nodes[name] = n
	return n
}

func (b *branch) entry(e *gpb.PathElem) *branch {
	l, ok := b.lists[e.GetName()]
	if !ok {
		if b.lists == nil {
			b.lists = map[string]*list{}
		}
		l = &list{index: map[string]*branch{}}
		b.lists[e.GetName()] = l
	}
	id := entryID(e.GetKey())
	if n, ok := l.index[id]; ok {
		return n
	}
	n := &branch{keys: e.GetKey()}
	l.index[id] = n
	l.entries = append(l.entries, n)
	return n
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
		n, ok := b.nodes[name]
		if !ok {
			return &branch{}
		}
		b = n
	}
	return b
}

// each gives the entries of the list that path ends with.
func (b *branch) each(path ...string) []*branch {
	last := len(path) - 1
	l, ok := b.in(path[:last]...).lists[path[last]]
	if !ok {
		return nil
	}
	return l.entries
}

func (b *branch) text(leaf string) string   { return b.leaves[leaf].GetStringVal() }
func (b *branch) number(leaf string) uint64 { return b.leaves[leaf].GetUintVal() }
func (b *branch) signed(leaf string) int64  { return b.leaves[leaf].GetIntVal() }
func (b *branch) truth(leaf string) bool    { return b.leaves[leaf].GetBoolVal() }

func (b *branch) has(leaf string) bool { _, ok := b.leaves[leaf]; return ok }

// texts gives a leaf-list; never nil.
func (b *branch) texts(leaf string) []string {
	out := []string{}
	for _, e := range b.leaves[leaf].GetLeaflistVal().GetElement() {
		out = append(out, e.GetStringVal())
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
