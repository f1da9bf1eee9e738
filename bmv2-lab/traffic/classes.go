package traffic

import "fmt"

func fragments() (list []named) {
	bridged, routed := carriers()
	for _, c := range append(append([]named{{"native", start()}}, bridged...), routed...) {
		first := c.ipv4With(inside, insidePeer, ipv4Spec{fragment: 0x2000}).as(Fragment).udp(1, 2)
		middle := c.ipv4With(inside, insidePeer, ipv4Spec{fragment: 100}).as(Fragment).raw(17)
		list = append(list, named{c.name + " first fragment", first}, named{c.name + " last fragment", middle},
			named{c.name + " first IPv6 fragment", c.ipv6(inside6, insidePeer6).fragmentHeader(0, true).udp(1, 2)},
			named{c.name + " IPv6 fragment behind options", c.ipv6(inside6, insidePeer6).extension(0, 8).fragmentHeader(100, false).raw(17)})
	}
	outer := start().ipv4With(outside, outsidePeer, ipv4Spec{fragment: 0x2000}).as(Fragment)
	return append(list, named{"first fragment of VXLAN", outer.udp(50000, 4789).vxlan(8, 1).ethernet().ipv4(inside, insidePeer).tcp(1, 2, syn)})
}

// etherType is a header of another EtherType.
func (b builder) etherType(n uint16) builder {
	return b.add(layer{etherType: n, wrap: func(payload []byte, _ layer) []byte { return payload }})
}

// strangeARP is of other hardware, with addresses of as many bytes as IPv4 over Ethernet has.
func (b builder) strangeARP(hardware byte) builder {
	return b.as(Other).add(layer{etherType: 0x0806, wrap: func(payload []byte, _ layer) []byte {
		return append([]byte{0, hardware, 8, 0, 8, 4, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2}, payload...)
	}})
}

func others() []named {
	list := []named{
		{"LLDP", start().as(LLDP).etherType(0x88cc)},
		{"LLDP behind a tag", start().tag(0x8100, 1).as(Other).etherType(0x88cc)},
		{"another EtherType", start().as(Other).etherType(0x88b5)},
		{"MPLS", start().as(Other).etherType(0x8847)},
		{"reverse ARP", start().as(Other).etherType(0x8035)},
		{"LLC", start().as(Other).etherType(27)},
		{"three tags", start().tag(0x8100, 1).tag(0x8100, 2).tag(0x8100, 3).as(Other).ipv4(inside, insidePeer).tcp(1, 2, syn)},
		{"ARP of other hardware", start().strangeARP(6)},
		{"ARP of ATM", start().strangeARP(19)},
		{"UDP that ends in what VXLAN carries of strange ARP", start().ipv4(outside, outsidePeer).udpWith(1, 4789, to(8+8+14+20)).vxlan(8, 1).ethernet().strangeARP(6)},
	}
	bridged, _ := carriers()
	for _, c := range bridged {
		list = append(list, named{c.name + " of another EtherType", c.as(Other).etherType(0x88b5)},
			named{c.name + " of LLDP", c.as(Other).etherType(0x88cc)}, named{c.name + " of LLC", c.as(Other).etherType(27)},
			named{c.name + " of three tags", c.tag(0x8100, 1).tag(0x88a8, 2).tag(0x8100, 3).as(Other).ipv4(inside, insidePeer).tcp(1, 2, syn)},
			named{c.name + " of strange ARP", c.strangeARP(6)})
	}
	return list
}

func to(n uint16) func(uint16) uint16 { return func(uint16) uint16 { return n } }

// malformed are frames whose fields do not fit each other.
func malformed() (list []named) {
	bridged, routed := carriers()
	for _, c := range append(append([]named{{"native", start()}}, bridged...), routed...) {
		bad := func(name string, b builder) {
			list = append(list, named{c.name + " " + name, b.as(Malformed).udp(1, 2)})
		}
		bad("IPv4 header of 16 bytes", c.ipv4With(inside, insidePeer, ipv4Spec{first: 0x44}))
		bad("IPv4 of version 5", c.ipv4With(inside, insidePeer, ipv4Spec{first: 0x55}))
		bad("IPv4 shorter than its header", c.ipv4With(inside, insidePeer, ipv4Spec{length: to(19)}))
		bad("IPv4 shorter than its options", c.ipv4With(inside, insidePeer, ipv4Spec{options: 20, length: to(39)}))
		bad("IPv4 without room for UDP", c.ipv4With(inside, insidePeer, ipv4Spec{length: to(27)}))
		bad("IPv6 of version 4", c.ipv6With(inside6, insidePeer6, 4, nil))
		bad("IPv6 without room for UDP", c.ipv6With(inside6, insidePeer6, 6, to(7)))
		bad("IPv6 without room for an extension header", c.ipv6With(inside6, insidePeer6, 6, to(15)).extension(60, 16))
		bad("IPv6 without room behind an extension header", c.ipv6With(inside6, insidePeer6, 6, to(23)).extension(60, 16))
	}
	four := start().ipv4(outside, outsidePeer)
	inner := func(b builder) builder { return b.ethernet().ipv4(inside, insidePeer).as(Malformed).udp(1, 2) }
	return append(list,
		named{"wrong checksum", start().ipv4With(outside, outsidePeer, ipv4Spec{checksum: 1}).as(Malformed).udp(1, 2)},
		named{"wrong checksum around VXLAN", start().ipv4With(outside, outsidePeer, ipv4Spec{checksum: 1, options: 4}).as(Malformed).udp(1, 4789)},
		named{"UDP that ends in what VXLAN carries", inner(four.udpWith(1, 4789, to(8+8+14+20+7)).vxlan(8, 1))},
		named{"UDP that ends in VXLAN's Ethernet header", inner(four.udpWith(1, 4789, to(8+8+13)).vxlan(8, 1))},
		named{"UDP that ends in Geneve's options", inner(four.udpWith(1, 6081, to(8+8+31)).geneve(0, 32, 1, 0))})
}

// jumbos are as long as veths carry.
func jumbos() []Frame {
	return []Frame{
		start().ipv4(inside, insidePeer).udp(40010, 9).frame("jumbo", 8950),
		start().ipv4(outside, outsidePeer).udp(50050, 4789).vxlan(8, 1).ethernet().ipv4(inside, insidePeer).tcp(40011, 80, ack).frame("jumbo in VXLAN", 8800),
		start().ipv4(outside, outsidePeer).udp(50050, 4789).vxlan(8, 1).ethernet().ipv4(inside, insidePeer).tcp(40011, 80, ack).frame("longest Ethernet in VXLAN", 1446),
	}
}

// cut are frames that end early: in every header they are malformed, and where a tunnel's
// own header is not whole they are UDP.
func cut() (frames []Frame) {
	whole := start().ipv4(outside, outsidePeer).udp(50060, 4789).vxlan(8, 1).ethernet().tag(0x8100, 3).ipv6(inside6, insidePeer6).extension(0, 8).tcp(1, 2, syn).
		frame("cut", 30)
	udp := start().ipv4(outside, outsidePeer).udp(50060, 4789).key
	for n := 14; n < 14+20+8+8+14+4+40+8+20; n++ {
		f := Frame{Name: fmt.Sprintf("VXLAN cut to %d bytes", n), Data: whole.Data[:n], Class: Malformed}
		if n >= 14+20+8 && n < 14+20+8+8 {
			f.Class, f.Key = "", udp
		}
		frames = append(frames, f)
	}
	return frames
}
