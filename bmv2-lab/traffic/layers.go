package traffic

import (
	"encoding/binary"
	"net/netip"
)

var be = binary.BigEndian

var (
	switchMAC = []byte{2, 0, 0, 0, 0, 1}
	hostMAC   = []byte{2, 0, 0, 0, 0, 2}
)

// ethernet begins a frame, or what is inside of a tunnel.
func (b builder) ethernet() builder {
	return b.add(layer{etherType: 0x6558, wrap: func(payload []byte, next layer) []byte {
		return append(be.AppendUint16(append(append([]byte(nil), switchMAC...), hostMAC...), next.etherType), payload...)
	}})
}

func start() builder { return builder{key: Key{Kind: Native}}.ethernet() }

// tag is a VLAN tag with a TPID.
func (b builder) tag(tpid, vid uint16) builder {
	return b.add(layer{etherType: tpid, wrap: func(payload []byte, next layer) []byte {
		return append(be.AppendUint16(be.AppendUint16(nil, vid), next.etherType), payload...)
	}})
}

func (b builder) arp(opcode uint16, sender, target string) builder {
	b = b.flow(ProtocolARP, sender, target).ports(ProtocolARP, opcode, 0)
	return b.add(layer{etherType: 0x0806, wrap: func(payload []byte, _ layer) []byte {
		a := be.AppendUint16([]byte{0, 1, 8, 0, 6, 4}, opcode)
		a = append(append(a, hostMAC...), netip.MustParseAddr(sender).AsSlice()...)
		a = append(append(a, make([]byte, 6)...), netip.MustParseAddr(target).AsSlice()...)
		return append(a, payload...)
	}})
}

// ipv4Spec is what is special about an IPv4 header.
type ipv4Spec struct {
	options  int    // bytes, of NOPs
	route    string // where a loose source route leads behind the destination, or nowhere
	fragment uint16 // flags and offset
	length   func(right uint16) uint16
	first    byte   // version and header length, if not the right ones
	checksum uint16 // what is added to it
	ones     bool   // the checksum is 0, written as 0xffff
}

func (b builder) ipv4(src, dst string) builder { return b.ipv4With(src, dst, ipv4Spec{}) }

func (b builder) ipv4With(src, dst string, s ipv4Spec) builder {
	b = b.network(4, src, dst)
	return b.add(layer{announces: true, protocol: 4, etherType: 0x0800, wrap: func(payload []byte, next layer) []byte {
		h := make([]byte, 20+s.options)
		h[0] = byte(0x40 | len(h)/4)
		if s.first != 0 {
			h[0] = s.first
		}
		total := uint16(len(h) + len(payload))
		if s.length != nil {
			total = s.length(total)
		}
		be.PutUint16(h[2:], total)
		be.PutUint16(h[6:], s.fragment)
		h[8], h[9] = 64, next.protocol
		copy(h[12:], netip.MustParseAddr(src).AsSlice())
		copy(h[16:], netip.MustParseAddr(dst).AsSlice())
		for i := 20; i < len(h); i++ {
			h[i] = 1
		}
		if s.route != "" { // RFC 791, section 3.1
			copy(h[20:], append([]byte{131, 7, 4}, netip.MustParseAddr(s.route).AsSlice()...))
		}
		if s.ones {
			be.PutUint16(h[4:], checksum(h))
			s.checksum = 0xffff
		}
		be.PutUint16(h[10:], checksum(h)+s.checksum)
		return append(h, payload...)
	}})
}

// network notes an IP header: behind another one it is a tunnel's.
func (b builder) network(protocol uint16, src, dst string) builder {
	if b.layers[len(b.layers)-1].announces {
		if !b.closed {
			b.key.Protocol = protocol
		}
		b = b.enter(IPIP, 0, true)
	}
	return b.flow(253, src, dst)
}

// checksum is that of an IPv4 header whose checksum field is 0 (RFC 1071).
func checksum(h []byte) uint16 {
	var sum uint32
	for i := 0; i < len(h); i += 2 {
		sum += uint32(be.Uint16(h[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

func (b builder) ipv6(src, dst string) builder { return b.ipv6With(src, dst, 6, nil) }

// ipv6With has a version, and a payload length other than the right one.
func (b builder) ipv6With(src, dst string, version byte, length func(right uint16) uint16) builder {
	b = b.network(41, src, dst)
	return b.add(layer{announces: true, protocol: 41, etherType: 0x86dd, wrap: func(payload []byte, next layer) []byte {
		h := make([]byte, 40)
		h[0] = version << 4
		n := uint16(len(payload))
		if length != nil {
			n = length(n)
		}
		be.PutUint16(h[4:], n)
		h[6], h[7] = next.protocol, 64
		copy(h[8:], netip.MustParseAddr(src).AsSlice())
		copy(h[24:], netip.MustParseAddr(dst).AsSlice())
		return append(h, payload...)
	}})
}

// extension is an IPv6 extension header of size bytes: of options (PadN), of routing (type 0
// without addresses, no segments left), or AH.
func (b builder) extension(protocol uint8, size int) builder {
	return b.add(layer{announces: true, protocol: protocol, wrap: func(payload []byte, next layer) []byte {
		h := make([]byte, size)
		h[0], h[1] = next.protocol, byte(size/8-1)
		switch protocol {
		case 0, 60:
			h[2], h[3] = 1, byte(size-4)
		case 43:
			h[2] = 253
		case 51:
			h[1] = byte(size/4 - 2)
		}
		return append(h, payload...)
	}})
}

// fragmentHeader has an offset in units of 8 bytes; without one, and without more, it is atomic.
func (b builder) fragmentHeader(offset uint16, more bool) builder {
	if offset != 0 || more {
		b = b.as(Fragment)
	}
	return b.add(layer{announces: true, protocol: 44, wrap: func(payload []byte, next layer) []byte {
		h := []byte{next.protocol, 0, byte(offset >> 5), byte(offset << 3), 0, 0, 0, 9}
		if more {
			h[3] |= 1
		}
		return append(h, payload...)
	}})
}

// raw is a protocol without ports: a name for the flow and nothing else.
func (b builder) raw(protocol uint8) builder {
	if !b.closed {
		b.key.Protocol = uint16(protocol)
		b.closed = true
	}
	return b.add(layer{protocol: protocol, wrap: func(payload []byte, _ layer) []byte { return payload }})
}
