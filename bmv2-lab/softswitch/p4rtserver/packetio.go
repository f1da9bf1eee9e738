package p4rtserver

import (
	"slices"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

// packetHeader is a controller header: the metadata of packet-ins or packet-outs, packed in
// their order, bit by bit, in front of the packet (specification, section 6.4.6).
type packetHeader struct {
	fields []field // kind unused
	byID   map[uint32]int
	offset []int // of each field, in bits
	length int   // bytes
}

// maxHeader bounds a controller header, in bytes.
const maxHeader = 1024

func (s *schema) bindPackets(sw *engine.Switch) error {
	for _, m := range s.info.GetControllerPacketMetadata() {
		name := m.GetPreamble().GetName()
		h, err := s.bindPacketHeader(m, sw)
		if err != nil {
			return within(err, "controller header %q", name)
		}
		switch {
		case name == "packet_in" && s.packetIn == nil:
			s.packetIn = h
		case name == "packet_out" && s.packetOut == nil:
			s.packetOut = h
		default:
			return fail(codes.InvalidArgument, "controller header %q: one packet_in and one packet_out are possible", name)
		}
	}
	return nil
}

func (s *schema) bindPacketHeader(m *p4config.ControllerPacketMetadata, sw *engine.Switch) (*packetHeader, error) {
	h := &packetHeader{byID: map[uint32]int{}}
	widths, err := headerWidths(m, sw)
	if err != nil {
		return nil, err
	}
	bits := 0
	for i, f := range m.GetMetadata() {
		if _, taken := h.byID[f.GetId()]; taken || f.GetId() == 0 {
			return nil, fail(codes.InvalidArgument, "field %q: id %d is zero or taken", f.GetName(), f.GetId())
		}
		strings := s.namesOf(f.GetTypeName())
		if strings != nil {
			strings.fits(widths[i])
		}
		h.byID[f.GetId()] = i
		h.fields = append(h.fields, field{id: f.GetId(), name: f.GetName(), width: widths[i], names: strings})
		h.offset = append(h.offset, bits)
		bits += widths[i]
	}
	if h.length = (bits + 7) / 8; h.length > maxHeader {
		return nil, fail(codes.InvalidArgument, "%d bytes are more than %d", h.length, maxHeader)
	}
	return h, nil
}

// headerWidths are the widths of a controller header's fields in the program. The P4Info has
// them but for fields of types that are translated; the JSON has them all, and does not say
// which of its headers is the controller's: it is the one with these names in this order.
func headerWidths(m *p4config.ControllerPacketMetadata, sw *engine.Switch) ([]int, error) {
	var found []int
	for _, t := range sw.HeaderTypes() {
		widths, ok := widthsBy(m, t)
		if ok && found != nil && !slices.Equal(found, widths) {
			return nil, fail(codes.InvalidArgument, "the program has two types of headers with these fields, of different widths")
		}
		if ok {
			found = widths
		}
	}
	if found != nil {
		return found, nil
	}
	for _, f := range m.GetMetadata() {
		width, err := checkWidth(f.GetBitwidth())
		if err != nil {
			return nil, within(err, "field %q", f.GetName())
		}
		found = append(found, width)
	}
	return found, nil
}

// widthsBy are the widths of a type's fields, if it can be the controller header's.
func widthsBy(m *p4config.ControllerPacketMetadata, t []engine.FieldInfo) ([]int, bool) {
	if len(t) != len(m.GetMetadata()) {
		return nil, false
	}
	widths := make([]int, len(t))
	for i, f := range m.GetMetadata() {
		sameWidth := f.GetTypeName() != nil || int(f.GetBitwidth()) == t[i].Width
		if f.GetName() != t[i].Name || t[i].Width == 0 || !sameWidth {
			return nil, false
		}
		widths[i] = t[i].Width
	}
	return widths, true
}

// unpack splits a frame for the controller; ok is false if it is shorter than the header. A
// program without packet_in sends the frame as it is.
func (h *packetHeader) unpack(frame []byte) (in *p4.PacketIn, ok bool) {
	if h == nil {
		return &p4.PacketIn{Payload: append([]byte(nil), frame...)}, true
	}
	if len(frame) < h.length {
		return nil, false
	}
	in = &p4.PacketIn{
		Payload:  append([]byte(nil), frame[h.length:]...),
		Metadata: make([]*p4.PacketMetadata, len(h.fields)),
	}
	for i, f := range h.fields {
		in.Metadata[i] = &p4.PacketMetadata{MetadataId: f.id, Value: f.valueOut(takeBits(frame, h.offset[i], f.width))}
	}
	return in, true
}

// pack makes the frame that enters the switch at its CPU port.
func (h *packetHeader) pack(out *p4.PacketOut) ([]byte, error) {
	if h == nil {
		if len(out.GetMetadata()) != 0 {
			return nil, fail(codes.InvalidArgument, "the program's packet-outs have no metadata")
		}
		return append([]byte(nil), out.GetPayload()...), nil
	}
	frame := make([]byte, h.length, h.length+len(out.GetPayload()))
	seen := make([]bool, len(h.fields))
	for _, m := range out.GetMetadata() {
		i, ok := h.byID[m.GetMetadataId()]
		if !ok {
			return nil, fail(codes.InvalidArgument, "packet-out: no metadata field has id %d", m.GetMetadataId())
		}
		f := h.fields[i]
		if seen[i] {
			return nil, fail(codes.InvalidArgument, "packet-out: metadata field %q is there twice", f.name)
		}
		seen[i] = true
		v, err := f.valueIn(m.GetValue())
		if err != nil {
			return nil, within(err, "packet-out: metadata field %q", f.name)
		}
		putBits(frame, h.offset[i], f.width, v)
	}
	for i, ok := range seen {
		if !ok {
			return nil, fail(codes.InvalidArgument, "packet-out: metadata field %q is missing", h.fields[i].name)
		}
	}
	return append(frame, out.GetPayload()...), nil
}

// takeBits reads width bits that begin offset bits into b, most significant first.
func takeBits(b []byte, offset, width int) []byte {
	out := make([]byte, (width+7)/8)
	for i := range width {
		from := offset + width - 1 - i
		bit := b[from/8] >> (7 - from%8) & 1
		out[len(out)-1-i/8] |= bit << (i % 8)
	}
	return out
}

// putBits writes a value that fits in width bits into b, where they are still zero.
func putBits(b []byte, offset, width int, v []byte) {
	for i := range min(width, 8*len(v)) {
		to := offset + width - 1 - i
		bit := v[len(v)-1-i/8] >> (i % 8) & 1
		b[to/8] |= bit << (7 - to%8)
	}
}
