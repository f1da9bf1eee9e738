// Header formats, in the order in which they stand on the wire.

#ifndef FABRICSCOPE_HEADERS_P4
#define FABRICSCOPE_HEADERS_P4

// What the switch tells the controller about a frame that it sends up.
@controller_header("packet_in")
header packet_in_t {
    @id(1) bit<8>  reason;        // PuntReason
    @id(2) bit<16> ingress_port;
    @id(3) bit<48> timestamp;     // microseconds since the switch started
}

// What the controller asks of the switch.
@controller_header("packet_out")
header packet_out_t {
    @id(1) bit<8>  op;            // PacketOutOp
    @id(2) bit<16> egress_port;   // SEND: where to
    @id(3) bit<32> slot;          // READ, EVICT_IF_IDLE: way * FLOW_SLOTS_PER_WAY + index
    @id(4) bit<32> idle_us;       // EVICT_IF_IDLE: not if a packet came within this time
    @id(5) bit<48> clock_offset;  // SET_CLOCK: what makes the fabric's time of this switch's
    @id(6) bit<64> incarnation;   // SET_INCARNATION: the name of what the registers hold
    @id(7) bit<16> generation;    // EVICT_IF_IDLE: not if the slot is of another generation
    @id(8) bit<64> packets;       // nor if it has counted more or less
}

// The payload of a packet-in with reason SLOT (docs/formats/slot-report.md).
header slot_report_t {
    bit<32>  slot;
    bit<16>  generation;
    bit<8>   cause;
    bit<8>   tcp_flags;
    bit<64>  keymeta;
    bit<128> outer_src;
    bit<128> outer_dst;
    bit<128> src;
    bit<128> dst;
    bit<32>  ports;
    bit<64>  packets;             // 0: the slot is empty
    bit<64>  bytes;
    bit<48>  first;
    bit<48>  last;
    bit<32>  syn_seq;
    bit<8>   syns;
    bit<48>  syn_last;
    bit<48>  ack_first;
    bit<64>  incarnation;         // 0: nobody has named it
}

header ethernet_t {
    bit<48> dst;
    bit<48> src;
    bit<16> ethertype;
}

header vlan_t {
    bit<3>  pcp;
    bit<1>  dei;
    bit<12> vid;
    bit<16> ethertype;
}

// ARP for IPv4 over Ethernet (RFC 826).
header arp_t {
    bit<16> htype;
    bit<16> ptype;
    bit<8>  hlen;
    bit<8>  plen;
    bit<16> opcode;
    bit<48> sender_mac;
    bit<32> sender_ip;
    bit<48> target_mac;
    bit<32> target_ip;
}

header ipv4_t {
    bit<4>  version;
    bit<4>  ihl;
    bit<8>  tos;
    bit<16> total_len;
    bit<16> identification;
    bit<3>  flags;
    bit<13> frag_offset;
    bit<8>  ttl;
    bit<8>  protocol;
    bit<16> checksum;
    bit<32> src;
    bit<32> dst;
}

header ipv4_options_t {
    varbit<320> options;
}

header ipv6_t {
    bit<4>   version;
    bit<8>   traffic_class;
    bit<20>  flow_label;
    bit<16>  payload_len;
    bit<8>   next_header;
    bit<8>   hop_limit;
    bit<128> src;
    bit<128> dst;
}

// Any extension header (RFC 8200, section 4; AH: RFC 4302), without regard to what it says
// besides its length. The unit of the length is that of its kind.
header ipv6_extension_t {
    bit<8>        next_header;
    bit<8>        length;
    varbit<16368> data;
}

header tcp_t {
    bit<16> src_port;
    bit<16> dst_port;
    bit<32> seq;
    bit<32> ack;
    bit<4>  data_offset;
    bit<4>  reserved;
    bit<8>  flags;
    bit<16> window;
    bit<16> checksum;
    bit<16> urgent;
}

header udp_t {
    bit<16> src_port;
    bit<16> dst_port;
    bit<16> length;
    bit<16> checksum;
}

// RFC 7348.
header vxlan_t {
    bit<8>  flags;
    bit<24> reserved;
    bit<24> vni;
    bit<8>  reserved2;
}

// RFC 8926.
header geneve_t {
    bit<2>  version;
    bit<6>  options_length;   // in units of 4 bytes
    bit<8>  flags;
    bit<16> protocol_type;
    bit<24> vni;
    bit<8>  reserved;
}

header geneve_options_t {
    varbit<2016> options;
}

// RFC 2784 and RFC 2890.
header gre_t {
    bit<1>  has_checksum;
    bit<1>  has_routing;      // RFC 1701 only
    bit<1>  has_key;
    bit<1>  has_sequence;
    bit<9>  reserved;
    bit<3>  version;
    bit<16> protocol_type;
}

header gre_checksum_t {
    bit<16> checksum;
    bit<16> reserved;
}

header gre_key_t {
    bit<32> key;
}

header gre_sequence_t {
    bit<32> number;
}

struct headers_t {
    packet_in_t      packet_in;
    packet_out_t     packet_out;
    slot_report_t    slot_report;

    ethernet_t       ethernet;
    vlan_t           vlan;
    vlan_t           second_vlan;
    arp_t            arp;
    ipv4_t           ipv4;
    ipv4_options_t   ipv4_options;
    ipv6_t           ipv6;
    ipv6_extension_t extension1;
    ipv6_extension_t extension2;
    ipv6_extension_t extension3;
    ipv6_extension_t extension4;
    tcp_t            tcp;
    udp_t            udp;

    vxlan_t          vxlan;
    geneve_t         geneve;
    geneve_options_t geneve_options;
    gre_t            gre;
    gre_checksum_t   gre_checksum;
    gre_key_t        gre_key;
    gre_sequence_t   gre_sequence;

    ethernet_t       inner_ethernet;
    vlan_t           inner_vlan;
    vlan_t           inner_second_vlan;
    arp_t            inner_arp;
    ipv4_t           inner_ipv4;
    ipv4_options_t   inner_ipv4_options;
    ipv6_t           inner_ipv6;
    ipv6_extension_t inner_extension1;
    ipv6_extension_t inner_extension2;
    tcp_t            inner_tcp;
}

#endif
