// Stage: decide whether the frame is a tunnel's and how it is accounted for, and build its
// flow key.

#ifndef FABRICSCOPE_CLASSIFY_P4
#define FABRICSCOPE_CLASSIFY_P4

#include "headers.p4"
#include "metadata.p4"

// The high 96 bits of an IPv4-mapped IPv6 address (RFC 4291, section 2.5.5.2).
const bit<128> IPV4_MAPPED = 0x0000_0000_0000_0000_0000_ffff_0000_0000;

#include "outer_key.p4"
#include "inner_key.p4"

control Classify(inout headers_t hdr, inout metadata_t meta, in standard_metadata_t standard_metadata) {
    OuterKey() outer;
    InnerKey() inner;

    action vxlan() {
        meta.port_kind = Encapsulation.VXLAN;
    }

    action geneve() {
        meta.port_kind = Encapsulation.GENEVE;
    }

    // UDP destination ports of tunnels, and what is in them. The controller fills it.
    @id(0x02000001)
    table tunnel_port {
        key = { hdr.udp.dst_port : exact; }
        actions = { vxlan; geneve; @defaultonly NoAction; }
        const default_action = NoAction;
        size = MAX_TUNNEL_PORTS;
    }

    apply {
        if (hdr.udp.isValid() && meta.encapsulation != Encapsulation.NATIVE) {
            tunnel_port.apply();
            if (meta.port_kind != meta.encapsulation) {
                meta.encapsulation = Encapsulation.NATIVE;
                meta.tunnel_id = 0;
            }
        }
        if (meta.encapsulation != Encapsulation.NATIVE) {
            inner.apply(hdr, meta, standard_metadata);
        } else {
            outer.apply(hdr, meta);
        }
        if (standard_metadata.checksum_error == 1) {
            meta.class = Class.MALFORMED;
        }
        meta.key.keymeta = (bit<12>)standard_metadata.ingress_port ++ (bit<4>)meta.encapsulation ++
            meta.tunnel_id ++ meta.protocol;
    }
}

#endif
