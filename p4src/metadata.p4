// Per-packet state that passes from stage to stage.

#ifndef FABRICSCOPE_METADATA_P4
#define FABRICSCOPE_METADATA_P4

// The identity of a flow at one ingress port. IPv4 addresses are IPv4-mapped IPv6.
// keymeta is ingress port (12) ++ encapsulation (4) ++ VNI or GRE key (32) ++ protocol (16).
// The protocol is the one behind all extension headers, with KEY_IPV6 and KEY_OUTER_IPV6: a
// packet of IPv6 may have IPv4-mapped addresses of its own, and is no IPv4 packet for that.
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
    // Of the parser. What it took for a UDP tunnel need not be one: Classify decides.
    bit<1>        outer_complete;  // it got through the outer headers
    bit<1>        outer_fragment;  // they are of a fragment, and no transport header follows
    bit<1>        inner_fragment;
    bit<8>        outer_protocol;  // of IP, behind all extension headers
    bit<8>        inner_protocol;
    bit<32>       outer_ports;     // as in the key
    bit<32>       inner_ports;
    bit<16>       room;            // bytes that the length fields so far leave for what follows
    bit<16>       zero;            // nothing sets it
    Encapsulation encapsulation;
    bit<32>       tunnel_id;       // VNI, or the key of GRE; 0 without one

    // Of Classify.
    Class         class;
    Encapsulation port_kind;       // what the table says of the UDP destination port
    bit<16>       protocol;        // as in the key
    bit<8>        tcp_flags;
    bit<32>       tcp_seq;
    flow_key_t    key;

    // Of Forwarding.
    bit<1>        routed;          // the frame is addressed to the switch's MAC
    bit<16>       nexthop;
    bit<16>       group;
    bit<8>        group_size;
    PuntReason    punt;
}

#endif
