package p4rt

import (
	"context"
	"time"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
)

// Handler consumes what one session reports. The four methods are called by one goroutine,
// one after the other; a slow one fills the subscriber's queue.
type Handler interface {
	// Connected says that the session is primary, the pipeline is in place and digests are
	// on. fresh says that the pipeline was just pushed: tables, counters and registers began
	// empty. Connected may write and read; events wait meanwhile. ctx ends just before
	// Disconnected.
	Connected(ctx context.Context, s *Session, fresh bool)
	// Digests brings one list. The handler may keep it.
	Digests(s *Session, l DigestList)
	// PacketIn brings one packet. The handler may keep it.
	PacketIn(s *Session, p PacketIn)
	// Disconnected says that the connection is lost, or mastership (ErrNotPrimary). Nothing
	// that the switch sent before is still to come.
	Disconnected(s *Session, err error)
}

// Subscriber is a handler with a name for metrics and a choice of packets.
type Subscriber struct {
	Name    string
	Handler Handler
	// Digests says whether the handler wants digests.
	Digests bool
	// Accept chooses packet-ins; nil is all of them. It runs on the receiving goroutine and must not block.
	Accept func(*PacketIn) bool
}

// DigestList is one message of digests.
type DigestList struct {
	Layout   *Layout // names and order of Digests[i]
	ListID   uint64
	Sent     time.Time // by the switch's clock
	Received time.Time // by ours
	Digests  [][]Value
}

// PacketIn is one packet that the switch sent up.
type PacketIn struct {
	Layout   *Layout // names and order of Fields
	Fields   []Value
	Payload  []byte // the frame behind the controller header
	Received time.Time
}

// Field gives a field of the controller header by its name, 0 if the program has none.
func (p *PacketIn) Field(name string) Value {
	i, ok := p.Layout.index[name]
	if !ok {
		return Uint(0)
	}
	return p.Fields[i]
}

// PacketOut is one packet for the switch. Fields that are not named are 0.
type PacketOut struct {
	Fields  []Param
	Payload []byte
}

func (p *Program) decodePacketIn(in *p4v1.PacketIn, now time.Time) PacketIn {
	out := PacketIn{Layout: p.packetIn, Fields: make([]Value, len(p.packetIn.fields)), Payload: in.GetPayload(), Received: now}
	for i := range out.Fields {
		out.Fields[i] = Uint(0)
	}
	for _, m := range in.GetMetadata() {
		if i, ok := p.packetIn.ids[m.GetMetadataId()]; ok {
			out.Fields[i] = Bytes(m.GetValue())
		}
	}
	return out
}

func (p *Program) encodePacketOut(out PacketOut) (*p4v1.PacketOut, error) {
	l := p.packetOut
	values := make([]Value, len(l.fields))
	for _, f := range out.Fields {
		i, err := l.Index(f.Name)
		if err != nil {
			return nil, err
		}
		values[i] = f.Value
	}
	msg := &p4v1.PacketOut{Payload: out.Payload}
	for i, f := range l.fields {
		v, err := f.bytes(values[i])
		if err != nil {
			return nil, err
		}
		msg.Metadata = append(msg.Metadata, &p4v1.PacketMetadata{MetadataId: f.ID, Value: v})
	}
	return msg, nil
}
