package records

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
)

// totals are what the records of one conversation add up to. What a conversation counted
// beyond them is its next record.
type totals struct {
	client netip.AddrPort
	last   time.Time
	sides  [2]sideTotals // from client, and to it
}

type sideTotals struct {
	flow.Counters
	lost int64
	hops []Hop // shared places, own counters
}

// as gives the totals with another end for the client, when that is what became known of who began.
func (t *totals) as(client, server netip.AddrPort) totals {
	if t.client != client && t.client == server {
		return totals{client, t.last, [2]sideTotals{t.sides[1], t.sides[0]}}
	}
	return totals{client, t.last, t.sides}
}

// add takes in a record.
func (t *totals) add(r *Record) {
	*t = t.as(r.Client.addrPort(), r.Server.addrPort())
	if r.Last.After(t.last) {
		t.last = r.Last
	}
	for i, d := range []*Direction{&r.Forward, &r.Reverse} {
		s := &t.sides[i]
		s.Counters.Add(d.Counters)
		s.lost += d.Lost
		if s.hops == nil {
			s.hops = make([]Hop, 0, len(d.Hops))
		}
		for j := range d.Hops {
			s.hop(d.Hops[j].Place).Add(d.Hops[j].Counters)
		}
	}
}

// hop gives the counters of a place, made if there are none.
func (s *sideTotals) hop(p *Place) *flow.Counters {
	for i := range s.hops {
		if h := &s.hops[i]; h.Place == p || *h.Place == *p {
			return &h.Counters
		}
	}
	s.hops = append(s.hops, Hop{Place: p})
	return &s.hops[len(s.hops)-1].Counters
}

// The totals in the log: version=2 │ strings │ identities (none) │ places │ conversations. They are written when
// the log begins a new file, because the records before are about to leave it.
const totalsVersion = 2

// totals encodes those of conversations. The result is the caller's.
func (e *encoder) totals(all map[string]*totals) []byte {
	e.reset()
	for id, t := range all {
		b := append(binary.AppendUvarint(e.buf, uint64(len(id))), id...)
		b = binary.AppendUvarint(appendAddr(b, t.client.Addr()), uint64(t.client.Port()))
		b = binary.AppendVarint(b, t.last.UnixMilli())
		for i := range t.sides {
			s := &t.sides[i]
			b = e.direction(b, &Direction{Counters: s.Counters, Lost: s.lost, Hops: s.hops})
		}
		e.buf = b
	}
	return e.assemble([]byte{totalsVersion}, len(all))
}

// decodeTotals is the inverse of totals. Its error is ErrCorrupt.
func decodeTotals(b []byte, in *interner) (map[string]*totals, error) {
	d := &decoder{b: b, intern: in}
	if d.byte() != totalsVersion {
		return nil, fmt.Errorf("%w: not totals", ErrCorrupt)
	}
	d.tables()
	n := d.count(10)
	all := make(map[string]*totals, n)
	for range n {
		id := string(d.bytes(d.uvarint()))
		t := &totals{client: netip.AddrPortFrom(d.addr(), uint16(d.uvarint())), last: time.UnixMilli(d.varint()).UTC()}
		for i := range t.sides {
			var side Direction
			d.direction(&side)
			t.sides[i] = sideTotals{side.Counters, side.Lost, side.Hops}
		}
		all[id] = t
	}
	return all, d.end()
}
