// Part of Classify: the class of a frame by its outer headers, and their part of the flow key.

#ifndef FABRICSCOPE_OUTER_KEY_P4
#define FABRICSCOPE_OUTER_KEY_P4

#include "headers.p4"
#include "metadata.p4"

control OuterKey(inout headers_t hdr, inout metadata_t meta) {
    action key_arp() {
        meta.class = Class.FLOW;
        meta.protocol = KEY_PROTO_ARP;
        meta.key.src = IPV4_MAPPED | (bit<128>)hdr.arp.sender_ip;
        meta.key.dst = IPV4_MAPPED | (bit<128>)hdr.arp.target_ip;
        meta.key.ports = hdr.arp.opcode ++ 16w0;
    }

    action key_ipv4() {
        meta.class = Class.FLOW;
        meta.protocol = (bit<16>)meta.outer_protocol;
        meta.key.src = IPV4_MAPPED | (bit<128>)hdr.ipv4.src;
        meta.key.dst = IPV4_MAPPED | (bit<128>)hdr.ipv4.dst;
        meta.key.ports = meta.outer_ports;
    }

    action key_ipv6() {
        meta.class = Class.FLOW;
        meta.protocol = KEY_IPV6 | (bit<16>)meta.outer_protocol;
        meta.key.src = hdr.ipv6.src;
        meta.key.dst = hdr.ipv6.dst;
        meta.key.ports = meta.outer_ports;
    }

    apply {
        if (meta.outer_complete == 0) {
            meta.class = Class.MALFORMED;
        } else if (meta.outer_fragment == 1) {
            meta.class = Class.FRAGMENT;
        } else if (hdr.ipv4.isValid()) {
            key_ipv4();
        } else if (hdr.ipv6.isValid()) {
            key_ipv6();
        } else if (hdr.arp.isValid()) {
            key_arp();
        } else if (hdr.ethernet.ethertype == ETHERTYPE_LLDP) {
            meta.class = Class.LLDP;
        } else {
            meta.class = Class.OTHER;
        }

        if (hdr.tcp.isValid()) {
            meta.tcp_flags = hdr.tcp.flags;
            meta.tcp_seq = hdr.tcp.seq;
        }
    }
}

#endif
