package track

import (
	"net/netip"

	"github.com/fabricscope/fabricscope/controlplane/flow"
)

// tuple is a flow.Tuple without pointers.
type tuple struct {
	src, dst         [16]byte // IPv4 addresses are mapped
	srcPort, dstPort uint16
	protocol         flow.Protocol
	families         uint8 // which addresses are IPv4's, and not mapped ones of IPv6
}

// What tuple.families holds.
const (
	srcIPv4 = 1 << iota
	dstIPv4
)

func compact(t flow.Tuple) tuple {
	c := tuple{src: t.Src.As16(), dst: t.Dst.As16(), srcPort: t.SrcPort, dstPort: t.DstPort, protocol: t.Protocol}
	if t.Src.Is4() {
		c.families |= srcIPv4
	}
	if t.Dst.Is4() {
		c.families |= dstIPv4
	}
	return c
}

func (c *tuple) full() flow.Tuple {
	t := flow.Tuple{Protocol: c.protocol, Src: netip.AddrFrom16(c.src), Dst: netip.AddrFrom16(c.dst), SrcPort: c.srcPort, DstPort: c.dstPort}
	if c.families&srcIPv4 != 0 {
		t.Src = t.Src.Unmap()
	}
	if c.families&dstIPv4 != 0 {
		t.Dst = t.Dst.Unmap()
	}
	return t
}
