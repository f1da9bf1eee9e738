package track

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// A tracker that starts again goes on where the records of the last one end: conversations keep
// their identity, and of a slot that has counted on meanwhile only what is new is added. What the
// last one had not recorded when it was killed comes with the read-out, as if it had been away.

// state is how far the records of a switch go.
func (b *books) state(a *account) inventory.Ledger {
	l := inventory.Ledger{Switch: a.name, Incarnation: a.identity.name, FromZero: a.fromZero}
	records := map[uint32]flow.Counters{}
	for i := range b.joiner.places.list {
		if p := &b.joiner.places.list[i]; p.account == a {
			records[p.number] = p.published
		}
	}
	for number, p := range a.ports {
		l.Ports = append(l.Ports, inventory.LedgerPort{Number: number, Settled: p.settled,
			Total: inventory.Bucket(p.counters.Total), Buckets: inventory.Bucket(p.counters.Buckets),
			Records: inventory.Bucket(records[number]), Base: inventory.Bucket(p.base)})
		delete(records, number)
	}
	for number, n := range records { // ports whose counters were not read yet
		l.Ports = append(l.Ports, inventory.LedgerPort{Number: number, Settled: a.fromZero, Records: inventory.Bucket(n)})
	}
	slices.SortFunc(l.Ports, func(x, y inventory.LedgerPort) int { return cmp.Compare(x.Number, y.Number) })
	return l
}

// restore takes over what the store has of the last tracker.
func (b *books) restore() {
	b.number, b.joiner.batch = 1, 1 // what is restored is of batch 0
	if b.t.deps.Before == nil {
		return
	}
	for e := range b.t.deps.Before.All(inventory.KindLedger) {
		l := e.Fact.(inventory.Ledger)
		a := b.account(l.Switch)
		a.identity.name, a.fromZero = l.Incarnation, l.FromZero
		for _, p := range l.Ports {
			a.ports[p.Number] = &portBooks{settled: p.Settled, base: flow.Counters(p.Base),
				counters: PortCounters{Number: p.Number, Total: flow.Counters(p.Total), Buckets: flow.Counters(p.Buckets)}}
			*a.ledger.port(p.Number) = flow.Counters(p.Records)
			if n := b.joiner.places.of(a, p.Number, b.t.deps.PortName); n != 0 {
				b.joiner.places.list[n].published = flow.Counters(p.Records)
			}
		}
	}
	var all []flow.Conversation
	for e := range b.t.deps.Before.All(inventory.KindConversation) {
		all = append(all, e.Fact.(flow.Conversation))
	}
	// Of two with the same tuple the newest goes on.
	slices.SortFunc(all, func(x, y flow.Conversation) int { return cmp.Or(y.Last.Compare(x.Last), cmp.Compare(x.ID, y.ID)) })
	for i := range all {
		b.resume(&all[i])
	}
}

// resume makes a conversation of a record.
func (b *books) resume(f *flow.Conversation) {
	shared, reversed := pair(f.Tuple())
	t := compact(shared)
	j := b.joiner
	hash := j.hash(&t)
	id, err := hex.DecodeString(f.ID)
	if err != nil || len(id) != 8 || j.find(hash, &t) != 0 {
		return
	}
	number := j.converse(hash, t, binary.BigEndian.Uint64(id))
	for _, side := range []struct {
		hops     []flow.Hop
		flags    uint8
		reversed bool
	}{{f.ForwardHops, f.ForwardFlags, reversed}, {f.ReverseHops, f.ReverseFlags, !reversed}} {
		for i := range side.hops {
			b.resumeHop(number, &side.hops[i], side.flags, side.reversed)
		}
	}
	if j.conversations.at(number).hops == 0 {
		j.unlink(number)
		j.conversations.remove(number)
	}
}

// resumeHop makes a hop of a conversation, if there is room.
func (b *books) resumeHop(number uint32, f *flow.Hop, flags uint8, reversed bool) {
	j, a := b.joiner, b.account(f.Switch)
	place := j.places.of(a, f.Number, b.t.deps.PortName)
	if place == 0 || j.hops.len() >= j.maxFlows || int(j.conversations.at(number).count) >= j.maxHops {
		return
	}
	n := j.enter(number, place, f.Outer, reversed)
	h := j.hops.at(n)
	h.counters, h.flags, h.syns, h.synSeq = f.Counters, cmp.Or(f.Flags, flags), f.SYNs, f.SynSeq
	h.marks |= markAgain // how many generations have counted it is not recorded
	h.first, h.began, h.last = nanos(f.First), f.Began, nanos(f.Last)
	j.setLastSYN(n, h, nanos(f.LastSYN))
	j.setFirstACK(n, h, nanos(f.FirstACK))
	switch l := f.Live; {
	case f.Incomplete:
		h.marks |= markIncomplete
	case l == nil:
		h.openFrom = 1 // it has counted its last packet before any epoch that is still to come
	}
	if l := f.Live; l != nil && a.ledger.restore(l.Slot, l.Generation, l.Counters, n) {
		h.slot, h.live = l.Slot, 1
		j.conversations.at(number).live++
	}
}

// nanos is the reverse of moment.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}
