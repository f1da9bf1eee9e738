package gnmi

import (
	"strings"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

func conversationKind() *kind {
	return &kind{
		fact: inventory.KindConversation, name: []string{"flows", "conversations", "conversation"},
		keys: func(f inventory.Fact, v []string) []string { return append(v, f.(flow.Conversation).ID) },
		id:   bySlash, leaves: conversationLeaves,
	}
}

func conversationLeaves(e inventory.Entry, w *writer) {
	c := e.Fact.(flow.Conversation)
	w.in("state", func() {
		w.leaf("id", str(c.ID))
		w.leaf("protocol", num(uint16(c.Protocol)))
		if c.Protocol == flow.ICMP || c.Protocol == flow.ICMPv6 {
			w.leaf("icmp-type", num(uint8(c.ICMPType>>8)))
			w.leaf("icmp-code", num(uint8(c.ICMPType)))
		}
		w.leaf("opaque", str(strings.ToUpper(string(c.Opaque))))
		w.leaf("first-seen", instant(c.First))
		w.in("counters", func() {
			w.leaf("last-seen", instant(c.Last))
			directionLeaves("forward", c.Forward, c.ForwardFlags, c.Protocol, w)
			directionLeaves("reverse", c.Reverse, c.ReverseFlags, c.Protocol, w)
		})
	})
	w.in("client", func() { endLeaves(c.Client, w) })
	w.in("server", func() { endLeaves(c.Server, w) })
	handshakeLeaves(c.Handshake, w)
	w.in("hops", func() {
		hopLeaves("FORWARD", c.ForwardHops, w)
		hopLeaves("REVERSE", c.ReverseHops, w)
	})
	w.in("segments", func() {
		segmentLeaves("FORWARD", c.ForwardSegments, w)
		segmentLeaves("REVERSE", c.ReverseSegments, w)
	})
	w.in("legs", func() { legLeaves(c.Legs, w) })
}

func legLeaves(legs []flow.Leg, w *writer) {
	for _, l := range legs {
		w.entry("leg", []value{str(l.ID)}, func() {
			w.in("state", func() {
				w.leaf("id", str(l.ID))
				w.leaf("side", str(strings.ToUpper(string(l.Side))))
				confidence := "GUESS"
				if l.Exact {
					confidence = "EXACT"
				}
				w.leaf("confidence", str(confidence))
				w.leaf("candidates", num(uint32(l.Candidates)))
				w.leaf("reason", str(l.Reason))
			})
			w.in("end", func() { endLeaves(l.End, w) })
		})
	}
}

func endLeaves(end flow.End, w *writer) {
	w.in("state", func() {
		id := end.Identity
		w.leaf("address", address(end.Address))
		w.leaf("port", num(end.Port))
		w.leaf("cluster", str(id.Cluster))
		w.leaf("namespace", str(id.Namespace))
		w.leaf("pod", str(id.Pod))
		w.leaf("pod-uid", str(id.PodUID))
		w.leaf("service", str(id.Service))
		w.leaf("node", str(id.Node))
		w.leaf("switch", str(id.Switch))
		w.leaf("interface", str(id.Port))
		w.leaf("reason", str(id.Why))
	})
}

func directionLeaves(name string, c flow.Counters, flags uint8, p flow.Protocol, w *writer) {
	w.in(name, func() {
		w.leaf("pkts", num(c.Packets))
		w.leaf("octets", num(c.Bytes))
		if p == flow.TCP {
			w.leaf("tcp-flags", num(flags))
		}
	})
}

func hopLeaves(direction string, hops []flow.Hop, w *writer) {
	for i, h := range hops {
		index := num(uint16(i))
		w.entry("hop", []value{str(direction), index}, func() {
			w.in("state", func() {
				w.leaf("direction", str(direction))
				w.leaf("index", index)
				hopStateLeaves(h, w)
				w.in("counters", func() {
					w.leaf("pkts", num(h.Packets))
					w.leaf("octets", num(h.Bytes))
					w.leaf("last-seen", instant(h.Last))
				})
			})
		})
	}
}

func hopStateLeaves(h flow.Hop, w *writer) {
	w.leaf("switch", str(h.Switch))
	w.leaf("interface", str(h.Port))
	w.leaf("port-number", num(h.Number))
	w.leaf("out-interface", value{kind: texts, list: h.Out})
	if h.Outer.Kind <= flow.InGRE {
		w.leaf("encapsulation", str(strings.ToUpper(h.Outer.Kind.String())))
	}
	switch h.Outer.Kind {
	case flow.VXLAN, flow.Geneve:
		w.leaf("vni", num(h.Outer.VNI))
	case flow.InGRE:
		w.leaf("gre-key", num(h.Outer.VNI))
	}
	w.leaf("outer-source", address(h.Outer.Src))
	w.leaf("outer-destination", address(h.Outer.Dst))
	w.leaf("first-seen", instant(h.First))
	if h.Flags != 0 {
		w.leaf("tcp-flags", num(h.Flags))
	}
	if h.SYNs > 0 {
		w.leaf("syns", num(h.SYNs))
		w.leaf("last-syn", instant(h.LastSYN))
	}
	if !h.FirstACK.IsZero() {
		w.leaf("first-ack", instant(h.FirstACK))
	}
	if h.Incomplete {
		w.leaf("incomplete", flag(true))
	}
}

func handshakeLeaves(h *flow.Handshake, w *writer) {
	if h == nil {
		return
	}
	w.in("handshake", func() {
		w.in("state", func() {
			w.leaf("status", str(strings.ToUpper(strings.ReplaceAll(string(h.State), "-", "_"))))
			w.leaf("switch", str(h.Switch))
			w.leaf("syns", num(h.SYNs))
			w.leaf("syn-acks", num(h.SYNACKs))
			if h.ServerRTT > 0 {
				w.leaf("server-rtt", num(uint64(h.ServerRTT)))
			}
			if h.ClientRTT > 0 {
				w.leaf("client-rtt", num(uint64(h.ClientRTT)))
			}
		})
	})
}

func segmentLeaves(direction string, segments []flow.Segment, w *writer) {
	for i, s := range segments {
		index := num(uint16(i))
		w.entry("segment", []value{str(direction), index}, func() {
			w.in("state", func() {
				w.leaf("direction", str(direction))
				w.leaf("index", index)
				w.leaf("switch", str(s.Switch))
				w.leaf("out-interface", portRefs(s.Out))
				w.leaf("in-interface", portRefs(s.In))
				w.in("counters", func() {
					w.leaf("pkts", num(s.Packets))
					w.leaf("lost-pkts", num(s.Lost))
					w.leaf("extra-pkts", num(s.Extra))
					w.leaf("uncertainty", num(s.Within))
					w.leaf("final", flag(s.Final))
					if s.Incomplete {
						w.leaf("incomplete", flag(true))
					}
				})
			})
			w.in("lossy-links", func() { lossyLinkLeaves(s.Cables, w) })
		})
	}
}

func lossyLinkLeaves(cables []flow.LossyCable, w *writer) {
	for _, c := range cables {
		w.entry("lossy-link", []value{str(c.In.Switch), str(c.In.Port)}, func() {
			w.in("state", func() {
				w.leaf("out-switch", str(c.Out.Switch))
				w.leaf("out-interface", str(c.Out.Port))
				w.leaf("in-switch", str(c.In.Switch))
				w.leaf("in-interface", str(c.In.Port))
				w.leaf("since", instant(c.Since))
				w.in("counters", func() { w.leaf("lost-per-million", num(c.PerMillion())) })
			})
		})
	}
}
