package flowcache

import (
	"net/netip"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/p4rt"
	"github.com/fabricscope/fabricscope/controlplane/track"
	"github.com/fabricscope/fabricscope/p4src"
)

// Decoder makes reports of flow digests. It knows where the members of the digest are.
type Decoder struct {
	cause, slot, generation, now, epoch int
	old, new                            halfLayout
}

// halfLayout is where the members of one half are; -1 for those that only the old one has.
type halfLayout struct {
	meta, outerSrc, outerDst, src, dst, ports, packets, bytes, first, last, flags, seq, syns, synLast, ackFirst int
}

// NewDecoder gives the decoder of a program. It fails with p4rt.ErrUnknownName when the program
// has no flow digest, or one without a member that is needed.
func NewDecoder(program *p4rt.Program) (*Decoder, error) {
	layout, err := program.Digest(p4src.DigestFlow)
	if err != nil {
		return nil, err
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
	l := &Decoder{cause: at("cause"), slot: at("slot"), generation: at("generation"), now: at("now"),
		epoch: at("epoch"), old: half("old_"), new: half("new_")}
	l.old.packets, l.old.first, l.old.last = at("old_packets"), at("old_first"), at("old_last")
	l.old.seq, l.new.seq = at("old_syn_seq"), at("new_tcp_seq")
	l.old.syns, l.old.synLast, l.old.ackFirst = at("old_syns"), at("old_syn_last"), at("old_ack_first")
	return l, failed
}

// Reports decodes a list of flow digests.
func (l *Decoder) Reports(list p4rt.DigestList) []track.Report {
	out := make([]track.Report, len(list.Digests))
	for i, d := range list.Digests {
		out[i] = l.report(d)
	}
	return out
}

func (l *Decoder) report(d []p4rt.Value) track.Report {
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

// flowKey takes apart the packed fields of flow_key_t (p4src/metadata.p4). Addresses are IPv4's
// where they are IPv4-mapped; those that a packet of IPv6 had itself are brought back.
func flowKey(meta p4src.KeyMeta, outerSrc, outerDst, src, dst netip.Addr, ports uint32) flow.Key {
	if meta.IPv6() {
		src, dst = netip.AddrFrom16(src.As16()), netip.AddrFrom16(dst.As16())
	}
	if meta.OuterIPv6() {
		outerSrc, outerDst = netip.AddrFrom16(outerSrc.As16()), netip.AddrFrom16(outerDst.As16())
	}
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
