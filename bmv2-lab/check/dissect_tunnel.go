package check

import (
	"math/bits"
	"slices"
	"strconv"
)

// enter goes on inside of a tunnel.
func (d *dissection) enter(kind string, id uint32) {
	d.frame = Frame{Outer: Outer{Kind: kind, ID: id, Src: d.frame.Src, Dst: d.frame.Dst}}
	d.inside = true
}

func (d *dissection) ipip() Class {
	if d.inside {
		return classFlow
	}
	ipv6 := d.frame.Protocol == 41
	d.enter(outerIPIP, 0)
	switch {
	case !ipv6 && d.take("ip"):
		return d.ipv4()
	case ipv6 && d.take("ipv6"):
		return d.ipv6()
	}
	return classMalformed
}

// udp reads a UDP header, and what is behind it if its port is a tunnel's and the tunnel's
// header is whole and of a kind that the switch knows.
func (d *dissection) udp(ports func(src, dst string) Class) Class {
	if !d.take("udp") || d.left < 8 {
		return classMalformed
	}
	// A length that cannot be is where tshark stops, before the checksum.
	length, checksum := d.next("udp.length"), d.next("udp.checksum")
	if checksum == "" && len(length) != 1 {
		return classMalformed
	}
	class := ports("udp.srcport", "udp.dstport")
	// A length of 0 is that of a jumbogram (RFC 2675, section 4) to tshark, whatever IPv6 says.
	d.vague = d.vague || length == "0" && !d.inside && d.frame.Src.Is6()
	if n, err := strconv.ParseUint(length, 10, 16); err == nil {
		d.bound(uint32(n))
	}
	d.left -= 8
	switch {
	case d.inside:
		return class
	case slices.Contains(d.tunnels.VXLAN, d.frame.DstPort) && d.take("vxlan"):
		if d.has("vxlan.reserved8") && d.number("vxlan.flag_i") == 1 {
			d.left -= 8
			d.enter(outerVXLAN, d.number("vxlan.vni"))
			return d.tunnelled(etherTypeBridging)
		}
	case slices.Contains(d.tunnels.Geneve, d.frame.DstPort) && d.take("geneve"):
		if !d.has("geneve.reserved") || d.number("geneve.version") != 0 {
			break
		}
		if kind := d.number("geneve.proto_type"); tunnelCarries(kind) {
			d.left -= 8 + len(d.next("geneve.options"))/2
			d.enter(outerGeneve, d.number("geneve.vni"))
			return d.tunnelled(kind)
		}
	}
	return class
}

// Protocol types of GRE and Geneve.
const (
	etherTypeIPv4     = 0x0800
	etherTypeBridging = 0x6558
	etherTypeIPv6     = 0x86dd
)

// tunnelCarries says that the switch knows a protocol type.
func tunnelCarries(kind uint32) bool {
	return kind == etherTypeIPv4 || kind == etherTypeBridging || kind == etherTypeIPv6
}

// tunnelled reads what a tunnel carries.
func (d *dissection) tunnelled(kind uint32) Class {
	switch {
	case kind == etherTypeBridging && d.take("eth"):
		return d.ethernet()
	case kind == etherTypeIPv4 && d.take("ip"):
		return d.ipv4()
	case kind == etherTypeIPv6 && d.take("ipv6"):
		return d.ipv6()
	}
	return classMalformed
}

// greUnknown are the bits of GRE's first 16 that must be 0 (RFC 2784, section 2.3): routing,
// strict source route, the first of recursion control, and the version.
const greUnknown = 0x4c07

func (d *dissection) gre() Class {
	if d.inside {
		return classFlow
	}
	if !d.take("gre") || !d.has("gre.proto") {
		return classMalformed
	}
	flags, kind := d.number("gre.flags_and_version"), d.number("gre.proto")
	if flags&greUnknown != 0 || !tunnelCarries(kind) {
		return classFlow
	}
	d.left -= 4 + 4*bits.OnesCount32(flags&0xb000) // checksum, key and sequence number
	var key uint32
	if flags&0x2000 != 0 && d.has("gre.key") {
		key = d.number("gre.key")
	}
	d.enter(outerGRE, key)
	return d.tunnelled(kind)
}
