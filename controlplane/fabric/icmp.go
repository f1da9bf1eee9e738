package fabric

import (
	"encoding/binary"
	"net/netip"
)

const (
	ethernetLen = 14
	ipv4Len     = 20
	icmpLen     = 8
)

// destination gives the IPv4 destination of an untagged frame.
func destination(frame []byte) (netip.Addr, bool) {
	if len(frame) < ethernetLen+ipv4Len || binary.BigEndian.Uint16(frame[12:]) != 0x0800 {
		return netip.Addr{}, false
	}
	return netip.AddrFrom4([4]byte(frame[ethernetLen+16:])), true
}

// echoReply answers an ICMP echo request (RFC 792) in an untagged frame for addr: the same
// data, back to where it came from. It gives false for everything else, and for fragments
// and IP options, which nobody needs to ping a gateway.
func echoReply(frame []byte, self mac, addr netip.Addr) ([]byte, bool) {
	if dst, ok := destination(frame); !ok || dst != addr || len(frame) < ethernetLen+ipv4Len+icmpLen {
		return nil, false
	}
	ip := frame[ethernetLen:]
	total := int(binary.BigEndian.Uint16(ip[2:]))
	fragment := binary.BigEndian.Uint16(ip[6:])&0x3fff != 0
	if ip[0] != 0x45 || fragment || ip[9] != 1 || total < ipv4Len+icmpLen || total > len(ip) {
		return nil, false
	}
	if ip[ipv4Len] != 8 || ip[ipv4Len+1] != 0 || checksum(ip[ipv4Len:total]) != 0 {
		return nil, false
	}
	out := make([]byte, ethernetLen+total)
	copy(out, frame)
	copy(out[0:6], frame[6:12])
	copy(out[6:12], self[:])
	ip = out[ethernetLen:]
	ip[8] = 64
	copy(ip[12:16], frame[ethernetLen+16:])
	copy(ip[16:20], frame[ethernetLen+12:])
	setChecksum(ip[:ipv4Len], 10)
	ip[ipv4Len] = 0
	setChecksum(ip[ipv4Len:], 2)
	return padded(out), true
}

func setChecksum(b []byte, at int) {
	b[at], b[at+1] = 0, 0
	binary.BigEndian.PutUint16(b[at:], checksum(b))
}

// checksum is the Internet checksum (RFC 1071); 0 over data that contains a right one.
func checksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
