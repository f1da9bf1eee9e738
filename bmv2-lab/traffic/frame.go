// Package traffic makes frames of every kind that the switch accounts for, and says of each
// what it is by construction. Switches, and the tools that check them, are held to that.
package traffic

import "net/netip"

// Frame is one frame and what it is.
type Frame struct {
	Name  string
	Data  []byte // without the FCS
	Class string // the bucket that counts it; empty for the frame of a flow
	Key   Key    // of the flow
}

// Key is what identifies a flow: the outermost tunnel and the headers inside of it.
type Key struct {
	Kind               string // native, vxlan, geneve, ipip or gre
	ID                 uint32 // VNI, or the key of GRE
	OuterSrc, OuterDst netip.Addr
	Protocol           uint16 // of IP behind all extension headers; 256 for ARP
	Src, Dst           netip.Addr
	SrcPort, DstPort   uint16 // ICMP: type<<8|code and the identifier of echo messages; ARP: opcode and 0
}

// Kinds of tunnels.
const (
	Native = "native"
	VXLAN  = "vxlan"
	Geneve = "geneve"
	IPIP   = "ipip"
	GRE    = "gre"
)

// Classes of frames that are no flows.
const (
	Fragment  = "fragment"
	Malformed = "malformed"
	LLDP      = "lldp"
	Other     = "other"
)

// ProtocolARP stands for ARP, which has no IP protocol number.
const ProtocolARP = 256

// builder puts a frame together from the outside to the inside, and notes what it is.
type builder struct {
	layers []layer
	key    Key
	closed bool   // what follows is payload to the switch
	class  string // of a frame that is no flow
}

// layer is a header that is wrapped around what follows. The numbers are those by which the
// header before names it.
type layer struct {
	protocol  uint8
	etherType uint16
	announces bool // what follows by its IP protocol number
	wrap      func(payload []byte, next layer) []byte
}

// add puts a header behind the others.
func (b builder) add(l layer) builder {
	b.layers = append(append([]layer(nil), b.layers...), l)
	return b
}

// data wraps all headers around a payload.
func (b builder) data(payload []byte) []byte {
	next := layer{protocol: 253, etherType: 0x88b5} // for experiments (RFC 3692, IEEE 802)
	for i := len(b.layers) - 1; i >= 0; i-- {
		payload = b.layers[i].wrap(payload, next)
		next = b.layers[i]
	}
	return payload
}

// frame is the finished frame with a payload of n bytes.
func (b builder) frame(name string, n int) Frame {
	payload := make([]byte, n)
	for i := range payload {
		payload[i] = byte(0xe0 | i&7) // neither a VXLAN nor a Geneve header
	}
	f := Frame{Name: name, Data: b.data(payload), Class: b.class, Key: b.key}
	if f.Class != "" {
		f.Key = Key{}
	}
	return f
}

// as makes the frame one of a class, whatever follows.
func (b builder) as(class string) builder {
	if !b.closed {
		b.class, b.closed = class, true
	}
	return b
}

// flow notes the addresses and the protocol of a flow.
func (b builder) flow(protocol uint16, src, dst string) builder {
	if !b.closed {
		b.key.Protocol, b.key.Src, b.key.Dst = protocol, netip.MustParseAddr(src), netip.MustParseAddr(dst)
	}
	return b
}

// ports notes a transport header, behind which everything is payload.
func (b builder) ports(protocol uint16, src, dst uint16) builder {
	if !b.closed {
		b.key.Protocol, b.key.SrcPort, b.key.DstPort = protocol, src, dst
		b.closed = true
	}
	return b
}

// enter notes a tunnel; the second one is payload, and so is one that the switch does not know.
func (b builder) enter(kind string, id uint32, known bool) builder {
	if b.closed && b.key.Protocol != 17 || !known || b.key.Kind != Native {
		b.closed = true
		return b
	}
	b.key = Key{Kind: kind, ID: id, OuterSrc: b.key.Src, OuterDst: b.key.Dst}
	b.closed = false
	return b
}
