// Part of Classify: the class of a frame by the headers inside its tunnel, and their part of
// the flow key. Outer addresses are in the key too, for addresses inside tunnels repeat.

#ifndef FABRICSCOPE_INNER_KEY_P4
#define FABRICSCOPE_INNER_KEY_P4

#include "headers.p4"
#include "metadata.p4"

control InnerKey(inout headers_t hdr, inout metadata_t meta, in standard_metadata_t standard_metadata) {
    action key_arp() {
        meta.class = Class.FLOW;
        meta.protocol = KEY_PROTO_ARP;
        meta.key.src = IPV4_MAPPED | (bit<128>)hdr.inner_arp.sender_ip;
        meta.key.dst = IPV4_MAPPED | (bit<128>)hdr.inner_arp.target_ip;
        meta.key.ports = hdr.inner_arp.opcode ++ 16w0;
    }

    action key_ipv4() {
        meta.class = Class.FLOW;
        meta.protocol = (bit<16>)meta.inner_protocol;
        meta.key.src = IPV4_MAPPED | (bit<128>)hdr.inner_ipv4.src;
        meta.key.dst = IPV4_MAPPED | (bit<128>)hdr.inner_ipv4.dst;
        meta.key.ports = meta.inner_ports;
    }

    action key_ipv6() {
        meta.class = Class.FLOW;
        meta.protocol = KEY_IPV6 | (bit<16>)meta.inner_protocol;
        meta.key.src = hdr.inner_ipv6.src;
        meta.key.dst = hdr.inner_ipv6.dst;
        meta.key.ports = meta.inner_ports;
    }

    apply {
        if (standard_metadata.parser_error != error.NoError) {
            meta.class = Class.MALFORMED;
        } else if (meta.inner_fragment == 1) {
            meta.class = Class.FRAGMENT;
        } else if (hdr.inner_ipv4.isValid()) {
            key_ipv4();
        } else if (hdr.inner_ipv6.isValid()) {
            key_ipv6();
        } else if (hdr.inner_arp.isValid()) {
            key_arp();
        } else {
            meta.class = Class.OTHER;
        }

        if (hdr.ipv4.isValid()) {
            meta.key.outer_src = IPV4_MAPPED | (bit<128>)hdr.ipv4.src;
            meta.key.outer_dst = IPV4_MAPPED | (bit<128>)hdr.ipv4.dst;
        } else {
            meta.key.outer_src = hdr.ipv6.src;
            meta.key.outer_dst = hdr.ipv6.dst;
            meta.protocol = meta.protocol | KEY_OUTER_IPV6;
        }

        if (hdr.inner_tcp.isValid()) {
            meta.tcp_flags = hdr.inner_tcp.flags;
            meta.tcp_seq = hdr.inner_tcp.seq;
        }
    }
}

#endif
