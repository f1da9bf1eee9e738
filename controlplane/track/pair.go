package track

import "github.com/fabricscope/fabricscope/controlplane/flow"

// ICMP types of echo messages (RFC 792; RFC 4443, section 4), as Tuple.SrcPort has them.
const (
	echoRequest   = 8 << 8
	echoReply     = 0 << 8
	echoRequestV6 = 128 << 8
	echoReplyV6   = 129 << 8
)

// opcodes of ARP (RFC 826).
const (
	arpRequest = 1
	arpReply   = 2
)

// pair gives the tuple that both directions of a conversation share, and whether t is the
// reverse of it. The shared tuple is that of the asking side where the protocol says who
// asks, and the lesser of the two otherwise.
func pair(t flow.Tuple) (shared flow.Tuple, reversed bool) {
	back := flow.Tuple{Protocol: t.Protocol, Src: t.Dst, Dst: t.Src, SrcPort: t.DstPort, DstPort: t.SrcPort}
	switch t.Protocol {
	case flow.ICMP, flow.ICMPv6:
		back.DstPort = t.DstPort
		switch {
		case t.Protocol == flow.ICMP && t.SrcPort == echoReply:
			back.SrcPort = echoRequest
			return back, true
		case t.Protocol == flow.ICMPv6 && t.SrcPort == echoReplyV6:
			back.SrcPort = echoRequestV6
			return back, true
		}
		return t, false
	case flow.ARP:
		if t.SrcPort == arpReply {
			back.SrcPort, back.DstPort = arpRequest, 0
			return back, true
		}
		return t, false
	}
	if t.Compare(back) > 0 {
		return back, true
	}
	return t, false
}
