package track

import (
	"hash/maphash"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
)

// joiner holds the conversations of the fabric. It has one owner. What there are many of is in
// slabs and has no pointers.
type joiner struct {
	maxFlows      int
	maxHops       int // of one conversation: who sends one tuple in ever other overlays makes a new one with each
	portName      func(sw string, number uint32) string
	places        places
	outers        outers
	hops          slab[hop]
	rings         slab[ring]
	conversations slab[conversation]
	byTuple       map[uint32]uint32 // the first conversation with a hash; conversation.same has the next
	wide          map[uint32]*wide  // by hop
	seed          maphash.Seed
	missed        map[string]int64 // by switch: when generations were last found to be unreported
	missedLast    int64            // the newest of them
	changed       fifo
	cursor        uint32 // the conversation that forget looked at last
	stats         joinerStats
	batch         uint32 // that what is taken is published with
	stored        uint32 // batches before this one outlive a crash
}

// joinerStats counts what was let go.
type joinerStats struct {
	forgotten uint64 // conversations that were silent for long enough
	displaced uint64 // and those that had to make room before
	refused   uint64 // flows that there was no room for: their packets are in no conversation
	crowded   uint64 // likewise, of conversations with too many hops
}

// conversation is one flow.Conversation in the making. Direction 0 is the shared tuple's.
type conversation struct {
	shared tuple
	count  uint8 // hops
	queued bool  // in joiner.changed
	hops   uint32
	same   uint32 // the next conversation with the same hash of its tuple
	live   uint32 // generations that still count
	id     uint64
}

func newJoiner(maxFlows, maxHops int, portName func(string, uint32) string) *joiner {
	return &joiner{maxFlows: maxFlows, maxHops: maxHops, portName: portName, missed: map[string]int64{},
		byTuple: map[uint32]uint32{}, wide: map[uint32]*wide{}, seed: maphash.MakeSeed()}
}

// add takes what the ledger of an account learned, and gives a flow that began its number.
func (j *joiner) add(a *account, d *delta) {
	if d.began {
		d.flow = j.begin(a, d)
	}
	if d.flow == 0 {
		return
	}
	h := j.hops.at(d.flow)
	c := j.conversations.at(h.conversation)
	if !c.queued {
		c.queued = true
		j.changed.push(h.conversation)
	}
	if d.ended {
		h.live--
		c.live--
	} else {
		j.advance(d.flow, h, d, &a.clock)
	}
	j.record(a.epochs, h, d)
}

// begin finds the hop of a flow, or makes it; 0 if there is no room.
func (j *joiner) begin(a *account, d *delta) uint32 {
	key := &d.half.Key
	shared, reversed := pair(key.Tuple)
	t := compact(shared)
	hash := j.hash(&t)
	number := j.find(hash, &t)
	place := j.places.of(a, key.IngressPort, j.portName)
	flow := j.hopOf(number, place, key.Outer, reversed)
	switch {
	case flow != 0:
		j.hops.at(flow).marks |= markAgain
	case place == 0 || j.hops.len() >= j.maxFlows:
		j.stats.refused++
		return 0
	case number != 0 && int(j.conversations.at(number).count) >= j.maxHops:
		j.stats.crowded++
		return 0
	default:
		if number == 0 {
			number = j.converse(hash, t, conversationID(shared, a.clock.at(d.first)))
		}
		flow = j.enter(number, place, key.Outer, reversed)
	}
	h := j.hops.at(flow)
	h.live++
	h.slot = d.slot
	j.conversations.at(number).live++
	return flow
}

// hash is that of a tuple: of the few that share one the conversations are in a list.
func (j *joiner) hash(t *tuple) uint32 { return uint32(maphash.Comparable(j.seed, *t)) }

// find gives the conversation of a tuple, 0 if there is none.
func (j *joiner) find(hash uint32, t *tuple) uint32 {
	number := j.byTuple[hash]
	for number != 0 && j.conversations.at(number).shared != *t {
		number = j.conversations.at(number).same
	}
	return number
}

// hopOf finds a hop of a conversation, 0 if there is none.
func (j *joiner) hopOf(number uint32, place uint16, o flow.Outer, reversed bool) uint32 {
	outer, known := j.outers.known(o)
	if number == 0 || !known {
		return 0
	}
	n := j.conversations.at(number).hops
	for n != 0 {
		h := j.hops.at(n)
		if h.place == place && h.outer == outer && h.is(markReversed) == reversed {
			break
		}
		n = h.next
	}
	return n
}

// converse makes a conversation.
func (j *joiner) converse(hash uint32, t tuple, id uint64) uint32 {
	number := j.conversations.add()
	*j.conversations.at(number) = conversation{shared: t, id: id, same: j.byTuple[hash]}
	j.byTuple[hash] = number
	return number
}

// enter makes a hop of a conversation.
func (j *joiner) enter(number uint32, place uint16, o flow.Outer, reversed bool) uint32 {
	c := j.conversations.at(number)
	n := j.hops.add()
	h := j.hops.at(n)
	*h = hop{conversation: number, next: c.hops, place: place, outer: j.outers.use(o)}
	if reversed {
		h.marks = markReversed
	}
	c.hops = n
	c.count++
	return n
}

// take gives up to n conversations that changed, those that have waited longest first. Each is
// as it stands now.
func (j *joiner) take(n int) []flow.Conversation {
	out := make([]flow.Conversation, 0, min(n, j.changed.len()))
	for len(out) < cap(out) {
		c := j.conversations.at(j.changed.pop())
		c.queued = false
		out = append(out, j.snapshot(c))
		j.publish(c)
		if c.live == 0 {
			j.settle(c)
		}
	}
	return out
}

// publish notes that all that a conversation has counted is in a record.
func (j *joiner) publish(c *conversation) {
	for n := c.hops; n != 0; n = j.hops.at(n).next {
		h := j.hops.at(n)
		unpublished := j.unpublished(n, h)
		if unpublished == (flow.Counters{}) {
			continue
		}
		p := &j.places.list[h.place]
		p.published.Add(unpublished)
		p.account.dirty = true
		h.batch = j.batch
		j.published(n, h)
	}
}

// anew begins the records of a switch's ports at zero: what of it is published later is of before.
func (j *joiner) anew(a *account) {
	for i := range j.places.list {
		if p := &j.places.list[i]; p.account == a {
			p.published = flow.Counters{}
		}
	}
	for n := uint32(1); n <= j.hops.last; n++ {
		if h := j.hops.at(n); j.places.list[h.place].account == a {
			j.published(n, h)
		}
	}
}

// outlives says that all that a flow has counted is in records that outlive a crash. Flows that
// are not followed have none.
func (j *joiner) outlives(flow uint32) bool {
	if flow == 0 {
		return true
	}
	h := j.hops.at(flow)
	return j.unpublished(flow, h).Packets == 0 && h.batch < j.stored
}

// settle gives up what is only needed to compare hops while a conversation goes on.
func (j *joiner) settle(c *conversation) {
	for n := c.hops; n != 0; n = j.hops.at(n).next {
		j.releaseRing(j.hops.at(n))
	}
}

// Of what there is, forget looks at one in forgetShare at a time, and at forgetLeast.
const (
	forgetShare = 64
	forgetLeast = 1024
)

// forget drops conversations that no slot counts any more and that were silent since before.
// Where there is little room left they need not have been silent for long. It looks at a part of
// all with each call.
func (j *joiner) forget(before time.Time) {
	limit := before.UnixNano()
	looks := max(forgetLeast, int(j.conversations.last)/forgetShare)
	for range min(looks, int(j.conversations.last)) {
		j.cursor++
		if j.cursor > j.conversations.last {
			j.cursor = 1
		}
		c := j.conversations.at(j.cursor)
		if c.hops == 0 || c.queued || c.live > 0 {
			continue
		}
		switch {
		case j.last(c) < limit:
			j.stats.forgotten++
		case j.hops.len() >= j.maxFlows-j.maxFlows/8:
			j.stats.displaced++
		default:
			continue
		}
		j.remove(j.cursor)
	}
}

// last is when the last packet of a conversation came.
func (j *joiner) last(c *conversation) (nanos int64) {
	for n := c.hops; n != 0; n = j.hops.at(n).next {
		nanos = max(nanos, j.hops.at(n).last)
	}
	return nanos
}

// remove drops a conversation with its hops.
func (j *joiner) remove(number uint32) {
	c := j.conversations.at(number)
	for n := c.hops; n != 0; {
		h := j.hops.at(n)
		next := h.next
		j.releaseRing(h)
		j.narrow(n, h)
		j.outers.leave(h.outer)
		j.hops.remove(n)
		n = next
	}
	j.unlink(number)
	j.conversations.remove(number)
}

// unlink takes a conversation out of those with the same hash.
func (j *joiner) unlink(number uint32) {
	c := j.conversations.at(number)
	hash := j.hash(&c.shared)
	at := j.byTuple[hash]
	switch {
	case at != number:
		for j.conversations.at(at).same != number {
			at = j.conversations.at(at).same
		}
		j.conversations.at(at).same = c.same
	case c.same != 0:
		j.byTuple[hash] = c.same
	default:
		delete(j.byTuple, hash)
	}
}

func (h *hop) is(mark uint8) bool { return h.marks&mark != 0 }
