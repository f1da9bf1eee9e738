package flowcache

import (
	"context"
	"log/slog"

	"github.com/fabricscope/fabricscope/controlplane/p4rt"
	"github.com/fabricscope/fabricscope/controlplane/track"
	"github.com/fabricscope/fabricscope/p4src"
)

// Handler stands between the sessions of all switches and the tracker.
type Handler struct {
	ctx     context.Context // reports are delivered until it ends
	tracker *track.Tracker
	decoder *Decoder
	ports   map[string][]uint32 // by switch; never changed
	log     *slog.Logger
}

// New gives a Handler for switches with the given ports. Start comes before the first session.
func New(tracker *track.Tracker, decoder *Decoder, ports map[string][]uint32, log *slog.Logger) *Handler {
	return &Handler{tracker: tracker, decoder: decoder, ports: ports, log: log}
}

// Start lets reports be delivered until ctx ends, which is when nobody takes them any more.
func (f *Handler) Start(ctx context.Context) { f.ctx = ctx }

// Subscriber makes the handler a subscriber of a session.
func (f *Handler) Subscriber() p4rt.Subscriber {
	return p4rt.Subscriber{Name: "flow-cache", Handler: f, Digests: true, Accept: func(p *p4rt.PacketIn) bool {
		return p.Field(p4src.PacketInReason).Uint64() == uint64(p4src.PuntSlot)
	}}
}

// Connected tells the tracker that it can ask.
func (f *Handler) Connected(_ context.Context, s *p4rt.Session, fresh bool) {
	f.report(f.tracker.Connected(f.ctx, cacheSwitch{s, f.ports[s.Name()]}, fresh))
}

// Disconnected tells the tracker that it cannot ask.
func (f *Handler) Disconnected(s *p4rt.Session, _ error) {
	f.report(f.tracker.Disconnected(f.ctx, s.Name()))
}

// Digests delivers the reports of one list.
func (f *Handler) Digests(s *p4rt.Session, l p4rt.DigestList) {
	f.report(f.tracker.Reports(f.ctx, s.Name(), f.decoder.Reports(l), l.Received))
}

// PacketIn delivers the answer to a read-out.
func (f *Handler) PacketIn(s *p4rt.Session, p p4rt.PacketIn) {
	r, err := Answer(p.Payload, p.Field(p4src.PacketInTimestamp).Uint64())
	if err != nil {
		f.log.Error("answer to a read-out", "switch", s.Name(), "error", err)
		return
	}
	f.report(f.tracker.Report(f.ctx, s.Name(), r, p.Received))
}

func (f *Handler) report(err error) {
	if err != nil && f.ctx.Err() == nil {
		f.log.Error("flow accounting has stopped", "error", err)
	}
}

// cacheSwitch is what the tracker asks of a session.
type cacheSwitch struct {
	*p4rt.Session
	ports []uint32
}

// RequestSlot implements track.Switch.
func (c cacheSwitch) RequestSlot(_ context.Context, r track.SlotRequest) error {
	fields := []p4rt.Param{
		{Name: p4src.PacketOutOp, Value: p4rt.Uint(uint64(p4src.OpRead))},
		{Name: p4src.PacketOutSlot, Value: p4rt.Uint(uint64(r.Slot))},
	}
	if r.Idle > 0 {
		fields[0].Value = p4rt.Uint(uint64(p4src.OpEvictIfIdle))
		fields = append(fields,
			p4rt.Param{Name: p4src.PacketOutIdle, Value: p4rt.Uint(uint64(r.Idle.Microseconds()))},
			p4rt.Param{Name: p4src.PacketOutGeneration, Value: p4rt.Uint(uint64(r.Generation))},
			p4rt.Param{Name: p4src.PacketOutPackets, Value: p4rt.Uint(r.Packets)})
	}
	return c.SendPacket(p4rt.PacketOut{Fields: fields})
}

// SetClock implements track.Switch.
func (c cacheSwitch) SetClock(_ context.Context, offset uint64) error {
	return c.SendPacket(p4rt.PacketOut{Fields: []p4rt.Param{
		{Name: p4src.PacketOutOp, Value: p4rt.Uint(uint64(p4src.OpSetClock))},
		{Name: p4src.PacketOutClock, Value: p4rt.Uint(offset)},
	}})
}

// SetIncarnation implements track.Switch.
func (c cacheSwitch) SetIncarnation(_ context.Context, name uint64) error {
	return c.SendPacket(p4rt.PacketOut{Fields: []p4rt.Param{
		{Name: p4src.PacketOutOp, Value: p4rt.Uint(uint64(p4src.OpSetIncarnation))},
		{Name: p4src.PacketOutIncarnation, Value: p4rt.Uint(name)},
	}})
}

// ReadCounters implements track.Switch.
func (c cacheSwitch) ReadCounters(ctx context.Context) ([]track.PortCounters, error) {
	return readCounters(ctx, c.Session, c.ports)
}
