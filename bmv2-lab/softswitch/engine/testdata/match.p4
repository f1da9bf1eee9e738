// Every match kind, constant entries, hit and miss, action_run, direct counters.
#include <core.p4>
#include <v1model.p4>

header h_t { bit<8> a; bit<16> b; bit<32> c; bit<128> d; bit<8> out1; bit<8> out2; }
header o_t { bit<8> v; }
struct headers_t { h_t h; o_t o; }
struct meta_t { }

parser P(packet_in pkt, out headers_t hdr, inout meta_t meta, inout standard_metadata_t std) {
    state start {
        pkt.extract(hdr.h);
        transition select(hdr.h.a) { 0xff: more; default: accept; }
    }
    state more { pkt.extract(hdr.o); transition accept; }
}
control V(inout headers_t hdr, inout meta_t meta) { apply {} }
control C(inout headers_t hdr, inout meta_t meta) { apply {} }
control I(inout headers_t hdr, inout meta_t meta, inout standard_metadata_t std) {
    direct_counter(CounterType.packets_and_bytes) hits;
    action set1(bit<8> v) { hdr.h.out1 = v; }
    action count1(bit<8> v) { hits.count(); hdr.h.out1 = v; }
    action set2(bit<8> v) { hdr.h.out2 = v; }
    action drop() { mark_to_drop(std); }

    table t_exact { key = { hdr.h.a : exact; hdr.h.d : exact; } actions = { set1; drop; NoAction; } size = 2; }
    table t_lpm { key = { hdr.h.a : exact; hdr.h.c : lpm; } actions = { count1; @defaultonly NoAction; } counters = hits; }
    table t_ternary { key = { hdr.h.b : ternary; hdr.h.d : ternary; } actions = { set1; } default_action = set1(0xee); }
    table t_range { key = { hdr.h.b : range; hdr.h.a : optional; } actions = { set1; } }
    table t_const {
        key = { hdr.h.b : ternary; }
        actions = { set2; }
        default_action = set2(0xdd);
        const entries = {
            0x1200 &&& 0xff00 : set2(1);
            0x1234 : set2(2);
            0x3400 &&& 0xfff0 : set2(3);
        }
    }
    table t_invalid { key = { hdr.o.isValid() : exact; hdr.o.v : exact; } actions = { set2; NoAction; } default_action = NoAction; }

    apply {
        std.egress_spec = 1;
        if (hdr.h.a == 1) {
            if (t_exact.apply().hit) { hdr.h.out2 = 0xaa; } else { hdr.h.out2 = 0xbb; }
        } else if (hdr.h.a == 2) {
            t_lpm.apply();
        } else if (hdr.h.a == 3) {
            switch (t_ternary.apply().action_run) { set1: { hdr.h.out2 = 0xcc; } }
        } else if (hdr.h.a == 4 || hdr.h.a == 5) {
            t_range.apply();
        } else if (hdr.h.a == 6) {
            t_const.apply();
        } else {
            t_invalid.apply();
        }
    }
}
control E(inout headers_t hdr, inout meta_t meta, inout standard_metadata_t std) { apply {} }
control D(packet_out pkt, in headers_t hdr) { apply { pkt.emit(hdr.h); pkt.emit(hdr.o); } }
V1Switch(P(), V(), I(), E(), C(), D()) main;
