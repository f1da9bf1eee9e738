package engine

import (
	"math/bits"
	"slices"
	"sync/atomic"
)

// Every kind of table is a list of tuples. A tuple holds the entries that compare the same
// bits of the key, in a hash table by the masked key: an exact table has one tuple, an LPM
// table one a prefix length, a ternary table one a mask. Tuples are tried by falling
// priority until none left can win. Range bounds are checked on what a tuple finds.
//
// The packet worker reads without locks: lists and hash chains are immutable and replaced
// through atomic pointers; writers of one table take turns.

// entry is one table entry. Its match never changes.
type entry struct {
	match    []Match // canonical
	key      []uint64
	ranges   []rangeBound
	rank     int32 // what wins: the priority, or the prefix length
	priority int32 // as the control plane sees it
	seq      uint64
	fixed    bool
	timeout  uint64
	act      atomic.Pointer[actionData]

	// Guarded by Switch.state.
	counter CounterData
	lastHit uint64
}

// rangeBound bounds a key field of several words.
type rangeBound struct {
	from, to  int // words of the key
	low, high []uint64
}

func (r *rangeBound) contains(key []uint64) bool {
	v := key[r.from:r.to]
	return wideUnsignedGE(v, r.low) && wideUnsignedGE(r.high, v)
}

// chain is a link of a hash chain: the entries with one masked key, the best first.
type chain struct {
	hash    uint64
	key     []uint64
	entries []*entry
	next    *chain
}

// hashTable is an array of chains; its size is a power of two.
type hashTable struct {
	slots []atomic.Pointer[chain]
}

func newHashTable(size int) *hashTable {
	return &hashTable{slots: make([]atomic.Pointer[chain], size)}
}

// tuple holds the entries that compare the same bits.
type tuple struct {
	mask  []uint64 // nil: all bits
	table atomic.Pointer[hashTable]

	// The writer's.
	chains int
	ranks  map[int32]int // entries by rank
}

// rankedTuple is a tuple in the order of lookup.
type rankedTuple struct {
	best int32 // the highest rank in it
	*tuple
}

// hashKey hashes a key, masked if mask is not nil.
func hashKey(key, mask []uint64) uint64 {
	const m = 0x9e3779b97f4a7c15
	h := uint64(0x243f6a8885a308d3)
	if mask == nil {
		for _, w := range key {
			hi, lo := bits.Mul64(h^w, m)
			h = hi ^ lo
		}
		return h
	}
	for i, w := range key {
		hi, lo := bits.Mul64(h^(w&mask[i]), m)
		h = hi ^ lo
	}
	return h
}

// lookup finds the chain for a key.
func (t *tuple) lookup(key []uint64) *chain {
	h := hashKey(key, t.mask)
	table := t.table.Load()
	for c := table.slots[h&uint64(len(table.slots)-1)].Load(); c != nil; c = c.next {
		if c.hash == h && t.equal(c.key, key) {
			return c
		}
	}
	return nil
}

func (t *tuple) equal(masked, key []uint64) bool {
	if t.mask == nil {
		for i, w := range key {
			if masked[i] != w {
				return false
			}
		}
		return true
	}
	for i, w := range key {
		if masked[i] != w&t.mask[i] {
			return false
		}
	}
	return true
}

// find yields the winning entry for a key, or nil.
func (t *Table) find(key []uint64) *entry {
	var best *entry
	for _, u := range *t.tuples.Load() {
		if best != nil && u.best < best.rank {
			break
		}
		c := u.lookup(key)
		if c == nil {
			continue
		}
		for _, e := range c.entries {
			if !e.inRanges(key) {
				continue
			}
			// Of equal ranks, the entry that came first wins.
			if best == nil || e.rank > best.rank || (e.rank == best.rank && e.seq < best.seq) {
				best = e
			}
			break
		}
	}
	return best
}

func (e *entry) inRanges(key []uint64) bool {
	for i := range e.ranges {
		if !e.ranges[i].contains(key) {
			return false
		}
	}
	return true
}

// insert adds an entry to its tuple. The caller is the table's only writer.
func (t *tuple) insert(e *entry) {
	t.ranks[e.rank]++
	h := hashKey(e.key, nil)
	table := t.table.Load()
	slot := &table.slots[h&uint64(len(table.slots)-1)]
	old := t.chainOf(slot.Load(), h, e.key)
	if old == nil {
		slot.Store(&chain{hash: h, key: e.key, entries: []*entry{e}, next: slot.Load()})
		if t.chains++; t.chains > len(table.slots) {
			t.grow()
		}
		return
	}
	at, _ := slices.BinarySearchFunc(old.entries, e, compareEntries)
	t.replace(slot, old, slices.Insert(slices.Clone(old.entries), at, e))
}

// compareEntries orders by falling rank, then by age.
func compareEntries(a, b *entry) int {
	if a.rank != b.rank {
		return int(b.rank) - int(a.rank)
	}
	if a.seq < b.seq {
		return -1
	}
	return 1
}

func (t *tuple) chainOf(c *chain, h uint64, key []uint64) *chain {
	for ; c != nil; c = c.next {
		if c.hash == h && slices.Equal(c.key, key) {
			return c
		}
	}
	return nil
}

// replace puts entries in the place of those of old; without any, the link goes.
func (t *tuple) replace(slot *atomic.Pointer[chain], old *chain, entries []*entry) {
	var rebuilt *chain
	for c := slot.Load(); c != nil; c = c.next {
		switch {
		case c != old:
			rebuilt = &chain{c.hash, c.key, c.entries, rebuilt}
		case len(entries) > 0:
			rebuilt = &chain{c.hash, c.key, entries, rebuilt}
		}
	}
	slot.Store(rebuilt)
}

// remove takes an entry out.
func (t *tuple) remove(e *entry) {
	if t.ranks[e.rank]--; t.ranks[e.rank] == 0 {
		delete(t.ranks, e.rank)
	}
	h := hashKey(e.key, nil)
	table := t.table.Load()
	slot := &table.slots[h&uint64(len(table.slots)-1)]
	old := t.chainOf(slot.Load(), h, e.key)
	rest := slices.DeleteFunc(slices.Clone(old.entries), func(x *entry) bool { return x == e })
	if len(rest) == 0 {
		t.chains--
	}
	t.replace(slot, old, rest)
}

// grow doubles the hash table.
func (t *tuple) grow() {
	old := t.table.Load()
	table := newHashTable(2 * len(old.slots))
	for i := range old.slots {
		for c := old.slots[i].Load(); c != nil; c = c.next {
			slot := &table.slots[c.hash&uint64(len(table.slots)-1)]
			slot.Store(&chain{c.hash, c.key, c.entries, slot.Load()})
		}
	}
	t.table.Store(table)
}

// best is the highest rank in the tuple.
func (t *tuple) best() int32 {
	best, first := int32(0), true
	for r := range t.ranks {
		if first || r > best {
			best, first = r, false
		}
	}
	return best
}
