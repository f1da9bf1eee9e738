// Stage: decide how the frame is accounted for, and build its flow key.

#ifndef FABRICSCOPE_CLASSIFY_P4
#define FABRICSCOPE_CLASSIFY_P4

#include "headers.p4"
#include "metadata.p4"

// The high 96 bits of an IPv4-mapped IPv6 address (RFC 4291, section 2.5.5.2).
const bit<128> IPV4_MAPPED = 0x0000_0000_0000_0000_0000_ffff_0000_0000;

// Echo requests and replies of ICMP (RFC 792) and ICMPv6 (RFC 4443, section 4).
#define IS_ECHO(t) ((t) == 8 || (t) == 0 || (t) == 128 || (t) == 129)

control Classify(inout headers_t hdr, inout metadata_t meta, in standard_metadata_t standard_metadata) {
    bit<16> protocol = 0;
    bit<16> src_port = 0;
    bit<16> dst_port = 0;

    action vxlan() {
        meta.tunnel = 1;
    }

    // UDP destination ports that carry VXLAN. The controller fills it.
    @id(0x02000001)
    table tunnel_port {
        key = { hdr.udp.dst_port : exact; }
        actions = { vxlan; @defaultonly NoAction; }
        const default_action = NoAction;
        size = MAX_TUNNEL_PORTS;
    }

    action key_arp(bit<16> opcode, bit<32> sender, bit<32> target) {
        meta.key.src = IPV4_MAPPED | (bit<128>)sender;
        meta.key.dst = IPV4_MAPPED | (bit<128>)target;
        protocol = KEY_PROTO_ARP;
        src_port = opcode;
    }

    action key_ipv4(bit<32> src, bit<32> dst, bit<8> proto) {
        meta.key.src = IPV4_MAPPED | (bit<128>)src;
        meta.key.dst = IPV4_MAPPED | (bit<128>)dst;
        protocol = (bit<16>)proto;
    }

    action key_ipv6(bit<128> src, bit<128> dst, bit<8> next_header) {
        meta.key.src = src;
        meta.key.dst = dst;
        protocol = (bit<16>)next_header;
    }

    action key_tcp(bit<16> src, bit<16> dst, bit<8> flags, bit<32> seq) {
        src_port = src;
        dst_port = dst;
        meta.tcp_flags = flags;
        meta.tcp_seq = seq;
    }

    action key_icmp(bit<8> type, bit<8> code) {
        src_port = type ++ code;
    }

    apply {
        meta.class = Class.OTHER;
        if (hdr.udp.isValid() && hdr.vxlan.isValid()) {
            tunnel_port.apply();
        }

        bit<8> encapsulation = Encapsulation.NATIVE;
        bit<24> vni = 0;
        if (meta.tunnel == 1) {
            encapsulation = Encapsulation.VXLAN;
            vni = hdr.vxlan.vni;
            if (hdr.ipv4.isValid()) {
                meta.key.outer_src = IPV4_MAPPED | (bit<128>)hdr.ipv4.src;
                meta.key.outer_dst = IPV4_MAPPED | (bit<128>)hdr.ipv4.dst;
            } else {
                meta.key.outer_src = hdr.ipv6.src;
                meta.key.outer_dst = hdr.ipv6.dst;
            }
            if (standard_metadata.parser_error != error.NoError) {
                meta.class = Class.MALFORMED;
            } else if (hdr.inner_arp.isValid()) {
                meta.class = Class.FLOW;
                key_arp(hdr.inner_arp.opcode, hdr.inner_arp.sender_ip, hdr.inner_arp.target_ip);
            } else if (hdr.inner_ipv4.isValid()) {
                meta.class = Class.FLOW;
                if (hdr.inner_ipv4.flags & 1 != 0 || hdr.inner_ipv4.frag_offset != 0) {
                    meta.class = Class.FRAGMENT;
                }
                key_ipv4(hdr.inner_ipv4.src, hdr.inner_ipv4.dst, hdr.inner_ipv4.protocol);
            } else if (hdr.inner_ipv6.isValid()) {
                meta.class = Class.FLOW;
                key_ipv6(hdr.inner_ipv6.src, hdr.inner_ipv6.dst, hdr.inner_ipv6.next_header);
            }
            if (hdr.inner_tcp.isValid()) {
                key_tcp(hdr.inner_tcp.src_port, hdr.inner_tcp.dst_port, hdr.inner_tcp.flags, hdr.inner_tcp.seq);
            } else if (hdr.inner_udp.isValid()) {
                src_port = hdr.inner_udp.src_port;
                dst_port = hdr.inner_udp.dst_port;
            } else if (hdr.inner_icmp.isValid()) {
                key_icmp(hdr.inner_icmp.type, hdr.inner_icmp.code);
                if (IS_ECHO(hdr.inner_icmp.type)) {
                    dst_port = hdr.inner_icmp.id;
                }
            }
        } else {
            if (meta.outer_complete == 0) {
                meta.class = Class.MALFORMED;
            } else if (hdr.arp.isValid()) {
                meta.class = Class.FLOW;
                key_arp(hdr.arp.opcode, hdr.arp.sender_ip, hdr.arp.target_ip);
            } else if (hdr.ipv4.isValid()) {
                meta.class = Class.FLOW;
                if (hdr.ipv4.flags & 1 != 0 || hdr.ipv4.frag_offset != 0) {
                    meta.class = Class.FRAGMENT;
                }
                key_ipv4(hdr.ipv4.src, hdr.ipv4.dst, hdr.ipv4.protocol);
            } else if (hdr.ipv6.isValid()) {
                meta.class = Class.FLOW;
                key_ipv6(hdr.ipv6.src, hdr.ipv6.dst, hdr.ipv6.next_header);
            } else if (hdr.ethernet.ethertype == ETHERTYPE_LLDP) {
                meta.class = Class.LLDP;
            }
            if (hdr.tcp.isValid()) {
                key_tcp(hdr.tcp.src_port, hdr.tcp.dst_port, hdr.tcp.flags, hdr.tcp.seq);
            } else if (hdr.udp.isValid()) {
                src_port = hdr.udp.src_port;
                dst_port = hdr.udp.dst_port;
            } else if (hdr.icmp.isValid()) {
                key_icmp(hdr.icmp.type, hdr.icmp.code);
                if (IS_ECHO(hdr.icmp.type)) {
                    dst_port = hdr.icmp.id;
                }
            }
        }
        if (standard_metadata.checksum_error == 1) {
            meta.class = Class.MALFORMED;
        }

        meta.key.keymeta = (bit<16>)standard_metadata.ingress_port ++ encapsulation ++ vni ++ protocol;
        meta.key.ports = src_port ++ dst_port;
    }
}

#endif
