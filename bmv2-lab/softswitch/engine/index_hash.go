package engine

import (
	"slices"
	"sync/atomic"
)

// hashIndex is a hash table with open addressing over keys masked by one mask. Of entries
// with the same masked key it holds the one that wins; the others hang beneath it.
type hashIndex struct {
	mask  []uint64 // nil: all bits
	slots atomic.Pointer[[]hashSlot]

	// The writer's.
	live int // keys
	used int // slots that are not empty: live ones and gravestones
}

// hashSlot holds an entry and its hash. The hash is written before the entry, and never
// again in this array.
type hashSlot struct {
	hash  uint64
	entry atomic.Pointer[entry]
}

// gravestone is in slots whose entry was removed, so that probing goes on behind them.
var gravestone = &entry{}

// minSlots is the smallest hash table; it is a power of two, as all are.
const minSlots = 16

func newHashIndex(mask []uint64) *hashIndex {
	x := &hashIndex{mask: mask}
	slots := make([]hashSlot, minSlots)
	x.slots.Store(&slots)
	return x
}

func (x *hashIndex) find(key []uint64) *entry {
	if len(key) == 1 {
		w := key[0]
		if x.mask != nil {
			w &= x.mask[0]
		}
		return x.findWord(w)
	}
	h := hashKey(key, x.mask)
	slots := *x.slots.Load()
	last := uint64(len(slots) - 1)
	for i := h & last; ; i = (i + 1) & last {
		s := &slots[i]
		e := s.entry.Load()
		if e == nil {
			return nil
		}
		if s.hash == h && e != gravestone && e.sameKey(key, x.mask) {
			return e
		}
	}
}

// findWord is find for a masked key of one word.
func (x *hashIndex) findWord(key uint64) *entry {
	h := hashWord(key)
	slots := *x.slots.Load()
	last := uint64(len(slots) - 1)
	for i := h & last; ; i = (i + 1) & last {
		s := &slots[i]
		e := s.entry.Load()
		if e == nil {
			return nil
		}
		if s.hash == h && e != gravestone && e.short[0] == key {
			return e
		}
	}
}

func (e *entry) sameKey(key, mask []uint64) bool {
	if mask == nil {
		return slices.Equal(e.key, key)
	}
	for i, w := range key {
		if e.key[i] != w&mask[i] {
			return false
		}
	}
	return true
}

// slot is the slot of a masked key, or nil.
func (x *hashIndex) slot(key []uint64) *hashSlot {
	h := hashKey(key, nil)
	slots := *x.slots.Load()
	last := uint64(len(slots) - 1)
	for i := h & last; ; i = (i + 1) & last {
		s := &slots[i]
		e := s.entry.Load()
		if e == nil {
			return nil
		}
		if s.hash == h && e != gravestone && slices.Equal(e.key, key) {
			return s
		}
	}
}

func (x *hashIndex) insert(e *entry) {
	if s := x.slot(e.key); s != nil {
		s.entry.Store(s.entry.Load().with(e))
		return
	}
	if n := len(*x.slots.Load()); 4*(x.used+1) > 3*n {
		x.rebuild()
	}
	x.live++
	x.used++
	place(*x.slots.Load(), hashKey(e.key, nil), e)
}

// place puts an entry into the first empty slot for its hash.
func place(slots []hashSlot, hash uint64, e *entry) {
	last := uint64(len(slots) - 1)
	i := hash & last
	for slots[i].entry.Load() != nil {
		i = (i + 1) & last
	}
	slots[i].hash = hash
	slots[i].entry.Store(e)
}

// rebuild makes a table without gravestones, and with room.
func (x *hashIndex) rebuild() {
	size := minSlots
	for 2*size < 3*(x.live+1) {
		size *= 2
	}
	slots := make([]hashSlot, size)
	old := *x.slots.Load()
	for i := range old {
		if e := old[i].entry.Load(); e != nil && e != gravestone {
			place(slots, old[i].hash, e)
		}
	}
	x.used = x.live
	x.slots.Store(&slots)
}

func (x *hashIndex) remove(e *entry) {
	s := x.slot(e.key)
	rest := s.entry.Load().without(e)
	if rest == nil {
		rest = gravestone
		x.live--
	}
	s.entry.Store(rest)
}

// with enters an entry into a list of those with the same key, the best first.
func (e *entry) with(add *entry) *entry {
	if add.beats(e) {
		add.beneath = e
		return add
	}
	e.beneath = e.beneath.with(add)
	return e
}

// without takes an entry out of such a list.
func (e *entry) without(gone *entry) *entry {
	if e == gone {
		rest := e.beneath
		e.beneath = nil
		return rest
	}
	e.beneath = e.beneath.without(gone)
	return e
}
