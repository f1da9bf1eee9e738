// A gateway with all that bridge.p4 has not: action profiles, selectors, meters, value sets and
// entries that the program brings along, for the server's tests.
//
//     p4c-bm2-ss --p4runtime-files gateway.p4info.txtpb -o gateway.json gateway.p4

#include <core.p4>
#include <v1model.p4>

header ethernet_t {
    bit<48> dst;
    bit<48> src;
    bit<16> ether_type;
}

header label_t {
    bit<8> kind;
    bit<8> value;
    bit<8> mark;
}

struct headers_t {
    ethernet_t ethernet;
    label_t    label;
}

struct metadata_t {
    bit<2> colour;
    bit<8> next_hop;
}

struct pair_t {
    @match(ternary) bit<8> kind;
    bit<16>                ether_type;
}

parser GatewayParser(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    @id(1) value_set<bit<16>>(4) labelled;
    @id(2) value_set<pair_t>(2) pairs;
    state start {
        packet.extract(hdr.ethernet);
        transition select(hdr.ethernet.ether_type) {
            labelled: parse_label;
            default: next;
        }
    }
    state next {
        transition select(hdr.ethernet.src[7:0], hdr.ethernet.ether_type) {
            pairs: parse_label;
            default: accept;
        }
    }
    state parse_label {
        packet.extract(hdr.label);
        transition accept;
    }
}

control GatewayVerifyChecksum(inout headers_t hdr, inout metadata_t meta) { apply { } }
control GatewayComputeChecksum(inout headers_t hdr, inout metadata_t meta) { apply { } }

control GatewayIngress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) {
    action_profile(3) next_hops;
    @max_group_size(8) action_selector(HashAlgorithm.crc16, 32w12, 32w14) ecmp;
    @selector_size_semantics("sum_of_members") @max_member_weight(10)
    action_selector(HashAlgorithm.crc16, 32w4, 32w14) lag;
    meter(4, MeterType.packets) per_port;
    @single_rate_two_color meter(2, MeterType.bytes) total;
    direct_meter<bit<2>>(MeterType.packets) per_host;
    direct_counter(CounterType.packets) hits;

    action forward(bit<9> port) { std.egress_spec = port; }
    action drop() { mark_to_drop(std); }

    table neighbours {
        key = { hdr.ethernet.dst : exact; }
        actions = { forward; drop; NoAction; }
        implementation = next_hops;
        counters = hits;
        support_timeout = true;
        size = 16;
    }

    table routes {
        key = {
            hdr.ethernet.dst        : lpm;
            hdr.ethernet.src        : selector;
            hdr.ethernet.ether_type : selector;
        }
        actions = { forward; drop; NoAction; }
        implementation = ecmp;
        size = 16;
    }

    table links {
        key = {
            hdr.ethernet.ether_type : ternary;
            hdr.ethernet.src        : selector;
        }
        actions = { forward; NoAction; }
        implementation = lag;
        size = 16;
    }

    action police() { per_host.read(meta.colour); }
    action ignore() { per_host.read(meta.colour); meta.colour = 0; }

    table hosts {
        key = { hdr.ethernet.src : exact; }
        actions = { police; ignore; NoAction; }
        default_action = NoAction();
        meters = per_host;
        size = 16;
    }

    action relabel(bit<8> value) { hdr.label.mark = value; }

    table labels {
        key = { hdr.label.value : exact; }
        actions = { relabel; NoAction; }
        default_action = relabel(0xff);
        size = 8;
        entries = {
            1 : relabel(11);
            2 : relabel(22);
        }
    }

    apply {
        std.egress_spec = 3;
        hosts.apply();
        if (meta.colour == 2) {
            mark_to_drop(std);
            exit;
        }
        bit<8> colour = 0;
        per_port.execute_meter((bit<32>)std.ingress_port, colour);
        if (colour == 2) {
            mark_to_drop(std);
            exit;
        }
        total.execute_meter(32w0, colour);
        if (hdr.label.isValid()) {
            hdr.label.kind = colour;
            labels.apply();
        }
        if (!neighbours.apply().hit) {
            if (!routes.apply().hit) {
                links.apply();
            }
        }
    }
}

control GatewayEgress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t std) { apply { } }

control GatewayDeparser(packet_out packet, in headers_t hdr) {
    apply {
        packet.emit(hdr.ethernet);
        packet.emit(hdr.label);
    }
}

V1Switch(GatewayParser(), GatewayVerifyChecksum(), GatewayIngress(), GatewayEgress(), GatewayComputeChecksum(), GatewayDeparser()) main;
