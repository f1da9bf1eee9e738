// Types whose values are strings to controllers, for the server's tests.
//
//     p4c-bm2-ss --p4runtime-files names.p4info.txtpb -o names.json names.p4

#include <core.p4>
#include <v1model.p4>

@p4runtime_translation("test/port", string)
type bit<9> port_name_t;
@p4runtime_translation("test/vrf", string)
type bit<2> vrf_t;

const bit<9> CPU_PORT = 510;

@controller_header("packet_out")
header packet_out_t {
    port_name_t egress_port;
    bit<7>      queue;
}

@controller_header("packet_in")
header packet_in_t {
    vrf_t       vrf;
    bit<5>      reason;
    port_name_t ingress_port;
}

header ethernet_t {
    bit<48> dst;
    bit<48> src;
    bit<16> ether_type;
}

struct headers_t {
    packet_out_t packet_out;
    packet_in_t  packet_in;
    ethernet_t   ethernet;
}

struct metadata_t {
    vrf_t       vrf;
    port_name_t in_port;
}

struct seen_t {
    vrf_t   vrf;
    bit<48> src;
}

parser NamesParser(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    state start {
        transition select(std.ingress_port) {
            CPU_PORT: parse_packet_out;
            default: parse_ethernet;
        }
    }
    state parse_packet_out {
        packet.extract(hdr.packet_out);
        transition parse_ethernet;
    }
    state parse_ethernet {
        packet.extract(hdr.ethernet);
        transition accept;
    }
}

control NamesVerifyChecksum(inout headers_t hdr, inout metadata_t meta) { apply { } }
control NamesComputeChecksum(inout headers_t hdr, inout metadata_t meta) { apply { } }

control NamesIngress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    action put_in(vrf_t vrf) { meta.vrf = vrf; }
    action forward(port_name_t port) { std.egress_spec = (bit<9>)port; }

    table ports {
        key = { meta.in_port : exact; }
        actions = { put_in; NoAction; }
        default_action = NoAction();
        size = 8;
    }

    table routes {
        key = {
            meta.vrf         : optional;
            hdr.ethernet.dst : exact;
        }
        actions = { forward; NoAction; }
        default_action = NoAction();
        size = 8;
    }

    apply {
        meta.in_port = (port_name_t)std.ingress_port;
        ports.apply();
        if (hdr.packet_out.isValid()) {
            std.egress_spec = (bit<9>)hdr.packet_out.egress_port;
            hdr.packet_out.setInvalid();
            exit;
        }
        if (hdr.ethernet.ether_type == 0x88b6) {
            hdr.packet_in.setValid();
            hdr.packet_in.vrf = meta.vrf;
            hdr.packet_in.reason = 21;
            hdr.packet_in.ingress_port = meta.in_port;
            std.egress_spec = CPU_PORT;
            exit;
        }
        if (hdr.ethernet.ether_type == 0x88b5) {
            digest(1, { hdr.ethernet.dst, std.ingress_port });
        } else {
            digest<seen_t>(1, { meta.vrf, hdr.ethernet.src });
        }
        routes.apply();
    }
}

control NamesEgress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) { apply { } }

control NamesDeparser(packet_out packet, in headers_t hdr) { apply { packet.emit(hdr.packet_in); packet.emit(hdr.ethernet); } }

V1Switch(NamesParser(), NamesVerifyChecksum(), NamesIngress(), NamesEgress(), NamesComputeChecksum(), NamesDeparser()) main;
