package records

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
)

// A payload of the log that stands for itself, all integers as varints of encoding/binary:
//
//	version │ … │ strings │ identities │ places │ things
//
// Each of the last four begins with its count. Identities and places refer to strings by
// their index, things to identities and places. Batches and totals of the first version are such.
// docs/formats/records.md has the fields.
const batchVersion1 = 1

// identityTexts are the fields of an identity in the order of the format.
func identityTexts(id *flow.Identity) []*string {
	return []*string{&id.Cluster, &id.Namespace, &id.Pod, &id.PodUID, &id.Workload, &id.Service, &id.Node, &id.Switch, &id.Port, &id.Why}
}

func appendAddr(b []byte, a netip.Addr) []byte {
	raw := a.AsSlice()
	return append(append(b, byte(len(raw))), raw...)
}

// decoder reads a payload. The first thing that cannot be is kept in err; what follows is zero.
type decoder struct {
	b      []byte
	err    error
	intern *interner // nil: what is equal may be there twice

	conversation []byte // of the record that was read
	*tables
}

// tables are what payloads refer to by indexes.
type tables struct {
	strings    []string
	identities []*flow.Identity
	hops       []Hop // of the first version, without counters

	overlays []*flow.Outer
	places   []*Place
	placed   map[uint64]uint32 // index of the place, by those of its strings, of 32 bits each
	routes   []route
}

// decodeBatch1 reads a batch of the first version. Its error is ErrCorrupt.
func decodeBatch1(b []byte, in *interner) (number uint64, batch []Record, err error) {
	d := &decoder{b: b, intern: in, tables: &tables{}}
	d.byte() // the version
	number = d.uvarint()
	d.readTables1()
	batch = make([]Record, d.count(20))
	for i := range batch {
		d.record(&batch[i])
	}
	return number, batch, d.end()
}

// readTables1 reads what the things behind refer to.
func (d *decoder) readTables1() {
	d.strings = make([]string, d.count(1))
	for i := range d.strings {
		d.strings[i] = d.intern.text(d.bytes(d.uvarint()))
	}
	d.identities = make([]*flow.Identity, d.count(10))
	for i := range d.identities {
		d.identities[i] = d.readIdentity()
	}
	d.hops = make([]Hop, d.count(6))
	for i := range d.hops {
		d.hops[i] = Hop{Place: d.intern.place(Place{Switch: d.text(), Port: d.text()}), Outer: d.readOverlay()}
	}
}

func (d *decoder) readOverlay() *flow.Outer {
	return d.intern.overlay(flow.Outer{Kind: flow.Encapsulation(d.byte()), VNI: uint32(d.uvarint()), Src: d.addr(), Dst: d.addr()})
}

func (d *decoder) readIdentity() *flow.Identity {
	var id flow.Identity
	for _, s := range identityTexts(&id) {
		*s = d.text()
	}
	return d.intern.identity(id)
}

// end says whether everything could be read.
func (d *decoder) end() error {
	if d.err == nil && len(d.b) > 0 {
		d.fail("bytes are left over")
	}
	return d.err
}

func (d *decoder) fail(why string) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: payload: %s", ErrCorrupt, why)
	}
	d.b = nil
}

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.fail("it ends early")
		return 0
	}
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

func (d *decoder) bytes(n uint64) []byte {
	if n > uint64(len(d.b)) {
		d.fail("it ends early")
		return nil
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) uvarint() uint64 {
	if len(d.b) > 0 && d.b[0] < 0x80 { // nearly all are
		v := d.b[0]
		d.b = d.b[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail("an integer ends early or is too large")
		return 0
	}
	d.b = d.b[n:]
	return v
}

// skip passes over integers.
func (d *decoder) skip(integers int) {
	for i, b := range d.b {
		if integers == 0 {
			d.b = d.b[i:]
			return
		}
		if b < 0x80 {
			integers--
		}
	}
	if d.b = d.b[len(d.b):]; integers > 0 {
		d.fail("it ends early")
	}
}

func (d *decoder) varint() int64 {
	v := d.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

// count reads the number of things that take at least size bytes each.
func (d *decoder) count(size int) int {
	n := d.uvarint()
	if n > uint64(len(d.b)/size) {
		d.fail("a count is too large")
		return 0
	}
	return int(n)
}

func at[T any](d *decoder, list []T) (v T) {
	n := d.uvarint()
	if n >= uint64(len(list)) {
		d.fail("an index is too large")
		return v
	}
	return list[n]
}

func (d *decoder) text() string { return at(d, d.strings) }

func (d *decoder) addr() netip.Addr {
	n := d.byte()
	if n == 0 {
		return netip.Addr{}
	}
	a, ok := netip.AddrFromSlice(d.bytes(uint64(n)))
	if !ok {
		d.fail("an address is not of 4 or 16 bytes")
	}
	return a
}

func (d *decoder) microseconds() time.Duration {
	n := d.varint()
	if n < -1<<53 || n > 1<<53 {
		d.fail("a round trip is too long")
		return 0
	}
	return time.Duration(n) * time.Microsecond
}

func (d *decoder) record(r *Record) {
	moment := func() time.Time { return time.UnixMilli(d.varint()).UTC() }
	*r = Record{Time: moment(), First: moment(), Last: moment()}
	d.what(r)
	r.Conversation = string(d.conversation)
	d.direction(&r.Forward)
	d.direction(&r.Reverse)
}

// what reads of a record what is between its times and its directions. The identifier of its conversation is left as bytes.
func (d *decoder) what(r *Record) {
	d.conversation = d.bytes(d.uvarint())
	r.Protocol, r.ICMPType = flow.Protocol(d.uvarint()), uint16(d.uvarint())
	r.Opaque, r.Verdict = flow.Opaque(d.text()), Verdict(d.text())
	for _, end := range []*End{&r.Client, &r.Server} {
		*end = End{Address: d.addr(), Port: uint16(d.uvarint()), Who: at(d, d.identities)}
	}
	r.Handshake = flow.Handshake{State: flow.HandshakeState(d.text()), SYNs: d.byte(), SYNACKs: d.byte(),
		ServerRTT: d.microseconds(), ClientRTT: d.microseconds()}
}

func (d *decoder) direction(to *Direction) {
	*to = Direction{Counters: flow.Counters{Packets: d.uvarint(), Bytes: d.uvarint()}, Flags: d.byte(),
		Lost: d.varint(), Within: d.uvarint()}
	n := d.count(4)
	if n == 0 {
		return
	}
	to.Hops = make([]Hop, n)
	for i := range to.Hops {
		h := at(d, d.hops)
		h.Counters, h.Incomplete = flow.Counters{Packets: d.uvarint(), Bytes: d.uvarint()}, d.byte() == 1
		to.Hops[i] = h
	}
}
