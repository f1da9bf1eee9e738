// The parser takes a frame apart down to the innermost transport header. Parsers cannot look
// tables up, and BMv2 serves no value sets over P4Runtime, so whatever could be VXLAN is
// parsed as if it were; the stage Classify then asks the table of tunnel ports and ignores
// the inner headers (and errors in them) of a frame that is none.

#ifndef FABRICSCOPE_PARSER_P4
#define FABRICSCOPE_PARSER_P4

#include "headers.p4"
#include "metadata.p4"

error { BadIPv4Header, BadIPv6Header }

// UDP header, VXLAN header and an inner Ethernet header: nothing shorter is a tunnel.
const bit<16> MIN_VXLAN_UDP_LENGTH = 30;

parser FabricscopeParser(packet_in packet,
                         out headers_t hdr,
                         inout metadata_t meta,
                         inout standard_metadata_t standard_metadata) {
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
            ETHERTYPE_VLAN: parse_vlan;
            ETHERTYPE_ARP: parse_arp;
            ETHERTYPE_IPV4: parse_ipv4;
            ETHERTYPE_IPV6: parse_ipv6;
            default: outer_done;
        }
    }

    state parse_vlan {
        packet.extract(hdr.vlan);
        transition select(hdr.vlan.ethertype) {
            ETHERTYPE_ARP: parse_arp;
            ETHERTYPE_IPV4: parse_ipv4;
            ETHERTYPE_IPV6: parse_ipv6;
            default: outer_done;
        }
    }

    state parse_arp {
        packet.extract(hdr.arp);
        transition outer_done;
    }

    state parse_ipv4 {
        packet.extract(hdr.ipv4);
        verify(hdr.ipv4.version == 4 && hdr.ipv4.ihl >= 5, error.BadIPv4Header);
        transition select(hdr.ipv4.ihl) {
            5: parse_ipv4_payload;
            default: parse_ipv4_options;
        }
    }

    state parse_ipv4_options {
        packet.extract(hdr.ipv4_options, ((bit<32>)hdr.ipv4.ihl - 5) << 5);
        transition parse_ipv4_payload;
    }

    state parse_ipv4_payload {
        // More-fragments and the offset: of a fragment no transport header is parsed.
        transition select(hdr.ipv4.flags, hdr.ipv4.frag_offset, hdr.ipv4.protocol) {
            (0 &&& 1, 0, PROTO_TCP): parse_tcp;
            (0 &&& 1, 0, PROTO_UDP): parse_udp;
            (0 &&& 1, 0, PROTO_ICMP): parse_icmp;
            default: outer_done;
        }
    }

    state parse_ipv6 {
        packet.extract(hdr.ipv6);
        verify(hdr.ipv6.version == 6, error.BadIPv6Header);
        transition select(hdr.ipv6.next_header) {
            PROTO_TCP: parse_tcp;
            PROTO_UDP: parse_udp;
            PROTO_ICMPV6: parse_icmp;
            default: outer_done;
        }
    }

    state parse_tcp {
        packet.extract(hdr.tcp);
        transition outer_done;
    }

    state parse_icmp {
        packet.extract(hdr.icmp);
        transition outer_done;
    }

    state outer_done {
        meta.outer_complete = 1;
        transition accept;
    }

    state parse_udp {
        packet.extract(hdr.udp);
        meta.outer_complete = 1;
        transition select(hdr.udp.length >= MIN_VXLAN_UDP_LENGTH) {
            true: peek_vxlan;
            default: accept;
        }
    }

    state peek_vxlan {
        // The I flag; the other flag bits are ignored on receipt (RFC 7348, section 5).
        transition select(packet.lookahead<bit<8>>()) {
            0x08 &&& 0x08: parse_vxlan;
            default: accept;
        }
    }

    state parse_vxlan {
        packet.extract(hdr.vxlan);
        packet.extract(hdr.inner_ethernet);
        transition select(hdr.inner_ethernet.ethertype) {
            ETHERTYPE_VLAN: parse_inner_vlan;
            ETHERTYPE_ARP: parse_inner_arp;
            ETHERTYPE_IPV4: parse_inner_ipv4;
            ETHERTYPE_IPV6: parse_inner_ipv6;
            default: accept;
        }
    }

    state parse_inner_vlan {
        packet.extract(hdr.inner_vlan);
        transition select(hdr.inner_vlan.ethertype) {
            ETHERTYPE_ARP: parse_inner_arp;
            ETHERTYPE_IPV4: parse_inner_ipv4;
            ETHERTYPE_IPV6: parse_inner_ipv6;
            default: accept;
        }
    }

    state parse_inner_arp {
        packet.extract(hdr.inner_arp);
        transition accept;
    }

    state parse_inner_ipv4 {
        packet.extract(hdr.inner_ipv4);
        verify(hdr.inner_ipv4.version == 4 && hdr.inner_ipv4.ihl >= 5, error.BadIPv4Header);
        transition select(hdr.inner_ipv4.ihl) {
            5: parse_inner_ipv4_payload;
            default: parse_inner_ipv4_options;
        }
    }

    state parse_inner_ipv4_options {
        packet.extract(hdr.inner_ipv4_options, ((bit<32>)hdr.inner_ipv4.ihl - 5) << 5);
        transition parse_inner_ipv4_payload;
    }

    state parse_inner_ipv4_payload {
        transition select(hdr.inner_ipv4.flags, hdr.inner_ipv4.frag_offset, hdr.inner_ipv4.protocol) {
            (0 &&& 1, 0, PROTO_TCP): parse_inner_tcp;
            (0 &&& 1, 0, PROTO_UDP): parse_inner_udp;
            (0 &&& 1, 0, PROTO_ICMP): parse_inner_icmp;
            default: accept;
        }
    }

    state parse_inner_ipv6 {
        packet.extract(hdr.inner_ipv6);
        verify(hdr.inner_ipv6.version == 6, error.BadIPv6Header);
        transition select(hdr.inner_ipv6.next_header) {
            PROTO_TCP: parse_inner_tcp;
            PROTO_UDP: parse_inner_udp;
            PROTO_ICMPV6: parse_inner_icmp;
            default: accept;
        }
    }

    state parse_inner_tcp {
        packet.extract(hdr.inner_tcp);
        transition accept;
    }

    state parse_inner_udp {
        packet.extract(hdr.inner_udp);
        transition accept;
    }

    state parse_inner_icmp {
        packet.extract(hdr.inner_icmp);
        transition accept;
    }
}

#endif
