package engine

import (
	"math/bits"
	"sync/atomic"
)

// hashIndex is a hash table over keys masked by one mask. Of entries with the same masked key
// it holds the one that wins; the others hang beneath it.
type hashIndex struct {
	mask  []uint64 // nil: all bits
	words int      // of the key that an entry has beside its rest
	table atomic.Pointer[hashTable]

	// The writer's.
	live int // keys
	used int // slots that are not empty: live ones and gravestones
}

// hashTable has open addressing by groups of eight slots (after Google's Swiss tables). A byte
// for each slot tells a lookup of nearly all of the slots that it is not after without reading
// the entries: so it reads one entry, its own.
type hashTable []hashGroup

type hashGroup struct {
	tags  atomic.Uint64
	slots [8]atomic.Pointer[entry] // a slot's entry is written before its tag
}

// The tags of slots. Probing ends behind a group with an empty slot, and goes on behind
// gravestones. A slot with a key has bit 7 and seven bits of the hash.
const (
	emptyTag   = 0
	gravestone = 1

	everyTag = 0x0101010101010101
	fullTags = 0x80 * everyTag
)

// nearGroups is how many groups, with their entries, a cache of the processor keeps anyway.
const nearGroups = 32

// minGroups is of the smallest hash table; it is a power of two, as all are.
const minGroups = 2

func newHashIndex(tp *tableProgram, mask []uint64) *hashIndex {
	h := tp.hot()
	x := &hashIndex{mask: mask, words: h.key}
	t := make(hashTable, minGroups)
	x.table.Store(&t)
	return x
}

// place is the group where probing begins, and the tag.
func (t hashTable) place(hash uint64) (group, tag uint64) {
	return hash >> 7 & uint64(len(t)-1), hash&0x7f | 0x80
}

// zeros has bit 7 of each byte that is 0, and perhaps of bytes above the lowest of them.
func zeros(w uint64) uint64 { return (w - everyTag) &^ w & fullTags }

// lowest is the number of the lowest byte with its bit 7 set; m has no other bits, and one.
func lowest(m uint64) int { return bits.TrailingZeros64(m) / 8 }

func withTag(tags uint64, at int, tag uint64) uint64 { return tags&^(0xff<<(8*at)) | tag<<(8*at) }

func (x *hashIndex) find(key []uint64) *entry {
	if len(key) == 1 {
		w := key[0]
		if x.mask != nil {
			w &= x.mask[0]
		}
		return x.findWord(w)
	}
	t := *x.table.Load()
	i, tag := t.place(hashKey(key, x.mask))
	for {
		g := &t[i]
		tags := g.tags.Load()
		for m := zeros(tags ^ tag*everyTag); m != 0; m &= m - 1 {
			e := g.slots[lowest(m)].Load()
			if e != nil && x.same(e, key) {
				return e
			}
		}
		if zeros(tags) != 0 {
			return nil
		}
		i = (i + 1) & uint64(len(t)-1)
	}
}

// findWord is find for a masked key of one word. Memory that is near is looked at before the tags:
// most keys are where they would like to be.
func (x *hashIndex) findWord(key uint64) *entry {
	t := *x.table.Load()
	h := hashWord(key)
	i, tag := t.place(h)
	if len(t) <= nearGroups {
		if e := t[i].slots[h%8].Load(); e != nil && e.words[0] == key {
			return e
		}
	}
	for {
		g := &t[i]
		tags := g.tags.Load()
		for m := zeros(tags ^ tag*everyTag); m != 0; m &= m - 1 {
			e := g.slots[lowest(m)].Load()
			if e != nil && e.words[0] == key {
				return e
			}
		}
		if zeros(tags) != 0 {
			return nil
		}
		i = (i + 1) & uint64(len(t)-1)
	}
}

// same compares an entry's key with one that is not masked yet.
func (x *hashIndex) same(e *entry, key []uint64) bool {
	n := min(x.words, len(key), entryWords)
	if x.mask == nil {
		for i, w := range key[:n] {
			if e.words[i] != w {
				return false
			}
		}
	} else {
		mask := x.mask[:n]
		for i, w := range key[:n] {
			if e.words[i] != w&mask[i] {
				return false
			}
		}
	}
	for i := n; i < len(key); i++ {
		w := key[i]
		if x.mask != nil {
			w &= x.mask[i]
		}
		if e.key[i] != w {
			return false
		}
	}
	return true
}

// slot is where a masked key is: the group, nil if it is not there, and the slot of the group.
func (x *hashIndex) slot(key []uint64) (*hashGroup, int) {
	t := *x.table.Load()
	i, tag := t.place(hashKey(key, nil))
	for {
		g := &t[i]
		tags := g.tags.Load()
		for m := zeros(tags ^ tag*everyTag); m != 0; m &= m - 1 {
			at := lowest(m)
			if e := g.slots[at].Load(); e != nil && x.same(e, key) {
				return g, at
			}
		}
		if zeros(tags) != 0 {
			return nil, 0
		}
		i = (i + 1) & uint64(len(t)-1)
	}
}

func (x *hashIndex) insert(e *entry) {
	if g, at := x.slot(e.key); g != nil {
		s := &g.slots[at]
		s.Store(s.Load().with(e))
		return
	}
	t := *x.table.Load()
	if x.used+1 > 7*len(t) {
		t = x.rebuild()
	}
	x.live++
	if t.put(e) {
		x.used++
	}
}

// put enters an entry with a key that is not there. It says whether it took an empty slot.
func (t hashTable) put(e *entry) bool {
	i, tag := t.place(hashKey(e.key, nil))
	for {
		g := &t[i]
		tags := g.tags.Load()
		if free := ^tags & fullTags; free != 0 {
			at := int(tag % 8) // where it would like to be
			if free>>(8*at)&0x80 == 0 {
				at = lowest(free)
			}
			g.slots[at].Store(e)
			g.tags.Store(withTag(tags, at, tag))
			return tags>>(8*at)&0xff == emptyTag
		}
		i = (i + 1) & uint64(len(t)-1)
	}
}

// rebuild makes a table without gravestones, and with room.
func (x *hashIndex) rebuild() hashTable {
	groups := minGroups
	for 8*2*groups < 3*(x.live+1) {
		groups *= 2
	}
	t, old := make(hashTable, groups), *x.table.Load()
	for i := range old {
		for at := range old[i].slots {
			if e := old[i].slots[at].Load(); e != nil {
				t.put(e)
			}
		}
	}
	x.used = x.live
	x.table.Store(&t)
	return t
}

func (x *hashIndex) remove(e *entry) {
	g, at := x.slot(e.key)
	s := &g.slots[at]
	if rest := s.Load().without(e); rest != nil {
		s.Store(rest)
		return
	}
	tags := withTag(g.tags.Load(), at, gravestone)
	if zeros(tags) != 0 { // probing ends here anyway
		tags = withTag(tags, at, emptyTag)
		x.used--
	}
	g.tags.Store(tags)
	s.Store(nil)
	x.live--
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
