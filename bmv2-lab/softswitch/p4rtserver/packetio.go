package p4rtserver

import (
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

func (s *schema) bindPackets(*engine.Switch) error {
	for _, m := range s.info.GetControllerPacketMetadata() {
		name := m.GetPreamble().GetName()
		h, err := s.bindPacketHeader(m)
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

func (s *schema) bindPacketHeader(m *p4config.ControllerPacketMetadata) (*packetHeader, error) {
	h := &packetHeader{byID: map[uint32]int{}}
	bits := 0
	for i, f := range m.GetMetadata() {
		strings := s.namesOf(f.GetTypeName())
		if strings != nil && f.GetBitwidth() == 0 {
			// The JSON does not tell which of its headers the controller's is.
			return nil, fail(codes.Unimplemented, "field %q: its type is translated to a string, and the P4Info does not give its width", f.GetName())
		}
		width, err := checkWidth(f.GetBitwidth())
		if err != nil {
			return nil, within(err, "field %q", f.GetName())
		}
		if strings != nil {
			strings.fits(width)
		}
		if _, taken := h.byID[f.GetId()]; taken || f.GetId() == 0 {
			return nil, fail(codes.InvalidArgument, "field %q: id %d is zero or taken", f.GetName(), f.GetId())
		}
		h.byID[f.GetId()] = i
		h.fields = append(h.fields, field{id: f.GetId(), name: f.GetName(), width: width, names: strings})
		h.offset = append(h.offset, bits)
		bits += width
	}
	if h.length = (bits + 7) / 8; h.length > maxHeader {
		return nil, fail(codes.InvalidArgument, "%d bytes are more than %d", h.length, maxHeader)
	}
	return h, nil
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
