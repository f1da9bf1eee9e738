package app

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/p4rt"
	"github.com/fabricscope/fabricscope/controlplane/track"
	"github.com/fabricscope/fabricscope/p4src"
)

// flowCache stands between the sessions and the tracker: it knows how our P4 program puts
// slots into digests and packet-ins.
type flowCache struct {
	ctx     context.Context // the daemon's: reports are delivered as long as it runs
	tracker *track.Tracker
	layout  digestLayout
	ports   map[string][]uint32 // by switch; never changed
	log     *slog.Logger
}

// subscriber makes the flow cache a subscriber of a session.
func (f *flowCache) subscriber() p4rt.Subscriber {
	return p4rt.Subscriber{Name: "flow-cache", Handler: f, Digests: true, Accept: func(p *p4rt.PacketIn) bool {
		return p.Field(p4src.PacketInReason).Uint64() == uint64(p4src.PuntSlot)
	}}
}

// Connected tells the tracker that it can ask.
func (f *flowCache) Connected(_ context.Context, s *p4rt.Session, fresh bool) {
	f.report(f.tracker.Connected(f.ctx, cacheSwitch{s, f.ports[s.Name()]}, fresh))
}

// Disconnected tells the tracker that it cannot ask.
func (f *flowCache) Disconnected(s *p4rt.Session, _ error) {
	f.report(f.tracker.Disconnected(f.ctx, s.Name()))
}

// Digests delivers the reports of one list.
func (f *flowCache) Digests(s *p4rt.Session, l p4rt.DigestList) {
	for _, d := range l.Digests {
		if f.tracker.Report(f.ctx, s.Name(), f.layout.report(d), l.Received) != nil {
			return
		}
	}
}

// PacketIn delivers the answer to a read-out.
func (f *flowCache) PacketIn(s *p4rt.Session, p p4rt.PacketIn) {
	r, err := slotReport(p.Payload, p.Field(p4src.PacketInTimestamp).Uint64())
	if err != nil {
		f.log.Error("answer to a read-out", "switch", s.Name(), "error", err)
		return
	}
	f.report(f.tracker.Report(f.ctx, s.Name(), r, p.Received))
}

func (f *flowCache) report(err error) {
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
func (c cacheSwitch) RequestSlot(_ context.Context, slot uint32, idle time.Duration) error {
	op := p4src.OpRead
	if idle > 0 {
		op = p4src.OpEvictIfIdle
	}
	return c.SendPacket(p4rt.PacketOut{Fields: []p4rt.Param{
		{Name: p4src.PacketOutOp, Value: p4rt.Uint(uint64(op))},
		{Name: p4src.PacketOutSlot, Value: p4rt.Uint(uint64(slot))},
		{Name: p4src.PacketOutIdle, Value: p4rt.Uint(uint64(idle.Microseconds()))},
	}})
}

// SetClock implements track.Switch.
func (c cacheSwitch) SetClock(_ context.Context, offset uint64) error {
	return c.SendPacket(p4rt.PacketOut{Fields: []p4rt.Param{
		{Name: p4src.PacketOutOp, Value: p4rt.Uint(uint64(p4src.OpSetClock))},
		{Name: p4src.PacketOutClock, Value: p4rt.Uint(offset)},
	}})
}

// ReadCounters implements track.Switch.
func (c cacheSwitch) ReadCounters(ctx context.Context) ([]track.PortCounters, error) {
	var ports, classes []int64
	for _, p := range c.ports {
		ports = append(ports, int64(p))
		for class := range int64(p4src.ClassesPerPort) {
			classes = append(classes, int64(p)*p4src.ClassesPerPort+class)
		}
	}
	if len(ports) == 0 {
		return nil, nil
	}
	buckets, err := c.Counters(ctx, p4src.CounterClass, classes...)
	if err != nil {
		return nil, err
	}
	totals, err := c.Counters(ctx, p4src.CounterPort, ports...)
	if err != nil {
		return nil, err
	}
	byPort := map[uint32]*track.PortCounters{}
	out := make([]track.PortCounters, len(totals))
	for i, cell := range totals {
		out[i] = track.PortCounters{Number: uint32(cell.Index), Total: flow.Counters{Packets: cell.Packets, Bytes: cell.Bytes}}
		byPort[uint32(cell.Index)] = &out[i]
	}
	for _, cell := range buckets {
		if p := byPort[uint32(cell.Index)/p4src.ClassesPerPort]; p != nil {
			p.Buckets.Add(flow.Counters{Packets: cell.Packets, Bytes: cell.Bytes})
			if b := bucket(&p.Classes, p4src.Class(cell.Index%p4src.ClassesPerPort)); b != nil {
				*b = inventory.Bucket{Packets: cell.Packets, Bytes: cell.Bytes}
			}
		}
	}
	return out, nil
}

// bucket is that of a class; nil where the program counts nothing.
func bucket(b *inventory.Buckets, class p4src.Class) *inventory.Bucket {
	switch class {
	case p4src.ClassFragment:
		return &b.Fragment
	case p4src.ClassMalformed:
		return &b.Malformed
	case p4src.ClassLLDP:
		return &b.LLDP
	case p4src.ClassOther:
		return &b.Other
	}
	return nil
}

// digestLayout is where the members of the flow digest are.
type digestLayout struct {
	cause, slot, generation, now, epoch int
	old, new                            halfLayout
}

// halfLayout is where the members of one half are; -1 for those that only the old one has.
type halfLayout struct {
	meta, outerSrc, outerDst, src, dst, ports, packets, bytes, first, last, flags, seq, syns, synLast, ackFirst int
}

func newDigestLayout(program *p4rt.Program) (digestLayout, error) {
	layout, err := program.Digest(p4src.DigestFlow)
	if err != nil {
		return digestLayout{}, err
	}
	var failed error
	at := func(name string) int {
		i, err := layout.Index(name)
		if err != nil && failed == nil {
			failed = err
		}
		return i
	}
	half := func(prefix string) halfLayout {
		return halfLayout{meta: at(prefix + "keymeta"), outerSrc: at(prefix + "outer_src"), outerDst: at(prefix + "outer_dst"),
			src: at(prefix + "src"), dst: at(prefix + "dst"), ports: at(prefix + "ports"), bytes: at(prefix + "bytes"),
			flags: at(prefix + "tcp_flags"), packets: -1, first: -1, last: -1, syns: -1, synLast: -1, ackFirst: -1}
	}
	l := digestLayout{cause: at("cause"), slot: at("slot"), generation: at("generation"), now: at("now"),
		epoch: at("epoch"), old: half("old_"), new: half("new_")}
	l.old.packets, l.old.first, l.old.last = at("old_packets"), at("old_first"), at("old_last")
	l.old.seq, l.new.seq = at("old_syn_seq"), at("new_tcp_seq")
	l.old.syns, l.old.synLast, l.old.ackFirst = at("old_syns"), at("old_syn_last"), at("old_ack_first")
	return l, failed
}

func (l *digestLayout) report(d []p4rt.Value) track.Report {
	r := track.Report{
		Cause: flow.Cause(d[l.cause].Uint64()), Slot: uint32(d[l.slot].Uint64()),
		Generation: uint16(d[l.generation].Uint64()), Now: d[l.now].Uint64(), Epoch: uint16(d[l.epoch].Uint64()),
	}
	if r.Cause != flow.CauseNew {
		r.Old = l.old.half(d)
		r.Old.Counters.Packets = d[l.old.packets].Uint64()
		r.Old.First, r.Old.Last = d[l.old.first].Uint64(), d[l.old.last].Uint64()
		r.Old.SynSeq, r.Old.SYNs = uint32(d[l.old.seq].Uint64()), uint8(d[l.old.syns].Uint64())
		r.Old.LastSYN, r.Old.FirstACK = d[l.old.synLast].Uint64(), d[l.old.ackFirst].Uint64()
	}
	if r.Cause == flow.CauseNew || r.Cause == flow.CauseEvict {
		r.New = l.new.half(d)
		r.New.Counters.Packets = 1
		r.New.First, r.New.Last = r.Now, r.Now
		switch flags := r.New.TCPFlags; {
		case flags&flow.SYN != 0:
			r.New.SYNs, r.New.LastSYN, r.New.SynSeq = 1, r.Now, uint32(d[l.new.seq].Uint64())
		case flags&(flow.ACK|flow.RST) == flow.ACK:
			r.New.FirstACK = r.Now
		}
	}
	return r
}

func (l *halfLayout) half(d []p4rt.Value) track.Half {
	return track.Half{
		Key: flowKey(p4src.KeyMeta(d[l.meta].Uint64()), d[l.outerSrc].Addr16(), d[l.outerDst].Addr16(),
			d[l.src].Addr16(), d[l.dst].Addr16(), uint32(d[l.ports].Uint64())),
		Counters: flow.Counters{Bytes: d[l.bytes].Uint64()},
		TCPFlags: uint8(d[l.flags].Uint64()),
	}
}

// flowKey takes apart the packed fields of flow_key_t (p4src/metadata.p4).
func flowKey(meta p4src.KeyMeta, outerSrc, outerDst, src, dst netip.Addr, ports uint32) flow.Key {
	k := flow.Key{
		IngressPort: meta.Port(),
		Outer:       flow.Outer{Kind: flow.Encapsulation(meta.Encapsulation()), VNI: meta.TunnelID()},
		Tuple: flow.Tuple{Protocol: flow.Protocol(meta.Protocol()), Src: src, Dst: dst,
			SrcPort: uint16(ports >> 16), DstPort: uint16(ports)},
	}
	if k.Outer.Kind != flow.Native {
		k.Outer.Src, k.Outer.Dst = outerSrc, outerDst
	}
	return k
}

// slotReportSize is the length of slot_report_t (docs/formats/slot-report.md).
const slotReportSize = 129

// slotReport decodes the payload of a read-out's answer, which was stamped at now.
func slotReport(b []byte, now uint64) (track.Report, error) {
	if len(b) < slotReportSize {
		return track.Report{}, fmt.Errorf("slot report of %d bytes, want %d", len(b), slotReportSize)
	}
	u48 := func(at int) uint64 {
		return uint64(binary.BigEndian.Uint16(b[at:]))<<32 | uint64(binary.BigEndian.Uint32(b[at+2:]))
	}
	addr := func(at int) netip.Addr { return netip.AddrFrom16([16]byte(b[at : at+16])).Unmap() }
	r := track.Report{Slot: binary.BigEndian.Uint32(b), Generation: binary.BigEndian.Uint16(b[4:]), Cause: flow.Cause(b[6]), Now: now}
	r.Old = track.Half{
		Key:      flowKey(p4src.KeyMeta(binary.BigEndian.Uint64(b[8:])), addr(16), addr(32), addr(48), addr(64), binary.BigEndian.Uint32(b[80:])),
		Counters: flow.Counters{Packets: binary.BigEndian.Uint64(b[84:]), Bytes: binary.BigEndian.Uint64(b[92:])},
		First:    u48(100), Last: u48(106), TCPFlags: b[7], SynSeq: binary.BigEndian.Uint32(b[112:]),
		SYNs: b[116], LastSYN: u48(117), FirstACK: u48(123),
	}
	return r, nil
}
