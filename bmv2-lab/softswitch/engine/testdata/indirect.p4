// Action profiles and selectors, meters, direct meters, and parser value sets.
#include <core.p4>
#include <v1model.p4>

header h_t { bit<8> op; bit<8> a; bit<16> b; bit<32> c; bit<8> out1; bit<8> out2; }
header o_t { bit<8> v; }
struct headers_t { h_t h; o_t o; }
struct meta_t { bit<2> colour; bit<8> parsed; }
struct pair_t { bit<8> a; @match(ternary) bit<4> b; }

parser P(packet_in pkt, out headers_t hdr, inout meta_t meta, inout standard_metadata_t std) {
    value_set<bit<16>>(4) one;
    value_set<pair_t>(4) two;
    state start {
        pkt.extract(hdr.h);
        transition select(hdr.h.op) { 1: by_one; 2: by_two; default: accept; }
    }
    state by_one {
        transition select(hdr.h.b) { 7: seven; one: member; default: accept; }
    }
    state by_two {
        transition select(hdr.h.a, hdr.h.b[3:0]) { two: member; (0xff, 0 &&& 0): seven; default: accept; }
    }
    state member { meta.parsed = 1; transition accept; }
    state seven { meta.parsed = 7; transition accept; }
}
control V(inout headers_t hdr, inout meta_t meta) { apply {} }
control C(inout headers_t hdr, inout meta_t meta) { apply {} }
control I(inout headers_t hdr, inout meta_t meta, inout standard_metadata_t std) {
    action_profile(3) ap;
    action_selector(HashAlgorithm.crc16, 32w16, 32w14) as;
    meter(4, MeterType.packets) m;
    meter(2, MeterType.bytes) mb;
    direct_meter<bit<2>>(MeterType.packets) dm;
    action set1(bit<8> v) { hdr.h.out1 = v; }
    action set2(bit<8> v) { hdr.h.out2 = v; }
    action colour(bit<8> v) { dm.read(meta.colour); hdr.h.out2 = v; }

    table t_profile { key = { hdr.h.a : exact; } actions = { set1; set2; NoAction; } implementation = ap; size = 8; }
    table t_again { key = { hdr.h.b : ternary; } actions = { set1; set2; NoAction; } implementation = ap; }
    table t_selector {
        key = { hdr.h.a : lpm; hdr.h.b : selector; hdr.h.c : selector; hdr.o.v : selector; }
        actions = { set1; set2; NoAction; }
        implementation = as;
    }
    table t_meter { key = { hdr.h.a : exact; } actions = { colour; NoAction; } meters = dm; default_action = NoAction; }

    apply {
        std.egress_spec = 1;
        if (hdr.h.op == 1 || hdr.h.op == 2) {
            hdr.h.out1 = meta.parsed;
        } else if (hdr.h.op == 3) {
            if (t_profile.apply().hit) { hdr.h.out2 = hdr.h.out2 + 1; }
        } else if (hdr.h.op == 4) {
            switch (t_again.apply().action_run) { set1: { hdr.h.out2 = 0xcc; } }
        } else if (hdr.h.op == 5) {
            if (t_selector.apply().hit) { hdr.h.out2 = 0xaa; }
        } else if (hdr.h.op == 6) {
            t_meter.apply();
            hdr.h.out1 = (bit<8>)meta.colour;
        } else if (hdr.h.op == 7) {
            m.execute_meter(hdr.h.c, hdr.h.out1);
        } else if (hdr.h.op == 8) {
            mb.execute_meter(hdr.h.c, hdr.h.out1);
        }
    }
}
control E(inout headers_t hdr, inout meta_t meta, inout standard_metadata_t std) { apply {} }
control D(packet_out pkt, in headers_t hdr) { apply { pkt.emit(hdr.h); pkt.emit(hdr.o); } }
V1Switch(P(), V(), I(), E(), C(), D()) main;
