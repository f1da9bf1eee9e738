package gnmi

import (
	"cmp"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"unique"
	"unsafe"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// change is an update as all who want it share it.
type change struct {
	inventory.Update
	holders atomic.Int32 // places in backlogs that keep it

	once   sync.Once
	object unique.Handle[inventory.Ref] // set by once
}

// of gives a short name of the object.
func (c *change) of() unique.Handle[inventory.Ref] {
	c.once.Do(func() { c.object = unique.Make(c.Ref) })
	return c.object
}

// bytes is what it keeps from being collected: itself and the state before it, without what that points to, which later
// states mostly have as well.
func (c *change) bytes() int64 {
	n := int64(unsafe.Sizeof(*c))
	if c.Before.Fact != nil {
		n += int64(reflect.TypeOf(c.Before.Fact).Size())
	}
	return n
}

// placeBytes is what an object takes in a backlog, besides what it keeps: an entry of a map that is two thirds full.
const placeBytes = 64

// backlog is what a member has not read, merged for each object: what the member knew of it, whether that ended, and
// whether there is something now; what that is the view says when it is told. An object that came and went unseen is
// left out. So it takes memory for objects, not for time, and what it needs of the past it shares with other backlogs.
type backlog struct {
	objects map[unique.Handle[inventory.Ref]]waiting
	bytes   int64 // with all that it keeps, as if nobody else kept it
	owed    *owed
}

// owed is what all backlogs take, in bytes.
type owed struct {
	places, kept atomic.Int64 // kept has what several keep once
	alone        atomic.Int64 // as if they shared nothing
}

// all is what there is in memory.
func (o *owed) all() int64 { return o.places.Load() + o.kept.Load() }

// waiting is what waits of one object.
type waiting struct {
	first *change // the state before it is what the member knows
	end   *change // of what the member knows; nil when that goes on
	last  uint64  // the version of the last change
	left  uint32  // how many states were left out before the one that is there now
	there bool    // whether there is a state that the member does not know
}

// add merges a change.
func (b *backlog) add(c *change) {
	if b.objects == nil {
		b.objects = map[unique.Handle[inventory.Ref]]waiting{}
	}
	object := c.of()
	w, merged := b.objects[object]
	if !merged {
		w.first = c
		b.keep(c)
		b.grow(placeBytes)
	}
	switch {
	case c.Fact != nil && w.there:
		w.left++
	case c.Fact != nil:
		w.there = true
	case w.first.Before.Fact == nil:
		b.take(w)
		delete(b.objects, object)
		return
	default:
		b.release(w.end)
		b.keep(c)
		w.end, w.there, w.left = c, false, 0
	}
	w.last = c.Version
	b.objects[object] = w
}

func (b *backlog) keep(c *change) {
	n := c.bytes()
	if c.holders.Add(1) == 1 {
		b.owed.kept.Add(n)
	}
	b.count(n)
}

// release is the reverse of keep; of nil it is nothing.
func (b *backlog) release(c *change) {
	if c == nil {
		return
	}
	n := c.bytes()
	if c.holders.Add(-1) == 0 {
		b.owed.kept.Add(-n)
	}
	b.count(-n)
}

// take is the reverse of what add did for an object.
func (b *backlog) take(w waiting) {
	b.release(w.first)
	b.release(w.end)
	b.grow(-placeBytes)
}

func (b *backlog) grow(n int64) {
	b.owed.places.Add(n)
	b.count(n)
}

func (b *backlog) count(n int64) {
	b.bytes += n
	b.owed.alone.Add(n)
}

// drop forgets everything.
func (b *backlog) drop() {
	for _, w := range b.objects {
		b.take(w)
	}
	b.objects = nil
}

// merged is what became of an object that waited.
type merged struct {
	waiting
	ref inventory.Ref
	now inventory.Entry // its Fact is nil when there is nothing now
}

// ordered gives everything in the order in which it changed last. view is the state after the last change.
func (b *backlog) ordered(view inventory.View) []merged {
	all := make([]merged, 0, len(b.objects))
	for object, w := range b.objects {
		m := merged{waiting: w, ref: object.Value()}
		if w.there {
			m.now, _ = view.Get(m.ref)
		}
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, o merged) int { return cmp.Compare(a.last, o.last) })
	return all
}

// chain gives what waits as updates that follow each other.
func (m *merged) chain() []inventory.Update {
	known := m.first.Before
	var out []inventory.Update
	if m.end != nil {
		out = append(out, inventory.Update{Ref: m.ref, Entry: m.end.Entry, Before: known})
		known = inventory.Entry{}
	}
	if m.there {
		out = append(out, inventory.Update{Ref: m.ref, Entry: m.now, Before: known})
	}
	return out
}

// newest is the last thing that happened.
func (m *merged) newest() inventory.Entry {
	if m.there {
		return m.now
	}
	return m.end.Entry
}
