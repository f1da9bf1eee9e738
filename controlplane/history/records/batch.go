package records

import (
	"encoding/binary"
	"slices"

	"github.com/fabricscope/fabricscope/controlplane/flow"
)

// A payload of the log that holds a batch, all integers as varints of encoding/binary:
//
//	version=3 │ number │ anew │ ±base │ strings │ identities │ overlays │ routes │ records
//
// Each of the last five begins with its count. The tables go on from one batch to the next in a file, but where anew
// is 1 they begin: what a batch refers to by an index is in it, or in one between the last that began and it.
// docs/formats/records.md has the fields.
const batchVersion = 3

// The tables of a file, in the order of the format.
const (
	stringTable = iota
	identityTable
	overlayTable
	routeTable
	tableKinds
)

// routeHops is how many hops one entry of the table of routes has; a longer route goes on in another.
const routeHops = 3

// mostHops bounds what a damaged file can make of a route.
const mostHops = 1 << 10

// route is an entry of the table: some hops, and the number of the entry with those before, from 1; 0 for none. It has
// indexes only, which is nothing to the garbage collector.
type route struct {
	before uint32
	all    uint16 // hops: of this entry, and those before
	here   uint8  // of this entry
	hops   [routeHops]routeHop
}

// routeHop is a hop without counters.
type routeHop struct {
	place, overlay uint32
	incomplete     bool
}

// batchEncoder makes payloads for one file of the log after another. Its buffers are used again.
type batchEncoder struct {
	strings    map[string]uint64
	identities map[*flow.Identity]uint64
	overlays   map[*flow.Outer]uint64
	places     map[*Place]placeText
	routes     uint32
	file       uint32             // number of the file, from 1
	fresh      [tableKinds][]byte // what is new in this batch
	count      [tableKinds]int
	records    []byte
	out        []byte
}

// placeText are the indexes of a place's strings.
type placeText struct{ sw, port uint64 }

// noted is what the log's file already has of one side of a conversation: who is there, and the way that its packets
// take. Few routes are common to two conversations, and nearly all of a conversation's records have the same.
type noted struct {
	file  uint32 // the encoder's number of it; 0 for none
	at    uint32 // index of who
	route uint32
	who   *flow.Identity
	hops  []Hop
}

func newBatchEncoder() *batchEncoder {
	return &batchEncoder{strings: map[string]uint64{}, identities: map[*flow.Identity]uint64{}, overlays: map[*flow.Outer]uint64{},
		places: map[*Place]placeText{}, file: 1}
}

// begin lets tables begin anew: the next batch is in another file of the log, or the last is not in it.
func (e *batchEncoder) begin() {
	clear(e.strings)
	clear(e.identities)
	clear(e.overlays)
	clear(e.places)
	e.routes = 0
	e.file++
}

// reset prepares for another payload, and says whether tables begin in it.
func (e *batchEncoder) reset() (anew bool) {
	for i := range e.fresh {
		e.fresh[i], e.count[i] = e.fresh[i][:0], 0
	}
	e.records = e.records[:0]
	return len(e.strings) == 0 && e.routes == 0
}

// batch encodes records under a number, of conversations with these totals; nil where nothing is known of them. The
// result is valid until the next payload.
func (e *batchEncoder) batch(number uint64, batch []Record, of []*totals) []byte {
	anew := e.reset()
	base := batch[0].Time.UnixMilli()
	for i := range batch {
		r := &batch[i]
		if of == nil {
			e.record(base, r, &noted{}, &noted{})
			continue
		}
		t := of[i]
		client, server := t.sides[0].noted, t.sides[1].noted
		if t.client == r.Server.addrPort() && t.client != r.Client.addrPort() {
			client, server = server, client
		}
		e.record(base, r, client, server)
	}
	b := append(binary.AppendUvarint(append(e.out[:0], batchVersion), number), bit(anew))
	return e.assemble(binary.AppendVarint(b, base), len(batch))
}

// assemble puts what is new in the tables, and n things, behind a header.
func (e *batchEncoder) assemble(b []byte, n int) []byte {
	for i := range e.fresh {
		b = append(binary.AppendUvarint(b, uint64(e.count[i])), e.fresh[i]...)
	}
	e.out = append(binary.AppendUvarint(b, uint64(n)), e.records...)
	return e.out
}

func (e *batchEncoder) text(s string) uint64 {
	n, known := e.strings[s]
	if !known {
		n = uint64(len(e.strings))
		e.strings[s] = n
		e.count[stringTable]++
		e.fresh[stringTable] = append(binary.AppendUvarint(e.fresh[stringTable], uint64(len(s))), s...)
	}
	return n
}

func (e *batchEncoder) identity(id *flow.Identity) uint64 {
	n, known := e.identities[id]
	if !known {
		n = uint64(len(e.identities))
		e.identities[id] = n
		e.count[identityTable]++
		for _, s := range identityTexts(id) {
			e.fresh[identityTable] = binary.AppendUvarint(e.fresh[identityTable], e.text(*s))
		}
	}
	return n
}

func (e *batchEncoder) overlay(o *flow.Outer) uint32 {
	n, known := e.overlays[o]
	if !known {
		n = uint64(len(e.overlays))
		e.overlays[o] = n
		e.count[overlayTable]++
		b := binary.AppendUvarint(append(e.fresh[overlayTable], byte(o.Kind)), uint64(o.VNI))
		e.fresh[overlayTable] = appendAddr(appendAddr(b, o.Src), o.Dst)
	}
	return uint32(n)
}

func (e *batchEncoder) place(p *Place) placeText {
	h, known := e.places[p]
	if !known {
		h = placeText{e.text(p.Switch), e.text(p.Port)}
		e.places[p] = h
	}
	return h
}

// route adds some hops to the table, and gives the number of the entry with the last, from 1; 0 for none.
func (e *batchEncoder) route(hops []Hop) (n uint32) {
	var last *flow.Outer
	var overlay uint32
	for len(hops) > 0 {
		part := hops[:min(routeHops, len(hops))]
		b := append(binary.AppendUvarint(e.fresh[routeTable], uint64(n)), byte(len(part)))
		for i := range part {
			h := &part[i]
			if h.Outer != last {
				last, overlay = h.Outer, e.overlay(h.Outer)
			}
			p := e.place(h.Place)
			b = binary.AppendUvarint(binary.AppendUvarint(b, p.sw), p.port)
			b = append(binary.AppendUvarint(b, uint64(overlay)), bit(h.Incomplete))
		}
		e.fresh[routeTable] = b
		e.count[routeTable]++
		e.routes++
		n, hops = e.routes, hops[len(part):]
	}
	return n
}

// note makes sure that the file has who is at a side of a record, and the way from there.
func (e *batchEncoder) note(who *flow.Identity, d *Direction, n *noted) {
	if n.file != e.file {
		*n = noted{file: e.file}
	}
	if n.who != who {
		n.who, n.at = who, uint32(e.identity(who))
	}
	if !sameWay(n.hops, d.Hops) {
		n.hops, n.route = d.Hops, e.route(d.Hops)
	}
}

// sameWay says that hops are the same but for what they counted.
func sameWay(a, b []Hop) bool {
	return slices.EqualFunc(a, b, func(a, b Hop) bool {
		return a.Place == b.Place && a.Outer == b.Outer && a.Incomplete == b.Incomplete
	})
}

func bit(v bool) byte {
	if v {
		return 1
	}
	return 0
}

func (e *batchEncoder) record(base int64, r *Record, client, server *noted) {
	e.note(r.Client.Who, &r.Forward, client)
	e.note(r.Server.Who, &r.Reverse, server)
	at := r.Time.UnixMilli()
	b := binary.AppendVarint(e.records, at-base)
	b = binary.AppendVarint(b, at-r.First.UnixMilli())
	b = binary.AppendVarint(b, at-r.Last.UnixMilli())
	b = append(binary.AppendUvarint(b, uint64(len(r.Conversation))), r.Conversation...) // hardly any is there twice
	b = binary.AppendUvarint(b, uint64(r.Protocol))
	b = binary.AppendUvarint(b, uint64(r.ICMPType))
	b = binary.AppendUvarint(b, e.text(string(r.Opaque)))
	b = binary.AppendUvarint(b, e.text(string(r.Verdict)))
	b = binary.AppendUvarint(binary.AppendUvarint(appendAddr(b, r.Client.Address), uint64(r.Client.Port)), uint64(client.at))
	b = binary.AppendUvarint(binary.AppendUvarint(appendAddr(b, r.Server.Address), uint64(r.Server.Port)), uint64(server.at))
	b = binary.AppendUvarint(b, e.text(string(r.Handshake.State)))
	b = append(b, r.Handshake.SYNs, r.Handshake.SYNACKs)
	b = binary.AppendVarint(b, r.Handshake.ServerRTT.Microseconds())
	b = binary.AppendVarint(b, r.Handshake.ClientRTT.Microseconds())
	e.records = appendDirection(appendDirection(b, &r.Forward, client.route), &r.Reverse, server.route)
}

func appendDirection(b []byte, d *Direction, route uint32) []byte {
	b = binary.AppendUvarint(b, d.Packets)
	b = binary.AppendUvarint(b, d.Bytes)
	b = append(b, d.Flags)
	b = binary.AppendVarint(b, d.Lost)
	b = binary.AppendUvarint(b, d.Within)
	b = binary.AppendUvarint(b, uint64(route))
	if len(d.Hops) == 0 {
		return b
	}
	differ := !uniform(d)
	if b = append(b, bit(differ)); differ {
		for i := range d.Hops {
			b = binary.AppendUvarint(binary.AppendUvarint(b, d.Hops[i].Packets), d.Hops[i].Bytes)
		}
	}
	return b
}
