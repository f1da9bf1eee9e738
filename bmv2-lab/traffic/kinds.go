package traffic

import (
	"fmt"
	"slices"
)

// named is a frame in the making.
type named struct {
	name string
	builder
}

// Addresses: outside, inside, and of IPv6.
const (
	outside, outsidePeer   = "172.16.0.1", "172.16.0.2"
	inside, insidePeer     = "10.244.0.5", "10.244.1.6"
	outside6, outsidePeer6 = "2001:db8::1", "2001:db8::2"
	inside6, insidePeer6   = "fd00::5", "fd00::6"
	mapped, mappedPeer     = "::ffff:10.244.0.5", "::ffff:10.244.1.6" // of IPv6 all the same
	outerMapped, outerPeer = "::ffff:172.16.0.1", "::ffff:172.16.0.2"
)

// All is every kind of traffic, a frame or more of each.
func All() []Frame {
	kinds := slices.Concat(native(), tunnelled(), sourceRoutes(), almostTunnels(), nested(), fragments(), others(), malformed())
	return slices.Concat(finish(kinds), jumbos(), cut())
}

// finish gives frames payloads of some lengths.
func finish(kinds []named) []Frame {
	frames := make([]Frame, len(kinds))
	for i, k := range kinds {
		frames[i] = k.frame(k.name, 20+7*(i%5))
	}
	return frames
}

// links are the ways in which an Ethernet header can lead to a packet.
func links(b builder, name string) []named {
	return []named{
		{name, b},
		{name + " 802.1Q", b.tag(0x8100, 5)},
		{name + " QinQ", b.tag(0x88a8, 5).tag(0x8100, 6)},
		{name + " two tags of 802.1Q", b.tag(0x8100, 5).tag(0x8100, 6)},
		{name + " old QinQ", b.tag(0x9100, 5).tag(0x8100, 6)},
	}
}

// networks are IP headers without and with all that may come before the transport header.
func networks(n named, addresses, addresses6 [2]string) []named {
	six := n.ipv6(addresses6[0], addresses6[1])
	return []named{
		{n.name + " IPv4", n.ipv4(addresses[0], addresses[1])},
		{n.name + " IPv4 options", n.ipv4With(addresses[0], addresses[1], ipv4Spec{options: 12})},
		{n.name + " IPv6", six},
		{n.name + " IPv6 hop-by-hop", six.extension(0, 8)},
		{n.name + " IPv6 routing, destination", six.extension(43, 24).extension(60, 16)},
		{n.name + " IPv6 AH", six.extension(51, 24)},
		{n.name + " IPv6 atomic fragment", six.fragmentHeader(0, false)},
	}
}

// transports are what IP carries; those of ICMP are of the right IP only.
func transports(n named) []named {
	list := []named{
		{n.name + " TCP SYN", n.tcp(40000, 80, syn)}, {n.name + " TCP", n.tcp(40001, 80, ack)}, {n.name + " TCP FIN", n.tcp(40002, 80, fin|ack)},
		{n.name + " UDP", n.udp(40003, 53)}, {n.name + " DHCP", n.udp(68, 67)}, {n.name + " SCTP", n.sctp(40004, 5060)},
		{n.name + " ESP", n.raw(50)}, {n.name + " ESP in UDP", n.udp(4500, 4500)}, {n.name + " WireGuard", n.udp(51820, 51820)}, {n.name + " OSPF", n.raw(89)},
	}
	if n.key.Src.Is4() {
		return append(list, named{n.name + " ICMP echo", n.icmp(1, 8, 0, 77)}, named{n.name + " ICMP reply", n.icmp(1, 0, 0, 78)},
			named{n.name + " ICMP unreachable", n.icmp(1, 3, 3, 79)}, named{n.name + " AH", n.raw(51)})
	}
	return append(list, named{n.name + " ICMPv6 echo", n.icmp(58, 128, 0, 77)}, named{n.name + " ICMPv6 reply", n.icmp(58, 129, 0, 78)},
		named{n.name + " neighbour solicitation", n.icmp(58, 135, 0, 79)}, named{n.name + " nothing next", n.raw(59)}, named{n.name + " DHCPv6", n.udp(546, 547)})
}

func native() (list []named) {
	for _, l := range links(start(), "native") {
		list = append(list, named{l.name + " ARP", l.arp(1, outside, outsidePeer)}, named{l.name + " ARP reply", l.arp(2, outsidePeer, outside)})
		for _, n := range networks(l, [2]string{inside, insidePeer}, [2]string{inside6, insidePeer6}) {
			list = append(list, transports(n)...)
		}
	}
	list = append(list, transports(named{"native IPv6 of mapped addresses", start().ipv6(mapped, mappedPeer)})...)
	list = append(list, transports(named{"native IPv4 checksum of ones", start().ipv4With(inside, insidePeer, ipv4Spec{ones: true})})...)
	four := start().ipv6(inside6, insidePeer6).extension(0, 8).extension(43, 8).fragmentHeader(0, false).extension(60, 264)
	list = append(list, named{"native four extension headers", four.udp(1, 2)},
		named{"native five extension headers", four.raw(60)})
	return list
}

// carriers are outer headers up to a tunnel's payload: for Ethernet, and for IP.
func carriers() (bridged, routed []named) {
	four, six := start().ipv4(outside, outsidePeer), start().ipv6(outside6, outsidePeer6)
	tagged := start().tag(0x88a8, 9).tag(0x8100, 8)
	bridged = []named{
		{"VXLAN", four.udp(50000, 4789).vxlan(8, 1)},
		{"VXLAN of Linux", four.udp(50001, 8472).vxlan(8, 0xffffff)},
		{"VXLAN with group policy", four.udp(50002, 4789).vxlan(0x88, 7)},
		{"VXLAN over IPv6", six.udp(50003, 4789).vxlan(8, 2)},
		{"VXLAN behind a checksum of ones", start().ipv4With(outside, outsidePeer, ipv4Spec{ones: true}).udp(50012, 4789).vxlan(8, 6)},
		{"VXLAN over IPv6 of mapped addresses", start().ipv6(outerMapped, outerPeer).udp(50013, 4789).vxlan(8, 7)},
		{"VXLAN behind options", start().ipv4With(outside, outsidePeer, ipv4Spec{options: 8}).udp(50004, 4789).vxlan(8, 3)},
		{"VXLAN behind tags", tagged.ipv4(outside, outsidePeer).udp(50005, 4789).vxlan(8, 4)},
		{"Geneve", four.udp(50006, 6081).geneve(0, 0, 5, 0)},
		{"Geneve with options", four.udp(50007, 6081).geneve(0, 32, 6, 0)},
		{"Geneve with all options over IPv6", six.udp(50008, 6081).geneve(0, 252, 7, 0)},
		{"Geneve over IPv6 behind tags", tagged.ipv6(outside6, outsidePeer6).udp(50015, 6081).geneve(0, 8, 10, 0)},
		{"NVGRE", four.gre(greKey, 0x00000501, 0)},
		{"GRE with everything over IPv6", six.gre(greChecksum|greKey|greSequence, 0xdeadbeef, 0)},
	}
	for i := range bridged {
		bridged[i].builder = bridged[i].ethernet()
	}
	routed = []named{
		{"Geneve of IP", four.udp(50009, 6081).geneve(0, 0, 8, 0)},
		{"Geneve of IP with options", six.udp(50010, 6081).geneve(0, 4, 9, 0)},
		{"GRE", four.gre(0, 0, 0)}, {"GRE with a checksum", four.gre(greChecksum, 0, 0)}, {"GRE over IPv6", six.gre(greKey, 42, 0)},
		{"GRE with a sequence", four.gre(greSequence, 0, 0)}, {"GRE with ignored bits", four.gre(0x0088, 0, 0)},
		{"IP in IPv4", four}, {"IP in IPv6", six}, {"IP behind an extension header", six.extension(60, 8)},
		{"GRE behind tags", tagged.ipv4(outside, outsidePeer).gre(greKey, 43, 0)}, {"IP in IPv6 behind tags", tagged.ipv6(outside6, outsidePeer6)},
	}
	return bridged, routed
}

func tunnelled() (list []named) {
	bridged, routed := carriers()
	for _, c := range bridged {
		list = append(list, named{c.name + " ARP", c.arp(1, inside, insidePeer)})
		for i, l := range links(c.builder, c.name) {
			for j, n := range insides(l) {
				if i == 0 || j == i%4 { // of the tags one each
					list = append(list, transports(n)...)
				}
			}
		}
	}
	for _, c := range routed {
		for _, n := range insides(c) {
			list = append(list, transports(n)...)
		}
	}
	return list
}

// sourceRoutes have a destination in the header that is not the last one (RFC 791, section 3.1),
// in the only header with options: of several, tshark does not say which one has a route.
func sourceRoutes() []named {
	route := ipv4Spec{options: 8, route: "192.0.2.9"}
	carrier := start().ipv4(outside, outsidePeer).udp(50011, 4789).vxlan(8, 5).ethernet()
	return slices.Concat(transports(named{"native IPv4 source route", start().ipv4With(inside, insidePeer, route)}),
		transports(named{"VXLAN IPv4 source route", carrier.ipv4With(inside, insidePeer, route)}),
		transports(named{"VXLAN behind a source route", start().ipv4With(outside, outsidePeer, route).udp(50014, 4789).vxlan(8, 5).ethernet().ipv4(inside, insidePeer)}))
}

// insides are networks with the addresses of pods, and no more extension headers than a
// switch has places for.
func insides(n named) []named {
	list := networks(n, [2]string{inside, insidePeer}, [2]string{inside6, insidePeer6})
	three := n.ipv6(inside6, insidePeer6).extension(0, 8).extension(43, 8).raw(60)
	return append(list, named{n.name + " three extension headers", three}, named{n.name + " IPv6 of mapped addresses", n.ipv6(mapped, mappedPeer)})
}

// almostTunnels are flows of the outer headers.
func almostTunnels() []named {
	four := start().ipv4(outside, outsidePeer)
	inner := func(n named) named {
		return named{n.name, n.ethernet().ipv4(inside, insidePeer).tcp(1, 2, syn)}
	}
	list := []named{
		inner(named{"VXLAN without the I flag", four.udp(50020, 4789).vxlan(0, 1)}),
		inner(named{"VXLAN at another port", four.udp(50021, 4790).vxlan(8, 1)}),
		inner(named{"VXLAN from a tunnel's port", four.udp(4789, 50022).vxlan(8, 1)}),
		inner(named{"Geneve at VXLAN's port", four.udp(50023, 4789).geneve(0, 0, 1, 0x6558)}),
		inner(named{"VXLAN at Geneve's port", four.udp(50024, 6081).vxlan(8, 1)}),
		inner(named{"Geneve of another version", four.udp(50025, 6081).geneve(1, 0, 1, 0x6558)}),
		inner(named{"Geneve of something else", four.udp(50026, 6081).geneve(0, 0, 1, 0x88b5)}),
		inner(named{"PPTP", four.gre(greKey|1, 1, 0x880b)}),
		inner(named{"GRE with routing", four.gre(greRouting, 1, 0x6558)}),
		inner(named{"ERSPAN", four.gre(greSequence, 1, 0x88be)}),
	}
	for n := range 16 { // a tunnel's header has 8 bytes
		short := append([]byte{8, 0, 0, 0, 0, 0, 1, 0}, make([]byte, 8)...)[:n]
		if n < 8 {
			list = append(list, named{fmt.Sprintf("a datagram of %d bytes to VXLAN's port", n), four.udp(50030+uint16(n), 4789).literal(short)})
		}
	}
	return list
}

// literal is payload; nothing follows.
func (b builder) literal(data []byte) builder {
	return b.add(layer{wrap: func([]byte, layer) []byte { return slices.Clone(data) }})
}

// nested are tunnels in tunnels: flows of what the inner one is.
func nested() []named {
	bridged, routed := carriers()
	var list []named
	for _, c := range append(bridged, routed...) {
		in := c.ipv4(inside, insidePeer)
		list = append(list,
			named{c.name + " with VXLAN inside", in.udp(50040, 4789).vxlan(8, 99).ethernet().ipv4("1.1.1.1", "2.2.2.2").tcp(1, 2, syn)},
			named{c.name + " with Geneve inside", in.udp(50041, 6081).geneve(0, 8, 99, 0).ipv6("fd00:1::1", "fd00:1::2").tcp(1, 2, syn)},
			named{c.name + " with GRE inside", in.gre(greKey, 99, 0).ipv4("1.1.1.1", "2.2.2.2").tcp(1, 2, syn)},
			named{c.name + " with IP in IP inside", in.ipv4("1.1.1.1", "2.2.2.2").tcp(1, 2, syn)},
			named{c.name + " with IPv6 in IP inside", in.ipv6("fd00:1::1", "fd00:1::2").udp(1, 2)})
	}
	return list
}
