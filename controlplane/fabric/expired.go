package fabric

import (
	"encoding/binary"
	"net/netip"
)

// maxError is how long an ICMP error may be, its IP header included (RFC 1812, section 4.3.2.3).
const maxError = 576

// timeExceeded makes the ICMP message that tells the sender of an untagged frame that its TTL
// ended in transit (RFC 792), from an address of the switch's own. It gives false where there
// must be none (RFC 1812, section 4.3.2.7): for ICMP errors, fragments but the first, and
// packets that are not from one host to one.
func timeExceeded(frame []byte, self mac, from netip.Addr) ([]byte, bool) {
	if _, ok := destination(frame); !ok {
		return nil, false
	}
	ip := frame[ethernetLen:]
	header, total := int(ip[0]&15)*4, int(binary.BigEndian.Uint16(ip[2:]))
	if ip[0]>>4 != 4 || header < ipv4Len || total < header || len(ip) < header {
		return nil, false
	}
	ip = ip[:min(total, len(ip), maxError-ipv4Len-icmpLen)]
	source, dst := netip.AddrFrom4([4]byte(ip[12:16])), netip.AddrFrom4([4]byte(ip[16:20]))
	fragment := binary.BigEndian.Uint16(ip[6:])&0x1fff != 0
	if fragment || !oneHost(source) || !oneHost(dst) || frame[0]&1 != 0 || ip[9] == 1 && !isEcho(ip[header:]) {
		return nil, false
	}
	out := make([]byte, ethernetLen+ipv4Len+icmpLen, ethernetLen+maxError)
	copy(out[0:6], frame[6:12])
	copy(out[6:12], self[:])
	binary.BigEndian.PutUint16(out[12:], 0x0800)
	out = append(out, ip...)
	packet := out[ethernetLen:]
	packet[0], packet[1] = 0x45, 0xc0 // internetwork control (RFC 1812, section 4.3.2.5)
	binary.BigEndian.PutUint16(packet[2:], uint16(len(packet)))
	packet[8], packet[9] = 64, 1
	copy(packet[12:16], from.AsSlice())
	copy(packet[16:20], ip[12:16])
	setChecksum(packet[:ipv4Len], 10)
	packet[ipv4Len] = 11
	setChecksum(packet[ipv4Len:], 2)
	return padded(out), true
}

// oneHost says that an address can be that of one host.
func oneHost(a netip.Addr) bool {
	return !a.IsUnspecified() && !a.IsMulticast() && !a.IsLoopback() && a.As4()[0] < 224
}

// isEcho says that an ICMP message is a question or its answer, and no error.
func isEcho(icmp []byte) bool { return len(icmp) > 0 && (icmp[0] == 0 || icmp[0] == 8) }
