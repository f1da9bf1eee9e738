package engine

import "slices"

// entry is a table entry as a lookup sees it. With many entries a lookup costs what the memory
// costs that it touches, so all that it reads of most entries is in these 64 bytes, a cache
// line: the allocator puts objects of this length at its multiples. Its words are the masked key
// (of a long one the first words), then the direct counter and the time of the last hit if the
// table has them, then the parameters of the action if there is room for them; see hotWords.
type entry struct {
	words [entryWords]uint64
	*rest
	rank int32 // what wins: the priority, or the prefix length
	slot int32 // of the action whose parameters are in words; -1: act says what to run
}

const entryWords = 6

// rest is what few lookups read, and what the control plane keeps. The match never changes.
type rest struct {
	key      []uint64 // masked
	*partial          // nil: all bits of the key are compared
	seq      uint64
	beneath  *entry  // the next best with the same key in its hash table
	match    []Match // canonical
	priority int32
	place    int32 // in the bit vectors, or one of the two below
	fixed    bool

	// Guarded by Switch.state, as are words behind the key and slot.
	act     *actionData // writes hold Table.mu too
	timeout uint64
	meter   *meterCell // nil: the table has no direct meter
}

// Where entries are that have no place in the bit vectors.
const (
	inTuple     = -1
	inIntervals = -2
)

// partial is what an entry compares if that is not all bits of the key.
type partial struct {
	mask   []uint64
	ranges []rangeBound
}

// hotWords says what the words of a table's entries are: where what is named begins.
type hotWords struct {
	key     int // words of the key; it begins at 0
	counter int // packets and bytes; -1: none
	lastHit int // µs; -1: none
	params  int
}

// hot lays out the words of a table's entries.
func (tp *tableProgram) hot() hotWords {
	h := hotWords{counter: -1, lastHit: -1}
	others := 0
	if tp.counted {
		others += 2
	}
	if tp.ages {
		others++
	}
	h.key = min(tp.keyWords, entryWords-others)
	h.params = h.key
	if tp.counted {
		h.counter, h.params = h.params, h.params+2
	}
	if tp.ages {
		h.lastHit, h.params = h.params, h.params+1
	}
	return h
}

// newEntry makes an entry with a match and without an action.
func (h *hotWords) newEntry(m *matcher) *entry {
	e := &entry{rank: m.rank, slot: -1, rest: &rest{match: m.canon, place: inTuple}}
	if !m.exact {
		e.partial = &partial{m.mask, m.ranges}
	}
	e.setKey(h, m.key)
	return e
}

func (e *entry) setKey(h *hotWords, key []uint64) {
	copy(e.words[:h.key], key)
	if e.key = key; len(key) <= h.key {
		e.key = e.words[:len(key)]
	}
}

// setAction makes an action the entry's. The caller holds Switch.state, unless nobody else knows the
// entry yet.
func (e *entry) setAction(h *hotWords, d *actionData) {
	e.act, e.slot = d, -1
	if d.via == nil && len(d.params) <= entryWords-h.params {
		copy(e.words[h.params:], d.params)
		e.slot = int32(d.slot)
	}
}

// count counts a packet that hit the entry.
func (e *entry) count(h *hotWords, p *packet) {
	if h.counter >= 0 {
		c := e.words[h.counter : h.counter+2]
		c[0]++
		c[1] += uint64(p.inLength)
	}
	if h.lastHit >= 0 {
		e.words[h.lastHit] = p.now
	}
}

// counter is the direct counter of an entry; it stays 0 if the table has none.
func (e *entry) counter(h *hotWords) CounterData {
	if h.counter < 0 {
		return CounterData{}
	}
	return CounterData{Packets: e.words[h.counter], Bytes: e.words[h.counter+1]}
}

// setCounter sets the direct counter of an entry, if the table has them.
func (e *entry) setCounter(h *hotWords, c CounterData) {
	if h.counter >= 0 {
		e.words[h.counter], e.words[h.counter+1] = c.Packets, c.Bytes
	}
}

// rangeBound bounds a key field of several words.
type rangeBound struct {
	from, to    int    // words of the key
	least, most uint64 // the lowest words of the bounds
	low, high   []uint64
}

func (r *rangeBound) contains(key []uint64) bool {
	if r.to == r.from+1 {
		return key[r.from] >= r.least && key[r.from] <= r.most
	}
	v := key[r.from:r.to]
	return wideUnsignedGE(v, r.low) && wideUnsignedGE(r.high, v)
}

// maskOf is the bits of the key that an entry compares; nil is all.
func (e *entry) maskOf() []uint64 {
	if e.partial == nil {
		return nil
	}
	return e.mask
}

// matches compares an entry with a key, bit by bit.
func (e *entry) matches(key []uint64) bool {
	if e.partial == nil {
		return slices.Equal(e.key, key)
	}
	for i := range e.ranges {
		if !e.ranges[i].contains(key) {
			return false
		}
	}
	for i, w := range key {
		if e.key[i] != w&e.mask[i] {
			return false
		}
	}
	return true
}

// beats says whether an entry wins over another that matches too (nil: none does). Of equal
// ranks, the entry that came first wins.
func (e *entry) beats(o *entry) bool {
	return o == nil || e.rank > o.rank || (e.rank == o.rank && e.seq < o.seq)
}
