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
