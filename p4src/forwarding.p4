// Stage: route IPv4 through the fabric, with ECMP, and pick out what the controller needs.

#ifndef FABRICSCOPE_FORWARDING_P4
#define FABRICSCOPE_FORWARDING_P4

#include "headers.p4"
#include "metadata.p4"
#include "expiry.p4"

control Forwarding(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard_metadata) {
    Expiry() expiry;
    bit<1> goes_on = 0;  // there is a next hop

    action route_packet() {
        meta.routed = 1;
    }

    // MAC addresses under which the switch routes.
    @id(0x02000010)
    table my_mac {
        key = { hdr.ethernet.dst : exact; }
        actions = { route_packet; @defaultonly NoAction; }
        const default_action = NoAction;
        size = 64;
    }

    action set_nexthop(bit<16> nexthop) {
        meta.nexthop = nexthop;
        meta.group_size = 0;
    }

    action set_group(bit<16> group, bit<8> size) {
        meta.group = group;
        meta.group_size = size;
    }

    action punt(bit<8> reason) {
        meta.punt = (PuntReason)reason;
    }

    action discard() {
        mark_to_drop(standard_metadata);
    }

    @id(0x02000011)
    table ipv4_route {
        key = { hdr.ipv4.dst : lpm; }
        actions = { set_nexthop; set_group; punt; discard; }
        const default_action = discard();
        size = MAX_ROUTES;
    }

    @id(0x02000012)
    table ecmp_member {
        key = { meta.group : exact; meta.nexthop : exact @name("index"); }
        actions = { set_nexthop; discard; }
        const default_action = discard();
        size = MAX_ECMP_MEMBERS;
    }

    action forward(bit<9> port, bit<48> src_mac, bit<48> dst_mac) {
        standard_metadata.egress_spec = port;
        hdr.ethernet.src = src_mac;
        hdr.ethernet.dst = dst_mac;
        hdr.ipv4.ttl = hdr.ipv4.ttl - 1;
        // One less in the high byte of a word is one more in the checksum's (RFC 1624).
        bit<32> sum = (bit<32>)hdr.ipv4.checksum + 0x100;
        hdr.ipv4.checksum = (bit<16>)(sum + ((sum + 1) >> 16));
    }

    @id(0x02000013)
    table nexthop {
        key = { meta.nexthop : exact; }
        actions = { forward; discard; }
        const default_action = discard();
        size = MAX_NEXTHOPS;
    }

    apply {
        if (meta.class == Class.LLDP) {
            meta.punt = PuntReason.LLDP;
        } else if (meta.class == Class.MALFORMED) {
            discard();
        } else if (hdr.arp.isValid()) {
            meta.punt = PuntReason.ARP;
        } else if (hdr.ipv4.isValid() && my_mac.apply().hit) {
            switch (ipv4_route.apply().action_run) {
                set_group: {
                    bit<16> src_port = 0;
                    bit<16> dst_port = 0;
                    if (hdr.tcp.isValid()) {
                        src_port = hdr.tcp.src_port;
                        dst_port = hdr.tcp.dst_port;
                    } else if (hdr.udp.isValid()) {
                        src_port = hdr.udp.src_port;
                        dst_port = hdr.udp.dst_port;
                    }
                    hash(meta.nexthop, HashAlgorithm.crc16, 16w0,
                        { hdr.ipv4.src, hdr.ipv4.dst, hdr.ipv4.protocol, src_port, dst_port },
                        (bit<16>)meta.group_size);
                    ecmp_member.apply();
                    goes_on = 1;
                }
                set_nexthop: {
                    goes_on = 1;
                }
                default: {}
            }
            if (goes_on == 1) {
                if (hdr.ipv4.ttl <= 1) {
                    expiry.apply(meta, standard_metadata);
                } else {
                    nexthop.apply();
                }
            }
        } else {
            discard();
        }
    }
}

#endif
