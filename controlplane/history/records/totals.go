package records

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
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
	hops []Hop // their counters are those of the side if alike; then they may be a record's own, and are not written to
	like bool

	noted *noted // in the log, of its records; who has taken writing owns it
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
	if client := r.Client.addrPort(); t.client != client {
		*t = t.as(client, r.Server.addrPort())
	}
	if r.Last.After(t.last) {
		t.last = r.Last
	}
	t.sides[0].add(&r.Forward)
	t.sides[1].add(&r.Reverse)
}

func (s *sideTotals) add(d *Direction) {
	fresh := s.hops == nil && s.Counters == (flow.Counters{})
	if fresh {
		s.hops, s.like = d.Hops, true
	}
	if s.like && !(samePlaces(s.hops, d.Hops) && uniform(d)) {
		s.apart(fresh)
	}
	s.Counters.Add(d.Counters)
	s.lost += d.Lost
	if s.like {
		return
	}
	for j := range d.Hops {
		s.hop(&d.Hops[j]).Add(d.Hops[j].Counters)
	}
}

// apart gives the hops counters of their own.
func (s *sideTotals) apart(fresh bool) {
	own := make([]Hop, 0, len(s.hops))
	for i := range s.hops {
		if !fresh {
			own = append(own, Hop{Place: s.hops[i].Place, Outer: s.hops[i].Outer, Counters: s.Counters})
		}
	}
	s.hops, s.like = own, false
}

// samePlaces says that two paths have the same places, none of them twice.
func samePlaces(a, b []Hop) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !a[i].sameAs(&b[i]) {
			return false
		}
		for j := range i {
			if a[i].sameAs(&a[j]) {
				return false
			}
		}
	}
	return true
}

// uniform says that every hop counted what the direction says.
func uniform(d *Direction) bool {
	for i := range d.Hops {
		if d.Hops[i].Counters != d.Counters {
			return false
		}
	}
	return true
}

// hop gives the counters of a hop, made if there are none.
func (s *sideTotals) hop(of *Hop) *flow.Counters {
	for i := range s.hops {
		if s.hops[i].sameAs(of) {
			return &s.hops[i].Counters
		}
	}
	s.hops = append(s.hops, Hop{Place: of.Place, Outer: of.Outer})
	return &s.hops[len(s.hops)-1].Counters
}

// counted gives the counters of a hop.
func (s *sideTotals) counted(of *Hop) flow.Counters {
	for i := range s.hops {
		if s.hops[i].sameAs(of) {
			if s.like {
				return s.Counters
			}
			return s.hops[i].Counters
		}
	}
	return flow.Counters{}
}

// direction is what the log has of a side.
func (s *sideTotals) direction() Direction {
	d := Direction{Counters: s.Counters, Lost: s.lost, Hops: s.hops}
	if s.like && !uniform(&d) {
		d.Hops = slices.Clone(s.hops)
		for i := range d.Hops {
			d.Hops[i].Counters = s.Counters
		}
	}
	return d
}

// The totals in the log, with the tables that batches have: version=4 │ anew │ strings │ identities (none) │ overlays │
// routes │ conversations. They are written when the log begins a new file, because the records before are about to leave it.
const totalsVersion = 4

// totals encodes those of conversations. The result is valid until the next payload.
func (e *batchEncoder) totals(all map[string]*totals) []byte {
	anew := e.reset()
	for id, t := range all {
		b := append(binary.AppendUvarint(e.records, uint64(len(id))), id...)
		b = binary.AppendUvarint(appendAddr(b, t.client.Addr()), uint64(t.client.Port()))
		b = binary.AppendVarint(b, t.last.UnixMilli())
		for i := range t.sides {
			d := t.sides[i].direction()
			b = appendDirection(b, &d, e.route(d.Hops))
		}
		e.records = b
	}
	return e.assemble(append(e.out[:0], totalsVersion, bit(anew)), len(all))
}

// totals is the inverse of the encoder's. Its error is ErrCorrupt.
func (d *batchDecoder) totals(payload []byte) (map[string]*totals, error) {
	if len(payload) > 0 && payload[0] == totalsVersion2 {
		return decodeTotals2(payload, d.intern)
	}
	d.b, d.err = payload, nil
	if d.byte() != totalsVersion {
		return nil, fmt.Errorf("%w: not totals", ErrCorrupt)
	}
	d.readTables(d.byte() == 1)
	return readTotals(&d.decoder, d.direction)
}

// totalsVersion2 is of totals with tables of their own.
const totalsVersion2 = 2

func decodeTotals2(b []byte, in *interner) (map[string]*totals, error) {
	d := &decoder{b: b, intern: in, tables: &tables{}}
	d.byte() // the version
	d.readTables1()
	return readTotals(d, d.direction)
}

func readTotals(d *decoder, direction func(*Direction)) (map[string]*totals, error) {
	n := d.count(10)
	all := make(map[string]*totals, n)
	for range n {
		id := string(d.bytes(d.uvarint()))
		t := &totals{client: netip.AddrPortFrom(d.addr(), uint16(d.uvarint())), last: time.UnixMilli(d.varint()).UTC()}
		for i := range t.sides {
			var side Direction
			direction(&side)
			t.sides[i] = sideTotals{Counters: side.Counters, lost: side.Lost, hops: side.Hops}
		}
		all[id] = t
	}
	return all, d.end()
}
