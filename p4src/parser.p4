// The parser takes a frame apart down to the transport header inside the outermost tunnel.
// Parsers cannot look tables up, and BMv2 serves no value sets over P4Runtime, so whatever
// could be VXLAN or Geneve is parsed as if it were; the stage Classify then asks the table of
// tunnel ports and ignores the inner headers (and errors in them) of a frame that is none.
//
// Length fields count: a header that begins before the end of its packet and ends behind it is
// an error, even where the frame has bytes there (padding, or what follows the packet).

#ifndef FABRICSCOPE_PARSER_P4
#define FABRICSCOPE_PARSER_P4

#include "headers.p4"
#include "metadata.p4"
#include "extension.p4"

error { BadIPv4Header, BadIPv6Header, BadTransportHeader, BadTunnelHeader, BadInnerEthernet }

// Hardware type, protocol type and address lengths of ARP for IPv4 over Ethernet (RFC 826).
const bit<48> ARP_IPV4_OVER_ETHERNET = 0x0001_0800_06_04;

parser FabricscopeParser(packet_in packet,
                         out headers_t hdr,
                         inout metadata_t meta,
                         inout standard_metadata_t standard_metadata) {
    bit<16> size;

    state start {
        meta.outer_complete = 0;
        transition select(standard_metadata.ingress_port) {
            CPU_PORT: parse_packet_out;
            default: parse_ethernet;
        }
    }

    state parse_packet_out {
        packet.extract(hdr.packet_out);
        transition accept;
    }

    state parse_ethernet {
        packet.extract(hdr.ethernet);
        transition select(hdr.ethernet.ethertype) {
            ETHERTYPE_IPV4: parse_ipv4;
            ETHERTYPE_IPV6: parse_ipv6;
            ETHERTYPE_VLAN: parse_vlan;
            ETHERTYPE_ARP: peek_arp;
            ETHERTYPE_QINQ: parse_vlan;
            ETHERTYPE_OLD_QINQ: parse_vlan;
            default: outer_done;
        }
    }

    state parse_vlan {
        packet.extract(hdr.vlan);
        transition select(hdr.vlan.ethertype) {
            ETHERTYPE_IPV4: parse_ipv4;
            ETHERTYPE_IPV6: parse_ipv6;
            ETHERTYPE_VLAN: parse_second_vlan;
            ETHERTYPE_ARP: peek_arp;
            ETHERTYPE_QINQ: parse_second_vlan;
            ETHERTYPE_OLD_QINQ: parse_second_vlan;
            default: outer_done;
        }
    }

    state parse_second_vlan {
        packet.extract(hdr.second_vlan);
        transition select(hdr.second_vlan.ethertype) {
            ETHERTYPE_IPV4: parse_ipv4;
            ETHERTYPE_IPV6: parse_ipv6;
            ETHERTYPE_ARP: peek_arp;
            default: outer_done;
        }
    }

    state peek_arp {
        transition select(packet.lookahead<bit<48>>()) {
            ARP_IPV4_OVER_ETHERNET: parse_arp;
            default: outer_done;
        }
    }

    state parse_arp {
        packet.extract(hdr.arp);
        transition outer_done;
    }

    state parse_ipv4 {
        packet.extract(hdr.ipv4);
        meta.outer_protocol = hdr.ipv4.protocol;
        transition select(hdr.ipv4.version, hdr.ipv4.ihl) {
            (4, 5): parse_ipv4_plain;
            (4, 8 &&& 8): parse_ipv4_options;
            (4, 6 &&& 14): parse_ipv4_options;
            default: bad_ipv4;
        }
    }

    state bad_ipv4 {
        verify(false, error.BadIPv4Header);
        transition accept;
    }

    // A total length of 0 stands for one that does not fit 16 bits: the rest of the frame.
    state parse_ipv4_plain {
        meta.room = hdr.ipv4.total_len - 20;
        verify(meta.room <= 0xffff - 19, error.BadIPv4Header);
        transition parse_ipv4_payload;
    }

    state parse_ipv4_options {
        packet.extract(hdr.ipv4_options, ((bit<32>)hdr.ipv4.ihl - 5) << 5);
        bit<16> length = (bit<16>)hdr.ipv4.ihl << 2;
        meta.room = hdr.ipv4.total_len - length;
        verify(meta.room <= 0 - length, error.BadIPv4Header);
        transition parse_ipv4_payload;
    }

    state parse_ipv4_payload {
        // More-fragments and the offset: of a fragment no transport header is parsed.
        transition select(hdr.ipv4.flags, hdr.ipv4.frag_offset) {
            (0 &&& 1, 0): parse_payload;
            default: outer_fragment;
        }
    }

    state outer_fragment {
        meta.outer_fragment = 1;
        transition outer_done;
    }

    state parse_ipv6 {
        packet.extract(hdr.ipv6);
        meta.outer_protocol = hdr.ipv6.next_header;
        meta.room = hdr.ipv6.payload_len;
        transition select(hdr.ipv6.version, hdr.ipv6.next_header) {
            (6, PROTO_HOP_BY_HOP): parse_extension1;
            (6, PROTO_ROUTING): parse_extension1;
            (6, PROTO_FRAGMENT): parse_extension1;
            (6, PROTO_AH): parse_extension1;
            (6, PROTO_DESTINATION): parse_extension1;
            (6, _): parse_payload;
            default: bad_ipv6;
        }
    }

    state bad_ipv6 {
        verify(false, error.BadIPv6Header);
        transition accept;
    }

    EXTENSION_STATES(parse_extension1, hdr.extension1, meta.outer_protocol, outer_fragment, parse_extension2)
    EXTENSION_STATES(parse_extension2, hdr.extension2, meta.outer_protocol, outer_fragment, parse_extension3)
    EXTENSION_STATES(parse_extension3, hdr.extension3, meta.outer_protocol, outer_fragment, parse_extension4)
    EXTENSION_STATES(parse_extension4, hdr.extension4, meta.outer_protocol, outer_fragment, parse_payload)

    state parse_payload {
        transition select(meta.outer_protocol) {
            PROTO_UDP: parse_udp;
            PROTO_TCP: parse_tcp;
            PROTO_ICMP: parse_icmp;
            PROTO_ICMPV6: parse_icmp;
            PROTO_SCTP: parse_sctp;
            PROTO_IPV4: parse_ipip4;
            PROTO_IPV6: parse_ipip6;
            PROTO_GRE: peek_gre;
            default: outer_done;
        }
    }

    state parse_tcp {
        verify(meta.room >= 20, error.BadTransportHeader);
        packet.extract(hdr.tcp);
        meta.outer_ports = hdr.tcp.src_port ++ hdr.tcp.dst_port;
        transition outer_done;
    }

    // Of SCTP (RFC 9260, section 3.1) and ICMP nothing but the ports is needed. Messages of
    // ICMP and ICMPv6 have at least 8 bytes (RFC 792; RFC 4443, sections 3 and 4).
    state parse_sctp {
        verify(meta.room >= 12, error.BadTransportHeader);
        meta.outer_ports = packet.lookahead<bit<96>>()[95:64];
        transition outer_done;
    }

    state parse_icmp {
        verify(meta.room >= 8, error.BadTransportHeader);
        bit<64> message = packet.lookahead<bit<64>>();
        meta.outer_ports = message[63:48] ++ 16w0;
        transition select(meta.outer_protocol, message[63:56]) {
            (PROTO_ICMP, 0): parse_icmp_echo;
            (PROTO_ICMP, 8): parse_icmp_echo;
            (PROTO_ICMPV6, 128 &&& 0xfe): parse_icmp_echo;
            default: outer_done;
        }
    }

    state parse_icmp_echo {
        meta.outer_ports[15:0] = packet.lookahead<bit<64>>()[31:16];
        transition outer_done;
    }

    state outer_done {
        meta.outer_complete = 1;
        transition accept;
    }

    state parse_udp {
        packet.extract(hdr.udp);
        meta.outer_ports = hdr.udp.src_port ++ hdr.udp.dst_port;
        transition select(hdr.udp.length - meta.room) {
            0: parse_udp_payload;
            default: bound_udp;
        }
    }

    state bound_udp {
        verify(meta.room >= 8, error.BadTransportHeader);
        meta.room = hdr.udp.length < meta.room ? hdr.udp.length : meta.room;
        transition parse_udp_payload;
    }

    // A UDP header and a tunnel's are 16 bytes: nothing shorter is a tunnel.
    state parse_udp_payload {
        meta.outer_complete = 1;
        transition select(meta.room) {
            0 &&& 0xfff0: accept;
            default: peek_tunnel;
        }
    }

    // Geneve: version 0 and a protocol type that is known. VXLAN: the I flag; the other bits
    // are ignored on receipt (RFC 7348, section 5).
    state peek_tunnel {
        transition select(packet.lookahead<bit<32>>()) {
            (bit<32>)ETHERTYPE_BRIDGING &&& 0xc000_ffff: parse_geneve;
            (bit<32>)ETHERTYPE_IPV4 &&& 0xc000_ffff: parse_geneve;
            (bit<32>)ETHERTYPE_IPV6 &&& 0xc000_ffff: parse_geneve;
            0x0800_0000 &&& 0x0800_0000: parse_vxlan;
            default: accept;
        }
    }

    state parse_vxlan {
        packet.extract(hdr.vxlan);
        meta.encapsulation = Encapsulation.VXLAN;
        meta.tunnel_id = (bit<32>)hdr.vxlan.vni;
        meta.room = meta.room - 16;
        transition parse_inner_ethernet;
    }

    state parse_geneve {
        packet.extract(hdr.geneve);
        meta.encapsulation = Encapsulation.GENEVE;
        meta.tunnel_id = (bit<32>)hdr.geneve.vni;
        meta.room = meta.room - 16;
        transition select(hdr.geneve.options_length) {
            0: parse_geneve_payload;
            default: parse_geneve_options;
        }
    }

    state parse_geneve_options {
        bit<16> length = (bit<16>)hdr.geneve.options_length << 2;
        verify(meta.room >= length, error.BadTunnelHeader);
        meta.room = meta.room - length;
        packet.extract(hdr.geneve_options, (bit<32>)length << 3);
        transition parse_geneve_payload;
    }

    state parse_geneve_payload {
        transition select(hdr.geneve.protocol_type) {
            ETHERTYPE_IPV4: parse_inner_ipv4;
            ETHERTYPE_IPV6: parse_inner_ipv6;
            default: parse_inner_ethernet;
        }
    }

    // GRE with routing, of a later version or of another payload is a flow of protocol 47 as it
    // is. A receiver has to discard what has one of
    // the bits 1 to 5 that it does not know, and to ignore the next seven (RFC 2784,
    // section 2.3; RFC 2890 gives two of them a meaning).
    state peek_gre {
        verify(meta.room >= 4, error.BadTransportHeader);
        transition select(packet.lookahead<bit<32>>()) {
            (bit<32>)ETHERTYPE_IPV4 &&& 0x4c07_ffff: parse_gre;
            (bit<32>)ETHERTYPE_IPV6 &&& 0x4c07_ffff: parse_gre;
            (bit<32>)ETHERTYPE_BRIDGING &&& 0x4c07_ffff: parse_gre;
            default: outer_done;
        }
    }

    state parse_gre {
        packet.extract(hdr.gre);
        meta.outer_complete = 1;
        meta.encapsulation = Encapsulation.GRE;
        meta.room = meta.room - 4;
        transition select(hdr.gre.has_checksum) {
            1: parse_gre_checksum;
            default: parse_gre_to_key;
        }
    }

    state parse_gre_checksum {
        verify(meta.room >= 4, error.BadTunnelHeader);
        meta.room = meta.room - 4;
        packet.extract(hdr.gre_checksum);
        transition parse_gre_to_key;
    }

    state parse_gre_to_key {
        transition select(hdr.gre.has_key) {
            1: parse_gre_key;
            default: parse_gre_to_sequence;
        }
    }

    state parse_gre_key {
        verify(meta.room >= 4, error.BadTunnelHeader);
        meta.room = meta.room - 4;
        packet.extract(hdr.gre_key);
        meta.tunnel_id = hdr.gre_key.key;
        transition parse_gre_to_sequence;
    }

    state parse_gre_to_sequence {
        transition select(hdr.gre.has_sequence) {
            1: parse_gre_sequence;
            default: parse_gre_payload;
        }
    }

    state parse_gre_sequence {
        verify(meta.room >= 4, error.BadTunnelHeader);
        meta.room = meta.room - 4;
        packet.extract(hdr.gre_sequence);
        transition parse_gre_payload;
    }

    state parse_gre_payload {
        transition select(hdr.gre.protocol_type) {
            ETHERTYPE_IPV4: parse_inner_ipv4;
            ETHERTYPE_IPV6: parse_inner_ipv6;
            default: parse_inner_ethernet;
        }
    }

    state parse_ipip4 {
        meta.outer_complete = 1;
        meta.encapsulation = Encapsulation.IPIP;
        transition parse_inner_ipv4;
    }

    state parse_ipip6 {
        meta.outer_complete = 1;
        meta.encapsulation = Encapsulation.IPIP;
        transition parse_inner_ipv6;
    }

    state parse_inner_ethernet {
        verify(meta.room >= 14, error.BadInnerEthernet);
        meta.room = meta.room - 14;
        packet.extract(hdr.inner_ethernet);
        transition select(hdr.inner_ethernet.ethertype) {
            ETHERTYPE_IPV4: parse_inner_ipv4;
            ETHERTYPE_IPV6: parse_inner_ipv6;
            ETHERTYPE_VLAN: parse_inner_vlan;
            ETHERTYPE_ARP: peek_inner_arp;
            ETHERTYPE_QINQ: parse_inner_vlan;
            ETHERTYPE_OLD_QINQ: parse_inner_vlan;
            default: accept;
        }
    }

    state parse_inner_vlan {
        verify(meta.room >= 4, error.BadInnerEthernet);
        meta.room = meta.room - 4;
        packet.extract(hdr.inner_vlan);
        transition select(hdr.inner_vlan.ethertype) {
            ETHERTYPE_IPV4: parse_inner_ipv4;
            ETHERTYPE_IPV6: parse_inner_ipv6;
            ETHERTYPE_VLAN: parse_inner_second_vlan;
            ETHERTYPE_ARP: peek_inner_arp;
            ETHERTYPE_QINQ: parse_inner_second_vlan;
            ETHERTYPE_OLD_QINQ: parse_inner_second_vlan;
            default: accept;
        }
    }

    state parse_inner_second_vlan {
        verify(meta.room >= 4, error.BadInnerEthernet);
        meta.room = meta.room - 4;
        packet.extract(hdr.inner_second_vlan);
        transition select(hdr.inner_second_vlan.ethertype) {
            ETHERTYPE_IPV4: parse_inner_ipv4;
            ETHERTYPE_IPV6: parse_inner_ipv6;
            ETHERTYPE_ARP: peek_inner_arp;
            default: accept;
        }
    }

    state peek_inner_arp {
        verify(meta.room >= 6, error.BadInnerEthernet);
        transition select(packet.lookahead<bit<48>>()) {
            ARP_IPV4_OVER_ETHERNET: parse_inner_arp;
            default: accept;
        }
    }

    state parse_inner_arp {
        verify(meta.room >= 28, error.BadInnerEthernet);
        packet.extract(hdr.inner_arp);
        transition accept;
    }

    state parse_inner_ipv4 {
        packet.extract(hdr.inner_ipv4);
        meta.inner_protocol = hdr.inner_ipv4.protocol;
        transition select(hdr.inner_ipv4.total_len - meta.room) {
            0: parse_inner_ipv4_bounded;
            default: bound_inner_ipv4;
        }
    }

    // A total length of 0 stands for the rest here too.
    state bound_inner_ipv4 {
        meta.room = hdr.inner_ipv4.total_len - 1 < meta.room ? hdr.inner_ipv4.total_len : meta.room;
        transition parse_inner_ipv4_bounded;
    }

    state parse_inner_ipv4_bounded {
        verify(meta.room >= 20, error.BadIPv4Header);
        meta.room = meta.room - 20;
        transition select(hdr.inner_ipv4.version, hdr.inner_ipv4.ihl) {
            (4, 5): parse_inner_ipv4_payload;
            (4, 8 &&& 8): parse_inner_ipv4_options;
            (4, 6 &&& 14): parse_inner_ipv4_options;
            default: bad_ipv4;
        }
    }

    state parse_inner_ipv4_options {
        bit<16> length = ((bit<16>)hdr.inner_ipv4.ihl << 2) - 20;
        verify(meta.room >= length, error.BadIPv4Header);
        meta.room = meta.room - length;
        packet.extract(hdr.inner_ipv4_options, (bit<32>)length << 3);
        transition parse_inner_ipv4_payload;
    }

    state parse_inner_ipv4_payload {
        transition select(hdr.inner_ipv4.flags, hdr.inner_ipv4.frag_offset) {
            (0 &&& 1, 0): parse_inner_payload;
            default: inner_fragment;
        }
    }

    state inner_fragment {
        meta.inner_fragment = 1;
        transition accept;
    }

    state parse_inner_ipv6 {
        packet.extract(hdr.inner_ipv6);
        meta.inner_protocol = hdr.inner_ipv6.next_header;
        verify(meta.room >= 40, error.BadIPv6Header);
        meta.room = meta.room - 40;
        meta.room = hdr.inner_ipv6.payload_len < meta.room ? hdr.inner_ipv6.payload_len : meta.room;
        transition select(hdr.inner_ipv6.version, hdr.inner_ipv6.next_header) {
            (6, PROTO_HOP_BY_HOP): parse_inner_extension1;
            (6, PROTO_ROUTING): parse_inner_extension1;
            (6, PROTO_FRAGMENT): parse_inner_extension1;
            (6, PROTO_AH): parse_inner_extension1;
            (6, PROTO_DESTINATION): parse_inner_extension1;
            (6, _): parse_inner_payload;
            default: bad_ipv6;
        }
    }

    EXTENSION_STATES(parse_inner_extension1, hdr.inner_extension1, meta.inner_protocol, inner_fragment, parse_inner_extension2)
    EXTENSION_STATES(parse_inner_extension2, hdr.inner_extension2, meta.inner_protocol, inner_fragment, parse_inner_payload)

    state parse_inner_payload {
        transition select(meta.inner_protocol) {
            PROTO_TCP: parse_inner_tcp;
            PROTO_UDP: parse_inner_udp;
            PROTO_ICMP: parse_inner_icmp;
            PROTO_ICMPV6: parse_inner_icmp;
            PROTO_SCTP: parse_inner_sctp;
            default: accept;
        }
    }

    state parse_inner_tcp {
        verify(meta.room >= 20, error.BadTransportHeader);
        packet.extract(hdr.inner_tcp);
        meta.inner_ports = hdr.inner_tcp.src_port ++ hdr.inner_tcp.dst_port;
        transition accept;
    }

    state parse_inner_udp {
        verify(meta.room >= 8, error.BadTransportHeader);
        meta.inner_ports = packet.lookahead<bit<64>>()[63:32];
        transition accept;
    }

    state parse_inner_sctp {
        verify(meta.room >= 12, error.BadTransportHeader);
        meta.inner_ports = packet.lookahead<bit<96>>()[95:64];
        transition accept;
    }

    state parse_inner_icmp {
        verify(meta.room >= 8, error.BadTransportHeader);
        bit<64> message = packet.lookahead<bit<64>>();
        meta.inner_ports = message[63:48] ++ 16w0;
        transition select(meta.inner_protocol, message[63:56]) {
            (PROTO_ICMP, 0): parse_inner_icmp_echo;
            (PROTO_ICMP, 8): parse_inner_icmp_echo;
            (PROTO_ICMPV6, 128 &&& 0xfe): parse_inner_icmp_echo;
            default: accept;
        }
    }

    state parse_inner_icmp_echo {
        meta.inner_ports[15:0] = packet.lookahead<bit<64>>()[31:16];
        transition accept;
    }
}

#endif
