// Per-packet state that passes from stage to stage.

#ifndef FABRICSCOPE_METADATA_P4
#define FABRICSCOPE_METADATA_P4

// The identity of a flow at one ingress port. IPv4 addresses are IPv4-mapped IPv6.
// keymeta is ingress port (16) ++ encapsulation (8) ++ VNI (24) ++ protocol (16).
// ports is source (16) ++ destination (16); ICMP: type ++ code and the identifier of echo
// messages; ARP: opcode and 0.
struct flow_key_t {
    bit<64>  keymeta;
    bit<128> outer_src;
    bit<128> outer_dst;
    bit<128> src;
    bit<128> dst;
    bit<32>  ports;
}

struct metadata_t {
    Class      class;
    bit<1>     outer_complete;  // the parser got through the outer headers
    bit<1>     tunnel;          // the UDP destination port is a tunnel's
    bit<8>     tcp_flags;
    bit<32>    tcp_seq;
    flow_key_t key;
    bit<1>     routed;          // the frame is addressed to the switch's MAC
    bit<16>    nexthop;
    bit<16>    group;
    bit<8>     group_size;
    PuntReason punt;
}

#endif
