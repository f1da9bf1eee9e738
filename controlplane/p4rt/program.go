package p4rt

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/protobuf/proto"
)

// Program is a compiled P4 program: what a switch is to run, and the names in it. It is
// immutable and safe for concurrent use.
type Program struct {
	info   *p4config.P4Info
	device []byte
	cookie uint64

	tables    map[string]*table
	tableIDs  map[uint32]*table
	actions   map[uint32]*action
	digests   map[string]*digest
	digestIDs map[uint32]*digest
	counters  map[string]uint32
	packetIn  *Layout
	packetOut *Layout
}

// Field is one named number: a match field, a parameter, a digest member or a field of a
// controller header.
type Field struct {
	Name string
	ID   uint32
	Bits int // width; 0 where the program does not say
}

// Layout is an ordered list of fields; values that go with it are in the same order.
type Layout struct {
	Name   string
	fields []Field
	index  map[string]int
	ids    map[uint32]int
}

type table struct {
	name    string
	id      uint32
	match   *Layout
	kinds   []p4config.MatchField_MatchType
	ordered bool // entries need a priority
	actions map[string]*action
}

type action struct {
	name   string
	id     uint32
	params *Layout
}

type digest struct {
	id     uint32
	layout *Layout
}

// NewProgram indexes a program. device is what the target's compiler made (for BMv2 its
// JSON); info is the P4Info that belongs to it.
func NewProgram(info *p4config.P4Info, device []byte) (*Program, error) {
	p := &Program{
		info: info, device: device,
		tables: map[string]*table{}, tableIDs: map[uint32]*table{}, actions: map[uint32]*action{},
		digests: map[string]*digest{}, digestIDs: map[uint32]*digest{}, counters: map[string]uint32{},
		packetIn: newLayout("packet_in", nil), packetOut: newLayout("packet_out", nil),
	}
	for _, a := range info.GetActions() {
		fields := make([]Field, 0, len(a.Params))
		for _, q := range a.Params {
			fields = append(fields, Field{q.Name, q.Id, int(q.Bitwidth)})
		}
		name := a.GetPreamble().GetName()
		p.actions[a.GetPreamble().GetId()] = &action{name, a.GetPreamble().GetId(), newLayout(name, fields)}
	}
	for _, t := range info.GetTables() {
		if err := p.addTable(t); err != nil {
			return nil, err
		}
	}
	for _, d := range info.GetDigests() {
		if err := p.addDigest(d); err != nil {
			return nil, err
		}
	}
	for _, c := range info.GetCounters() {
		p.counters[c.GetPreamble().GetName()] = c.GetPreamble().GetId()
	}
	for _, h := range info.GetControllerPacketMetadata() {
		p.addController(h)
	}
	var err error
	p.cookie, err = cookieOf(info, device)
	return p, err
}

// cookieOf names a pipeline by its content. Another build of the encoder may order bytes
// differently; then a pipeline is pushed once more than necessary.
func cookieOf(info *p4config.P4Info, device []byte) (uint64, error) {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(info)
	if err != nil {
		return 0, fmt.Errorf("P4Info: encode: %w", err)
	}
	h := sha256.New()
	h.Write(b)
	h.Write(device)
	// 0 would read as no cookie at all.
	return binary.BigEndian.Uint64(h.Sum(nil)) | 1, nil
}

func (p *Program) addTable(t *p4config.Table) error {
	pre := t.GetPreamble()
	out := &table{name: pre.GetName(), id: pre.GetId(), actions: map[string]*action{}}
	var fields []Field
	for _, m := range t.MatchFields {
		fields = append(fields, Field{m.Name, m.Id, int(m.Bitwidth)})
		kind := m.GetMatchType()
		out.kinds = append(out.kinds, kind)
		switch kind {
		case p4config.MatchField_TERNARY, p4config.MatchField_RANGE, p4config.MatchField_OPTIONAL:
			out.ordered = true
		}
	}
	out.match = newLayout(out.name, fields)
	for _, r := range t.ActionRefs {
		a, ok := p.actions[r.Id]
		if !ok {
			return fmt.Errorf("P4Info: table %s: action %#x: %w", out.name, r.Id, ErrUnknownName)
		}
		out.actions[a.name] = a
	}
	p.tables[out.name], p.tableIDs[out.id] = out, out
	return nil
}

func (p *Program) addDigest(d *p4config.Digest) error {
	pre := d.GetPreamble()
	ref := d.GetTypeSpec().GetStruct().GetName()
	spec, ok := p.info.GetTypeInfo().GetStructs()[ref]
	if !ok {
		return fmt.Errorf("P4Info: digest %s: its type is not a struct of the program", pre.GetName())
	}
	var fields []Field
	for i, m := range spec.Members {
		fields = append(fields, Field{m.Name, uint32(i + 1), p.width(m.TypeSpec)})
	}
	out := &digest{pre.GetId(), newLayout(pre.GetName(), fields)}
	p.digests[pre.GetName()], p.digestIDs[out.id] = out, out
	return nil
}

// width is the size of a digest member in bits: a bit string, a Boolean or an enumeration.
func (p *Program) width(t *p4config.P4DataTypeSpec) int {
	switch {
	case t.GetBitstring().GetBit() != nil:
		return int(t.GetBitstring().GetBit().GetBitwidth())
	case t.GetBool() != nil:
		return 1
	case t.GetSerializableEnum() != nil:
		e := p.info.GetTypeInfo().GetSerializableEnums()[t.GetSerializableEnum().GetName()]
		return int(e.GetUnderlyingType().GetBitwidth())
	}
	return 0
}

func (p *Program) addController(h *p4config.ControllerPacketMetadata) {
	var fields []Field
	for _, m := range h.Metadata {
		fields = append(fields, Field{m.Name, m.Id, int(m.Bitwidth)})
	}
	switch name := h.GetPreamble().GetName(); name {
	case "packet_in":
		p.packetIn = newLayout(name, fields)
	case "packet_out":
		p.packetOut = newLayout(name, fields)
	}
}

// Cookie identifies the program: equal cookies, equal P4Info and device configuration.
func (p *Program) Cookie() uint64 { return p.cookie }

// Digest gives the layout of a digest.
func (p *Program) Digest(name string) (*Layout, error) {
	d, ok := p.digests[name]
	if !ok {
		return nil, fmt.Errorf("digest %s: %w", name, ErrUnknownName)
	}
	return d.layout, nil
}

// PacketIn gives the layout of the header in front of packet-ins; empty if the program has none.
func (p *Program) PacketIn() *Layout { return p.packetIn }

// PacketOut gives the layout of the header in front of packet-outs; empty if the program has none.
func (p *Program) PacketOut() *Layout { return p.packetOut }

func (p *Program) counter(name string) (uint32, error) {
	id, ok := p.counters[name]
	if !ok {
		return 0, fmt.Errorf("counter %s: %w", name, ErrUnknownName)
	}
	return id, nil
}

// describe names an update for messages.
func (p *Program) describe(u *p4v1.Update) string {
	op := u.GetType().String()
	switch e := u.GetEntity().GetEntity().(type) {
	case *p4v1.Entity_TableEntry:
		if entry, err := p.Decode(e.TableEntry); err == nil {
			return op + " " + entry.String()
		}
		return fmt.Sprintf("%s entry of table %#x", op, e.TableEntry.GetTableId())
	case *p4v1.Entity_DigestEntry:
		if d, ok := p.digestIDs[e.DigestEntry.GetDigestId()]; ok {
			return op + " digest " + d.layout.Name
		}
	case *p4v1.Entity_PacketReplicationEngineEntry:
		return fmt.Sprintf("%s multicast group %d", op,
			e.PacketReplicationEngineEntry.GetMulticastGroupEntry().GetMulticastGroupId())
	}
	return fmt.Sprintf("%s %T", op, u.GetEntity().GetEntity())
}

func newLayout(name string, fields []Field) *Layout {
	l := &Layout{Name: name, fields: fields, index: map[string]int{}, ids: map[uint32]int{}}
	for i, f := range fields {
		l.index[f.Name], l.ids[f.ID] = i, i
	}
	return l
}

// Fields gives the fields in order.
func (l *Layout) Fields() []Field { return slices.Clone(l.fields) }

// Index gives the position of a field by its name.
func (l *Layout) Index(name string) (int, error) {
	i, ok := l.index[name]
	if !ok {
		return 0, fmt.Errorf("field %s of %s: %w", name, l.Name, ErrUnknownName)
	}
	return i, nil
}
