package records

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
)

// batchDecoder reads the batches of one file of the log, in order.
type batchDecoder struct {
	decoder
	base int64 // of the batch, in ms
	one  bool  // each record is used up before the next is read: they may share memory
	hops []Hop // of the one
}

// newBatchDecoder gives a decoder; with an interner, what several files have in common is there once.
func newBatchDecoder(in *interner) *batchDecoder {
	return &batchDecoder{decoder: decoder{intern: in, tables: newTables()}}
}

func newTables() *tables { return &tables{placed: map[uint64]uint32{}} }

// batch is the inverse of the encoder's, and reads the first version too. Its error is ErrCorrupt.
func (d *batchDecoder) batch(payload []byte) (number uint64, batch []Record, err error) {
	if len(payload) > 0 && payload[0] == batchVersion1 {
		return decodeBatch1(payload, d.intern)
	}
	number, n, err := d.open(payload)
	if err != nil {
		return 0, nil, err
	}
	batch = make([]Record, n)
	for i := range batch {
		d.record(&batch[i])
		batch[i].Conversation = string(d.conversation)
	}
	return number, batch, d.end()
}

// open reads of a payload what is before its records, and says how many these are. Where tables begin anew, the decoder
// has others from there on. Its error is ErrCorrupt.
func (d *batchDecoder) open(payload []byte) (number uint64, records int, err error) {
	d.b, d.err = payload, nil
	if version := d.byte(); version != batchVersion {
		return 0, 0, fmt.Errorf("%w: batch of version %d, this one knows %d", ErrCorrupt, version, batchVersion)
	}
	number = d.uvarint()
	anew := d.byte() == 1
	d.base = d.varint()
	d.readTables(anew)
	return number, d.count(20), d.err
}

func (d *batchDecoder) readTables(anew bool) {
	if anew {
		d.tables = newTables()
	}
	for range d.count(1) {
		d.strings = append(d.strings, d.intern.text(d.bytes(d.uvarint())))
	}
	for range d.count(10) {
		d.identities = append(d.identities, d.readIdentity())
	}
	for range d.count(4) {
		d.overlays = append(d.overlays, d.readOverlay())
	}
	for range d.count(6) {
		d.readRoute()
	}
}

func (d *batchDecoder) readRoute() {
	before := d.uvarint()
	r := route{here: d.byte()}
	if before > uint64(len(d.routes)) || r.here < 1 || r.here > routeHops {
		d.fail("a route cannot be")
		return
	}
	r.before, r.all = uint32(before), uint16(r.here)
	if before > 0 {
		r.all += d.routes[before-1].all
	}
	if r.all > mostHops {
		d.fail("a route is too long")
		return
	}
	for i := range r.here {
		r.hops[i] = routeHop{place: d.readPlace(), overlay: d.readOverlayIndex(), incomplete: d.byte() == 1}
	}
	if len(d.routes) == cap(d.routes) {
		d.routes = slices.Grow(d.routes, len(d.routes)+1) // there are millions; append would copy them more often
	}
	d.routes = append(d.routes, r)
}

func (d *batchDecoder) readPlace() uint32 {
	sw, port := d.uvarint(), d.uvarint()
	if sw >= uint64(len(d.strings)) || port >= uint64(len(d.strings)) {
		d.fail("an index is too large")
		return 0
	}
	n, known := d.placed[sw<<32|port]
	if !known {
		n = uint32(len(d.places))
		d.places = append(d.places, d.intern.place(Place{d.strings[sw], d.strings[port]}))
		d.placed[sw<<32|port] = n
	}
	return n
}

func (d *batchDecoder) readOverlayIndex() uint32 {
	n := d.uvarint()
	if n >= uint64(len(d.overlays)) {
		d.fail("an index is too large")
		return 0
	}
	return uint32(n)
}

// record reads a record; the identifier of its conversation is left as bytes.
func (d *batchDecoder) record(r *Record) {
	d.hops = d.hops[:0]
	ms := d.base + d.varint()
	moment := func(ago int64) time.Time { return time.UnixMilli(ms - ago).UTC() }
	*r = Record{Time: moment(0), First: moment(d.varint()), Last: moment(d.varint())}
	d.what(r)
	d.direction(&r.Forward)
	d.direction(&r.Reverse)
}

// recordKey is of a record what decides about its place in a segment, in ms where it is a time.
type recordKey struct {
	time, first    int64
	client, server netip.AddrPort
}

// key reads a record, and gives its key.
func (d *batchDecoder) key() (k recordKey) {
	k.time = d.base + d.varint()
	k.first = k.time - d.varint()
	d.skip(1)            // last packet
	d.bytes(d.uvarint()) // conversation
	d.skip(4)            // protocol, ICMP type, opaque, verdict
	k.client = netip.AddrPortFrom(d.addr(), uint16(d.uvarint()))
	d.skip(1)
	k.server = netip.AddrPortFrom(d.addr(), uint16(d.uvarint()))
	d.skip(2)  // identity, state of the handshake
	d.bytes(2) // SYNs, SYN-ACKs
	d.skip(2)  // round trips
	for range 2 {
		d.skip(2)  // packets, bytes
		d.bytes(1) // flags
		d.skip(2)  // lost, within
		switch n := d.uvarint(); {
		case n > uint64(len(d.routes)):
			d.fail("a route is not there")
		case n > 0 && d.byte() == 1:
			d.skip(2 * int(d.routes[n-1].all))
		}
	}
	return k
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
	to.Hops = d.room(int(d.routes[n-1].all))
	for left := len(to.Hops); n > 0; {
		r := &d.routes[n-1]
		left -= int(r.here)
		for i := range int(r.here) {
			h := &r.hops[i]
			to.Hops[left+i] = Hop{Place: d.places[h.place], Outer: d.overlays[h.overlay], Counters: to.Counters, Incomplete: h.incomplete}
		}
		n = uint64(r.before)
	}
	if d.byte() == 0 {
		return
	}
	for i := range to.Hops {
		to.Hops[i].Counters = flow.Counters{Packets: d.uvarint(), Bytes: d.uvarint()}
	}
}

// room gives memory for n hops.
func (d *batchDecoder) room(n int) []Hop {
	if !d.one {
		return make([]Hop, n)
	}
	d.hops = slices.Grow(d.hops, n)
	d.hops = d.hops[:len(d.hops)+n]
	return d.hops[len(d.hops)-n : len(d.hops) : len(d.hops)]
}
