package traffic

import (
	"cmp"
	"slices"
)

// VXLANPorts are the UDP ports that the frames take for VXLAN's.
func VXLANPorts() []uint16 { return []uint16{4789, 8472} }

// GenevePorts are the UDP ports that the frames take for Geneve's.
func GenevePorts() []uint16 { return []uint16{6081} }

// TCP flags.
const (
	fin = 1
	syn = 2
	ack = 16
)

func (b builder) tcp(src, dst uint16, flags byte) builder {
	return b.ports(6, src, dst).add(layer{protocol: 6, wrap: func(payload []byte, _ layer) []byte {
		h := be.AppendUint32(be.AppendUint32(be.AppendUint16(be.AppendUint16(nil, src), dst), 1000), 2000)
		return append(append(h, 0x50, flags, 16, 0, 0, 0, 0, 0), payload...)
	}})
}

func (b builder) udp(src, dst uint16) builder { return b.udpWith(src, dst, nil) }

// udpWith has another length than the right one.
func (b builder) udpWith(src, dst uint16, length func(right uint16) uint16) builder {
	return b.ports(17, src, dst).add(layer{protocol: 17, wrap: func(payload []byte, _ layer) []byte {
		n := uint16(8 + len(payload))
		if length != nil {
			n = length(n)
		}
		h := be.AppendUint16(be.AppendUint16(be.AppendUint16(nil, src), dst), n)
		return append(append(h, 0, 0), payload...)
	}})
}

func (b builder) sctp(src, dst uint16) builder {
	return b.ports(132, src, dst).add(layer{protocol: 132, wrap: func(payload []byte, _ layer) []byte {
		h := be.AppendUint16(be.AppendUint16(nil, src), dst)
		return append(append(h, 0, 0, 0, 5, 1, 2, 3, 4), payload...)
	}})
}

// icmp is a message of ICMP (1) or ICMPv6 (58) with an identifier and a sequence number where
// echo messages have them.
func (b builder) icmp(protocol, kind, code byte, id uint16) builder {
	echo := protocol == 1 && (kind == 0 || kind == 8) || protocol == 58 && (kind == 128 || kind == 129)
	noted := id
	if !echo {
		noted = 0
	}
	return b.ports(uint16(protocol), uint16(kind)<<8|uint16(code), noted).add(layer{protocol: protocol, wrap: func(payload []byte, _ layer) []byte {
		h := append([]byte{kind, code, 0, 0}, byte(id>>8), byte(id), 0, 1)
		return append(h, payload...)
	}})
}

// vxlan has the I flag or not; the rest of the flags byte is set as it may be (RFC 7348).
func (b builder) vxlan(flags byte, vni uint32) builder {
	known := slices.Contains(VXLANPorts(), b.key.DstPort) && flags&8 != 0
	return b.enter(VXLAN, vni, known).add(layer{wrap: func(payload []byte, _ layer) []byte {
		return append(be.AppendUint32([]byte{flags, 0, 0, 0}, vni<<8), payload...)
	}})
}

// geneve has options of so many bytes, a multiple of 4, and a protocol type; 0 is that of what
// follows.
func (b builder) geneve(version byte, options int, vni uint32, kind uint16) builder {
	known := slices.Contains(GenevePorts(), b.key.DstPort) && version == 0 && (kind == 0 || kind == 0x0800 || kind == 0x86dd || kind == 0x6558)
	return b.enter(Geneve, vni, known).add(layer{wrap: func(payload []byte, next layer) []byte {
		h := be.AppendUint16([]byte{version<<6 | byte(options/4), 0}, cmp.Or(kind, next.etherType))
		h = be.AppendUint32(h, vni<<8)
		for left := options; left > 0; { // options of at most 4+124 bytes (RFC 8926, section 3.5)
			n := min(left, 128)
			h = append(append(h, 1, 2, 0, byte(n/4-1)), make([]byte, n-4)...)
			left -= n
		}
		return append(h, payload...)
	}})
}

// Flags of GRE's first 16 bits.
const (
	greChecksum = 0x8000
	greRouting  = 0x4000
	greKey      = 0x2000
	greSequence = 0x1000
)

// gre has flags with the fields that they announce, and a protocol type; 0 is that of what
// follows.
func (b builder) gre(flags uint16, key uint32, kind uint16) builder {
	id := uint32(0)
	if flags&greKey != 0 {
		id = key
	}
	known := flags&0x4c07 == 0 && (kind == 0 || kind == 0x0800 || kind == 0x86dd || kind == 0x6558)
	if !b.closed {
		b.key.Protocol = 47
	}
	return b.enter(GRE, id, known).add(layer{protocol: 47, wrap: func(payload []byte, next layer) []byte {
		h := be.AppendUint16(be.AppendUint16(nil, flags), cmp.Or(kind, next.etherType))
		if flags&greChecksum != 0 {
			h = be.AppendUint32(h, 0)
		}
		if flags&greKey != 0 {
			h = be.AppendUint32(h, key)
		}
		if flags&greSequence != 0 {
			h = be.AppendUint32(h, 9)
		}
		return append(h, payload...)
	}})
}
