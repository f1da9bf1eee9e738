package stf

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

// handles are a table's entries by BMv2's handles: the lowest free number each. Nil is a number
// that is free again.
type handles []*engine.Entry

func (h *handles) add(e engine.Entry) {
	if i := slices.Index(*h, nil); i >= 0 {
		(*h)[i] = &e
		return
	}
	*h = append(*h, &e)
}

// remove frees the numbers of the entries that gone is true for.
func (h *handles) remove(gone func(*engine.Entry) bool) {
	for i, e := range *h {
		if e != nil && gone(e) {
			(*h)[i] = nil
		}
	}
	for n := len(*h); n > 0 && (*h)[n-1] == nil; n-- {
		*h = (*h)[:n-1]
	}
}

// indices are the numbers in use, as they stand in scripts.
func (h handles) indices() (list []string) {
	for i, e := range h {
		if e != nil {
			list = append(list, strconv.Itoa(i))
		}
	}
	return list
}

// cells are the indices of an array's cells, or of the entries of the table that it belongs to.
func (x *run) cells(direct bool, table string, size int) (list []string) {
	if direct {
		return x.handles[table].indices()
	}
	for i := range size {
		list = append(list, strconv.Itoa(i))
	}
	return list
}

// added takes note of a new entry's handle and name.
func (x *run) added(t *table, e engine.Entry, id string) error {
	h := x.handles[t.name]
	h.add(e)
	x.handles[t.name] = h
	if id == "" {
		return nil
	}
	id = strings.TrimPrefix(id, "$")
	if _, taken := x.named[id]; taken {
		return fmt.Errorf("there is an entry named %s already", id)
	}
	x.named[id] = namedEntry{t.name, e}
	return nil
}

// deleted forgets an entry's handle and name.
func (x *run) deleted(t *table, e engine.Entry) {
	same := func(o engine.Entry) bool {
		return o.Priority == e.Priority && slices.EqualFunc(o.Match, e.Match, sameMatch)
	}
	h := x.handles[t.name]
	h.remove(func(o *engine.Entry) bool { return same(*o) })
	x.handles[t.name] = h
	for id, n := range x.named {
		if n.table == t.name && same(n.entry) {
			delete(x.named, id)
		}
	}
}

func sameMatch(a, b engine.Match) bool {
	return a.Kind == b.Kind && a.Any == b.Any && a.PrefixLen == b.PrefixLen &&
		slices.Equal(a.Value, b.Value) && slices.Equal(a.Mask, b.Mask) && slices.Equal(a.High, b.High)
}

// entryOf finds the entry of a table that a command is about: $ID, or the entry's handle.
func (x *run) entryOf(what, table, index string) (engine.Entry, error) {
	if n, err := strconv.ParseUint(trimZeros(index), 0, 31); err == nil {
		entries := x.handles[table]
		if n >= uint64(len(entries)) || entries[n] == nil {
			return engine.Entry{}, fmt.Errorf("%s: table %s has no entry with handle %d", what, table, n)
		}
		return *entries[n], nil
	}
	e, ok := x.named[strings.TrimPrefix(index, "$")]
	switch {
	case !ok:
		return engine.Entry{}, fmt.Errorf("%s: no entry is named %s", what, index)
	case e.table != table:
		return engine.Entry{}, fmt.Errorf("%s belongs to table %s, and entry %s is in table %s", what, table, index, e.table)
	}
	return e.entry, nil
}
