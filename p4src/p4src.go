// Package p4src embeds the compiled P4 program and names what a controller needs of it:
// the objects of its P4Info, the numbers of enums.p4, and the digest's and the slot report's
// layout. The sources beside it are compiled by `make p4`; its tests fail when gen is stale.
package p4src

import (
	_ "embed"
	"fmt"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	"google.golang.org/protobuf/encoding/prototext"
)

//go:embed gen/fabricscope.json
var deviceConfig []byte

//go:embed gen/fabricscope.p4info.txtpb
var p4info []byte

// DeviceConfig is the BMv2 JSON, the p4_device_config of simple_switch_grpc and softswitch.
// The caller may keep and change it.
func DeviceConfig() []byte { return append([]byte(nil), deviceConfig...) }

// P4Info parses the program's P4Info. Each call gives a message of its own.
func P4Info() (*p4config.P4Info, error) {
	info := &p4config.P4Info{}
	if err := prototext.Unmarshal(p4info, info); err != nil {
		return nil, fmt.Errorf("embedded P4Info: %w", err)
	}
	return info, nil
}

// Tables, by the names that P4Info gives them.
const (
	TableTunnelPort = "FabricscopeIngress.classify.tunnel_port"
	TableMyMAC      = "FabricscopeIngress.forwarding.my_mac"
	TableIPv4Route  = "FabricscopeIngress.forwarding.ipv4_route"
	TableECMPMember = "FabricscopeIngress.forwarding.ecmp_member"
	TableNexthop    = "FabricscopeIngress.forwarding.nexthop"
)

// Actions.
const (
	ActionVXLAN       = "FabricscopeIngress.classify.vxlan"
	ActionGeneve      = "FabricscopeIngress.classify.geneve"
	ActionRoutePacket = "FabricscopeIngress.forwarding.route_packet"
	ActionSetNexthop  = "FabricscopeIngress.forwarding.set_nexthop"
	ActionSetGroup    = "FabricscopeIngress.forwarding.set_group"
	ActionPunt        = "FabricscopeIngress.forwarding.punt"
	ActionDiscard     = "FabricscopeIngress.forwarding.discard"
	ActionForward     = "FabricscopeIngress.forwarding.forward"
)

// Match fields and action parameters.
const (
	FieldUDPDstPort  = "hdr.udp.dst_port"
	FieldEthernetDst = "hdr.ethernet.dst"
	FieldIPv4Dst     = "hdr.ipv4.dst"
	FieldGroup       = "meta.group"
	FieldIndex       = "index"
	FieldNexthop     = "meta.nexthop"

	ParamNexthop = "nexthop"
	ParamGroup   = "group"
	ParamSize    = "size"
	ParamReason  = "reason"
	ParamPort    = "port"
	ParamSrcMAC  = "src_mac"
	ParamDstMAC  = "dst_mac"
)

// Counters. Those of a port are indexed by its number, those of a class by port number times
// ClassesPerPort plus class.
const (
	CounterPort    = "FabricscopeIngress.accounting.port_rx"
	CounterClass   = "FabricscopeIngress.accounting.class_rx"
	CounterExpired = "FabricscopeIngress.forwarding.expiry.ttl_expired" // by port; they are in their flows too
)

// DigestFlow is the digest of the flow cache; its members are those of flow_digest_t.
const DigestFlow = "flow_digest_t"

// Controller headers and their fields.
const (
	PacketIn            = "packet_in"
	PacketInReason      = "reason"
	PacketInIngressPort = "ingress_port"
	PacketInTimestamp   = "timestamp"

	PacketOut            = "packet_out"
	PacketOutOp          = "op"
	PacketOutEgressPort  = "egress_port"
	PacketOutSlot        = "slot"
	PacketOutIdle        = "idle_us"
	PacketOutClock       = "clock_offset"
	PacketOutIncarnation = "incarnation"
	PacketOutGeneration  = "generation"
	PacketOutPackets     = "packets"
)

// PuntReason says why a frame came to the controller (enums.p4).
type PuntReason uint8

// Punt reasons.
const (
	PuntLLDP    PuntReason = 1
	PuntARP     PuntReason = 2
	PuntGlean   PuntReason = 3
	PuntGateway PuntReason = 4
	PuntSlot    PuntReason = 5
	PuntExpired PuntReason = 6
)

// Op is what a packet-out asks for (enums.p4).
type Op uint8

// Packet-out operations.
const (
	OpSend           Op = 0
	OpRead           Op = 1
	OpEvictIfIdle    Op = 2
	OpSetClock       Op = 3
	OpSetIncarnation Op = 4
)

// Encapsulation is the outermost tunnel of a frame (enums.p4).
type Encapsulation uint8

// Encapsulations.
const (
	EncapsulationNative Encapsulation = 0
	EncapsulationVXLAN  Encapsulation = 1
	EncapsulationGeneve Encapsulation = 2
	EncapsulationIPIP   Encapsulation = 3
	EncapsulationGRE    Encapsulation = 4
)

// KeyMeta is the packed field keymeta of flow keys (metadata.p4).
type KeyMeta uint64

// Port is the ingress port.
func (k KeyMeta) Port() uint32 { return uint32(k >> 52) }

// Encapsulation is the outermost tunnel.
func (k KeyMeta) Encapsulation() Encapsulation { return Encapsulation(k >> 48 & 0xf) }

// TunnelID is the VNI of VXLAN and Geneve, and the key of GRE; 0 without one.
func (k KeyMeta) TunnelID() uint32 { return uint32(k >> 16) }

// Protocol is IP's protocol number behind all extension headers, or 256 for ARP.
func (k KeyMeta) Protocol() uint16 { return uint16(k) &^ (keyIPv6 | keyOuterIPv6) }

// The bits beside the protocol number (enums.p4).
const (
	keyIPv6      = 0x8000
	keyOuterIPv6 = 0x4000
)

// IPv6 says that the packet is one of IPv6. With ARP it is not.
func (k KeyMeta) IPv6() bool { return k&keyIPv6 != 0 }

// OuterIPv6 says that the packet travelled in one of IPv6.
func (k KeyMeta) OuterIPv6() bool { return k&keyOuterIPv6 != 0 }

// Class says how a frame is accounted for (enums.p4).
type Class uint8

// Classes. Frames of ClassFlow are in the flow cache, the others in their bucket.
const (
	ClassFlow      Class = 0
	ClassFragment  Class = 1
	ClassMalformed Class = 2
	ClassLLDP      Class = 3
	ClassOther     Class = 4
)

// String gives the class's lower-case name.
func (c Class) String() string {
	switch c {
	case ClassFlow:
		return "flow"
	case ClassFragment:
		return "fragment"
	case ClassMalformed:
		return "malformed"
	case ClassLLDP:
		return "lldp"
	case ClassOther:
		return "other"
	}
	return fmt.Sprintf("class-%d", uint8(c))
}

// Sizes (sizes.p4).
const (
	CPUPort        = 510 // what switches are started with as --cpu-port
	DropPort       = 511
	ClassesPerPort = 8
	FlowSlots      = 2 * 8192 // both ways of the flow cache
	EpochBits      = 20       // an epoch is 2 to the power of this many microseconds
)
