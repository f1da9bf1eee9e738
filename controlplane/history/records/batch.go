package records

import (
	"encoding/binary"
	"fmt"
	"time"

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
	tables
)

// routeHops is how many hops one entry of the table of routes has; a longer route goes on in another.
const routeHops = 3

// mostHops bounds what a damaged file can make of a route.
const mostHops = 1 << 10

// route is an entry as the encoder looks for it.
type route struct {
	before     uint64 // number of the entry with the hops before, from 1; 0 for none
	hops       [routeHops]*Place
	incomplete [routeHops]bool
}

// batchEncoder makes payloads for one file of the log after another. Its buffers are used again.
type batchEncoder struct {
	strings    map[string]uint64
	identities map[*flow.Identity]uint64
	overlays   map[flow.Outer]uint64
	routes     map[route]uint64
	fresh      [tables][]byte // what is new in this batch
	count      [tables]int
	records    []byte
	out        []byte
}

func newBatchEncoder() *batchEncoder {
	return &batchEncoder{strings: map[string]uint64{}, identities: map[*flow.Identity]uint64{}, overlays: map[flow.Outer]uint64{}, routes: map[route]uint64{}}
}

// begin lets tables begin anew: the next batch is in another file of the log, or the last is not in it.
func (e *batchEncoder) begin() {
	clear(e.strings)
	clear(e.identities)
	clear(e.overlays)
	clear(e.routes)
}

// reset prepares for another payload, and says whether tables begin in it.
func (e *batchEncoder) reset() (anew bool) {
	for i := range e.fresh {
		e.fresh[i], e.count[i] = e.fresh[i][:0], 0
	}
	e.records = e.records[:0]
	return len(e.strings)+len(e.routes) == 0
}

// batch encodes records under a number. The result is valid until the next payload.
func (e *batchEncoder) batch(number uint64, batch []Record) []byte {
	anew := e.reset()
	base := batch[0].Time.UnixMilli()
	for i := range batch {
		e.record(base, &batch[i])
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

func (e *batchEncoder) overlay(o flow.Outer) uint64 {
	n, known := e.overlays[o]
	if !known {
		n = uint64(len(e.overlays))
		e.overlays[o] = n
		e.count[overlayTable]++
		b := binary.AppendUvarint(append(e.fresh[overlayTable], byte(o.Kind)), uint64(o.VNI))
		e.fresh[overlayTable] = appendAddr(appendAddr(b, o.Src), o.Dst)
	}
	return n
}

// route gives the number of the entry with the last of some hops, from 1; 0 for none.
func (e *batchEncoder) route(hops []Hop) (n uint64) {
	for len(hops) > 0 {
		r := route{before: n}
		part := hops[:min(routeHops, len(hops))]
		for i := range part {
			r.hops[i], r.incomplete[i] = part[i].Place, part[i].Incomplete
		}
		var known bool
		if n, known = e.routes[r]; !known {
			n = uint64(len(e.routes)) + 1
			e.routes[r] = n
			e.addRoute(&r, len(part))
		}
		hops = hops[len(part):]
	}
	return n
}

func (e *batchEncoder) addRoute(r *route, hops int) {
	e.count[routeTable]++
	b := append(binary.AppendUvarint(e.fresh[routeTable], r.before), byte(hops))
	var last flow.Outer
	var overlay uint64
	for i, p := range r.hops[:hops] {
		if i == 0 || p.Outer != last {
			last, overlay = p.Outer, e.overlay(p.Outer)
		}
		b = binary.AppendUvarint(binary.AppendUvarint(b, e.text(p.Switch)), e.text(p.Port))
		b = append(binary.AppendUvarint(b, overlay), bit(r.incomplete[i]))
	}
	e.fresh[routeTable] = b
}

func bit(v bool) byte {
	if v {
		return 1
	}
	return 0
}

func (e *batchEncoder) record(base int64, r *Record) {
	at := r.Time.UnixMilli()
	b := binary.AppendVarint(e.records, at-base)
	b = binary.AppendVarint(b, at-r.First.UnixMilli())
	b = binary.AppendVarint(b, at-r.Last.UnixMilli())
	b = append(binary.AppendUvarint(b, uint64(len(r.Conversation))), r.Conversation...) // hardly any is there twice
	b = binary.AppendUvarint(b, uint64(r.Protocol))
	b = binary.AppendUvarint(b, uint64(r.ICMPType))
	b = binary.AppendUvarint(b, e.text(string(r.Opaque)))
	b = binary.AppendUvarint(b, e.text(string(r.Verdict)))
	for _, end := range [2]*End{&r.Client, &r.Server} {
		b = appendAddr(b, end.Address)
		b = binary.AppendUvarint(b, uint64(end.Port))
		b = binary.AppendUvarint(b, e.identity(end.Who))
	}
	b = binary.AppendUvarint(b, e.text(string(r.Handshake.State)))
	b = append(b, r.Handshake.SYNs, r.Handshake.SYNACKs)
	b = binary.AppendVarint(b, r.Handshake.ServerRTT.Microseconds())
	b = binary.AppendVarint(b, r.Handshake.ClientRTT.Microseconds())
	e.records = e.direction(e.direction(b, &r.Forward), &r.Reverse)
}

func (e *batchEncoder) direction(b []byte, d *Direction) []byte {
	b = binary.AppendUvarint(b, d.Packets)
	b = binary.AppendUvarint(b, d.Bytes)
	b = append(b, d.Flags)
	b = binary.AppendVarint(b, d.Lost)
	b = binary.AppendUvarint(b, d.Within)
	b = binary.AppendUvarint(b, e.route(d.Hops))
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

// routeEntry is an entry as the decoder has it.
type routeEntry struct {
	before     uint64
	here, all  int // hops: of this entry, and with those before
	hops       [routeHops]*Place
	incomplete [routeHops]bool
}

// batchDecoder reads the batches of one file of the log, in order.
type batchDecoder struct {
	decoder
	overlays []flow.Outer
	routes   []routeEntry
}

func newBatchDecoder(in *interner) *batchDecoder { return &batchDecoder{decoder: decoder{intern: in}} }

// batch is the inverse of the encoder's, and reads the first version too. Its error is ErrCorrupt.
func (d *batchDecoder) batch(payload []byte) (number uint64, batch []Record, err error) {
	if len(payload) > 0 && payload[0] == batchVersion1 {
		return decodeBatch1(payload, d.intern)
	}
	d.b, d.err = payload, nil
	if version := d.byte(); version != batchVersion {
		return 0, nil, fmt.Errorf("%w: batch of version %d, this one knows %d", ErrCorrupt, version, batchVersion)
	}
	number = d.uvarint()
	anew := d.byte() == 1
	base := d.varint()
	d.readTables(anew)
	batch = make([]Record, d.count(20))
	for i := range batch {
		d.record(base, &batch[i])
	}
	return number, batch, d.end()
}

func (d *batchDecoder) readTables(anew bool) {
	if anew {
		d.strings, d.identities, d.overlays, d.routes = nil, nil, nil, nil
	}
	for range d.count(1) {
		d.strings = append(d.strings, d.intern.text(d.bytes(d.uvarint())))
	}
	for range d.count(10) {
		d.identities = append(d.identities, d.readIdentity())
	}
	for range d.count(4) {
		d.overlays = append(d.overlays, flow.Outer{Kind: flow.Encapsulation(d.byte()), VNI: uint32(d.uvarint()), Src: d.addr(), Dst: d.addr()})
	}
	for range d.count(6) {
		d.readRoute()
	}
}

func (d *batchDecoder) readRoute() {
	r := routeEntry{before: d.uvarint(), here: int(d.byte())}
	if r.before > uint64(len(d.routes)) || r.here < 1 || r.here > routeHops {
		d.fail("a route cannot be")
		return
	}
	if r.all = r.here; r.before > 0 {
		r.all += d.routes[r.before-1].all
	}
	if r.all > mostHops {
		d.fail("a route is too long")
		return
	}
	for i := range r.here {
		p := Place{Switch: d.text(), Port: d.text(), Outer: at(&d.decoder, d.overlays)}
		r.hops[i], r.incomplete[i] = d.intern.place(p), d.byte() == 1
	}
	d.routes = append(d.routes, r)
}

func (d *batchDecoder) record(base int64, r *Record) {
	ms := base + d.varint()
	moment := func(ago int64) time.Time { return time.UnixMilli(ms - ago).UTC() }
	*r = Record{Time: moment(0), First: moment(d.varint()), Last: moment(d.varint())}
	d.what(r)
	d.direction(&r.Forward)
	d.direction(&r.Reverse)
}

func (d *batchDecoder) direction(to *Direction) {
	*to = Direction{Counters: flow.Counters{Packets: d.uvarint(), Bytes: d.uvarint()}, Flags: d.byte(),
		Lost: d.varint(), Within: d.uvarint()}
	n := d.uvarint()
	switch {
	case n > uint64(len(d.routes)):
		d.fail("a route is not there")
		return
	case n == 0:
		return
	}
	to.Hops = make([]Hop, d.routes[n-1].all)
	for left := len(to.Hops); n > 0; {
		r := &d.routes[n-1]
		for i := range r.here {
			to.Hops[left-r.here+i] = Hop{Place: r.hops[i], Counters: to.Counters, Incomplete: r.incomplete[i]}
		}
		left, n = left-r.here, r.before
	}
	if d.byte() == 0 {
		return
	}
	for i := range to.Hops {
		to.Hops[i].Counters = flow.Counters{Packets: d.uvarint(), Bytes: d.uvarint()}
	}
}
