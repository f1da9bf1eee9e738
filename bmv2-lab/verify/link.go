package verify

import (
	"encoding/binary"

	"github.com/gopacket/gopacket/layers"
)

// Link types of raw IP that are no constants of their own: DLT_RAW of BSDs.
const (
	linkTypeRawBSD     layers.LinkType = 12
	linkTypeRawOpenBSD layers.LinkType = 14
)

// Lengths of the headers that captures have in the place of Ethernet's
// (tcpdump.org/linktypes.html).
const (
	familySize = 4 // an address family
	sllSize    = 16
	sll2Size   = 20
	hdlcSize   = 4 // address, control, and an EtherType
)

// anyMAC is both addresses of the Ethernet headers that are made here.
var anyMAC = [6]byte{2, 0, 0, 0, 0, 3}

// ethernet gives the frame of Ethernet that carries what was captured on another link; nil if
// there is none. What it gives of a frame of Ethernet is the frame itself.
func ethernet(link layers.LinkType, data []byte) []byte {
	switch link {
	case layers.LinkTypeEthernet:
		return data
	case layers.LinkTypeRaw, linkTypeRawBSD, linkTypeRawOpenBSD, layers.LinkTypeIPv4, layers.LinkTypeIPv6:
		return framed(version(data), data)
	case layers.LinkTypeNull, layers.LinkTypeLoop:
		if len(data) < familySize {
			return nil
		}
		return framed(family(data), data[familySize:])
	case layers.LinkTypeLinuxSLL:
		if len(data) < sllSize {
			return nil
		}
		return framed(binary.BigEndian.Uint16(data[sllSize-2:]), data[sllSize:])
	case layers.LinkTypeLinuxSLL2:
		if len(data) < sll2Size {
			return nil
		}
		return framed(binary.BigEndian.Uint16(data), data[sll2Size:])
	case layers.LinkTypeC_HDLC:
		if len(data) < hdlcSize {
			return nil
		}
		return framed(binary.BigEndian.Uint16(data[hdlcSize-2:]), data[hdlcSize:])
	case layers.LinkTypePPP, layers.LinkTypePPP_HDLC:
		return pointToPoint(data)
	}
	return nil
}

// pointToPoint takes off PPP's header (RFC 1661, section 2), before which there is one of HDLC if
// the ends did not agree to leave it out (RFC 1662, section 3.1).
func pointToPoint(data []byte) []byte {
	if len(data) >= 2 && data[0] == 0xff && data[1] == 0x03 {
		data = data[2:]
	}
	if len(data) < 2 {
		return nil
	}
	switch binary.BigEndian.Uint16(data) {
	case 0x0021: // RFC 1332
		return framed(uint16(layers.EthernetTypeIPv4), data[2:])
	case 0x0057: // RFC 5072
		return framed(uint16(layers.EthernetTypeIPv6), data[2:])
	}
	return nil
}

// framed puts an Ethernet header before a packet; there is none for what is not an EtherType.
func framed(etherType uint16, packet []byte) []byte {
	if layers.EthernetType(etherType) < leastEtherType {
		return nil
	}
	frame := make([]byte, 0, ethernetSize+len(packet))
	frame = append(append(frame, anyMAC[:]...), anyMAC[:]...)
	return append(binary.BigEndian.AppendUint16(frame, etherType), packet...)
}

// leastEtherType is what lengths of IEEE 802.3 are below.
const leastEtherType = 0x600

// version gives the EtherType of a packet of IP by its first bits; 0 for neither version.
func version(packet []byte) uint16 {
	if len(packet) == 0 {
		return 0
	}
	switch packet[0] >> 4 {
	case 4:
		return uint16(layers.EthernetTypeIPv4)
	case 6:
		return uint16(layers.EthernetTypeIPv6)
	}
	return 0
}

// family gives the EtherType for an address family, which is in the byte order of the machine
// that captured, and for IPv6 a number of its system.
func family(data []byte) uint16 {
	n := binary.BigEndian.Uint32(data)
	if n > 0xffff {
		n = binary.LittleEndian.Uint32(data)
	}
	switch n {
	case 2: // AF_INET everywhere
		return uint16(layers.EthernetTypeIPv4)
	case 10, 24, 28, 30: // AF_INET6 of Linux, NetBSD and OpenBSD, FreeBSD, Darwin
		return uint16(layers.EthernetTypeIPv6)
	}
	return 0
}
