// Numbers that the controller shares with the program. The Go package p4src names the same
// values; its tests compare them with the compiled program.

#ifndef FABRICSCOPE_ENUMS_P4
#define FABRICSCOPE_ENUMS_P4

const bit<16> ETHERTYPE_IPV4     = 0x0800;
const bit<16> ETHERTYPE_ARP      = 0x0806;
const bit<16> ETHERTYPE_BRIDGING = 0x6558;  // Ethernet, inside Geneve and GRE
const bit<16> ETHERTYPE_VLAN     = 0x8100;
const bit<16> ETHERTYPE_IPV6     = 0x86dd;
const bit<16> ETHERTYPE_QINQ     = 0x88a8;
const bit<16> ETHERTYPE_LLDP     = 0x88cc;
const bit<16> ETHERTYPE_OLD_QINQ = 0x9100;  // QinQ before there was a standard

const bit<8> PROTO_HOP_BY_HOP  = 0;
const bit<8> PROTO_ICMP        = 1;
const bit<8> PROTO_IPV4        = 4;
const bit<8> PROTO_TCP         = 6;
const bit<8> PROTO_UDP         = 17;
const bit<8> PROTO_IPV6        = 41;
const bit<8> PROTO_ROUTING     = 43;
const bit<8> PROTO_FRAGMENT    = 44;
const bit<8> PROTO_GRE         = 47;
const bit<8> PROTO_AH          = 51;
const bit<8> PROTO_ICMPV6      = 58;
const bit<8> PROTO_DESTINATION = 60;
const bit<8> PROTO_SCTP        = 132;

// Protocol numbers of flow keys are IP's, and this one for ARP. The high bits say of which
// version of IP the packet is, and the packet around it: 4 where they are 0.
const bit<16> KEY_PROTO_ARP  = 256;
const bit<16> KEY_IPV6       = 0x8000;
const bit<16> KEY_OUTER_IPV6 = 0x4000;

const bit<8> TCP_FIN = 0x01;
const bit<8> TCP_SYN = 0x02;
const bit<8> TCP_RST = 0x04;
const bit<8> TCP_ACK = 0x10;

// The CPU port; simple_switch_grpc and softswitch are started with --cpu-port 510.
const bit<9> CPU_PORT = 510;

// How a frame is accounted for. FLOW frames are counted in the flow cache, all others in
// the class bucket of their port.
enum bit<8> Class {
    FLOW      = 0,
    FRAGMENT  = 1,  // any IP fragment: only the first one has ports
    MALFORMED = 2,  // shorter than its headers say, or with an impossible field
    LLDP      = 3,
    OTHER     = 4   // other EtherTypes, and LLC
}

// What a frame travels in: the outermost tunnel.
enum bit<4> Encapsulation {
    NATIVE = 0,
    VXLAN  = 1,
    GENEVE = 2,
    IPIP   = 3,
    GRE    = 4
}

// Why a slot of the flow cache is reported.
enum bit<8> Cause {
    NONE    = 0,
    NEW     = 1,  // the flow took an empty slot
    EVICT   = 2,  // the flow took another's slot
    TCP_END = 3,  // FIN or RST was seen
    ACTIVE  = 4,  // still going: what it counted before this epoch
    READ    = 5,  // asked by packet-out
    FREED   = 6   // asked by packet-out, was idle, and is empty now
}

// Why a frame goes to the controller.
enum bit<8> PuntReason {
    NONE    = 0,
    LLDP    = 1,
    ARP     = 2,
    GLEAN   = 3,  // the destination is on a connected subnet and has no neighbour entry
    GATEWAY = 4,  // the destination is the switch itself
    SLOT    = 5,  // the answer to a read-out
    EXPIRED = 6   // the TTL ended here; some of them, so that their senders are told
}

enum bit<8> PacketOutOp {
    SEND            = 0,
    READ            = 1,
    EVICT_IF_IDLE   = 2,
    SET_CLOCK       = 3,
    SET_INCARNATION = 4
}

#endif
