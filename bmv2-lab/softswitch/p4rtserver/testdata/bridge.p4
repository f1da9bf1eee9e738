// A bridge with one of everything that P4Runtime can reach, for the server's tests.
//
//     p4c-bm2-ss --p4runtime-files bridge.p4info.txtpb -o bridge.json bridge.p4

#include <core.p4>
#include <v1model.p4>

const bit<9> CPU_PORT = 510;

@controller_header("packet_out")
header packet_out_t {
    bit<9> egress_port;
    bit<7> queue;
}

@controller_header("packet_in")
header packet_in_t {
    bit<9> ingress_port;
    bit<7> reason;
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

struct metadata_t { }

struct learn_t {
    bit<48> src;
    bit<9>  port;
}

parser BridgeParser(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
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

control BridgeVerifyChecksum(inout headers_t hdr, inout metadata_t meta) { apply { } }
control BridgeComputeChecksum(inout headers_t hdr, inout metadata_t meta) { apply { } }

control BridgeIngress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    counter(16, CounterType.packets_and_bytes) rx;
    register<bit<32>>(8) frames;
    register<int<12>>(4) offsets;
    direct_counter(CounterType.packets_and_bytes) hits;

    action forward(bit<9> port) { std.egress_spec = port; hits.count(); }
    action flood(bit<16> group) { std.mcast_grp = group; hits.count(); }
    action punt(bit<7> reason) {
        hdr.packet_in.setValid();
        hdr.packet_in.ingress_port = std.ingress_port;
        hdr.packet_in.reason = reason;
        std.egress_spec = CPU_PORT;
        hits.count();
    }
    action miss() { mark_to_drop(std); hits.count(); }

    table dmac {
        key = { hdr.ethernet.dst : exact; }
        actions = { forward; flood; punt; @defaultonly miss; }
        default_action = miss();
        counters = hits;
        support_timeout = true;
        size = 8;
    }

    action deny() { mark_to_drop(std); exit; }
    action mirror() { clone(CloneType.I2E, 5); }

    table acl {
        key = {
            hdr.ethernet.src        : ternary;
            hdr.ethernet.ether_type : range;
            std.ingress_port        : optional;
        }
        actions = { @tableonly deny; @tableonly mirror; NoAction; }
        const default_action = NoAction();
        size = 64;
    }

    action learn() { digest<learn_t>(1, { hdr.ethernet.src, std.ingress_port }); }

    table learning {
        key = { hdr.ethernet.ether_type : exact; }
        actions = { learn; NoAction; }
        const default_action = NoAction();
        const entries = { 0x88b5 : learn(); }
    }

    table vendors {
        key = { hdr.ethernet.src : lpm; }
        actions = { NoAction; deny; }
        size = 64;
    }

    apply {
        if (hdr.packet_out.isValid()) {
            std.egress_spec = hdr.packet_out.egress_port;
            hdr.packet_out.setInvalid();
        } else {
            bit<32> n;
            rx.count((bit<32>)std.ingress_port);
            frames.read(n, (bit<32>)std.ingress_port);
            frames.write((bit<32>)std.ingress_port, n + 1);
            offsets.write(0, -3);
            acl.apply();
            vendors.apply();
            learning.apply();
            dmac.apply();
        }
    }
}

control BridgeEgress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) { apply { } }

control BridgeDeparser(packet_out packet, in headers_t hdr) {
    apply {
        packet.emit(hdr.packet_in);
        packet.emit(hdr.ethernet);
    }
}

V1Switch(BridgeParser(), BridgeVerifyChecksum(), BridgeIngress(), BridgeEgress(), BridgeComputeChecksum(), BridgeDeparser()) main;
