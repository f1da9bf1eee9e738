package traffic

import "slices"

// Carry puts a frame of IP or ARP that a kernel made into what not every kernel has a device for:
// tags, Geneve, GRE and IP in IP, by name. Frames of ARP travel in carriers of Ethernet only.
func Carry(frame []byte) map[string][]byte {
	as := func(l layer) layer {
		l.wrap = func(payload []byte, _ layer) []byte { return payload }
		return l
	}
	whole, packet := as(layer{etherType: 0x6558}), frame[14:]
	four, six := start().ipv4(outside, outsidePeer), start().ipv6(outside6, outsidePeer6)
	carried := map[string][]byte{
		"802.1q":              slices.Concat(frame[:12], []byte{0x81, 0, 0, 7}, frame[12:]),
		"qinq":                slices.Concat(frame[:12], []byte{0x88, 0xa8, 0, 7, 0x81, 0, 0, 8}, frame[12:]),
		"geneve":              four.udp(50070, 6081).geneve(0, 0, 70, 0).add(whole).data(frame),
		"nvgre":               four.gre(greKey, 71, 0).add(whole).data(frame),
		"geneve-options-ipv6": six.udp(50071, 6081).geneve(0, 24, 72, 0).add(whole).data(frame),
	}
	inner := layer{etherType: be.Uint16(frame[12:])}
	switch inner.etherType {
	case 0x0800:
		inner.protocol = 4
	case 0x86dd:
		inner.protocol = 41
	default:
		return carried
	}
	inner = as(inner)
	carried["geneve-ip"] = six.udp(50072, 6081).geneve(0, 0, 73, 0).add(inner).data(packet)
	carried["gre"] = four.gre(greChecksum, 0, 0).add(inner).data(packet)
	carried["ipip"] = four.add(inner).data(packet)
	carried["ipip6"] = six.add(inner).data(packet)
	return carried
}
