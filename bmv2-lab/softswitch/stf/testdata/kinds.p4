// What statements of a test can set and look at: a table of every match kind, counters, a
// register, copies. The first byte of a packet says which of them it is about.
//
//     p4c-bm2-ss --p4runtime-files kinds.p4info.txtpb -o kinds.json kinds.p4
#include <core.p4>
#include <v1model.p4>

header h_t { bit<8> op; bit<16> a; bit<32> b; bit<8> res; }
header tag_t { bit<8> v; }
struct headers_t { h_t h; tag_t[2] tags; }
struct meta_t { }

parser P(packet_in pkt, out headers_t hdr, inout meta_t meta, inout standard_metadata_t std) {
    state start {
        pkt.extract(hdr.h);
        transition select(hdr.h.op) { 6: tag; default: accept; }
    }
    state tag { pkt.extract(hdr.tags.next); transition accept; }
}
control V(inout headers_t hdr, inout meta_t meta) { apply {} }
control C(inout headers_t hdr, inout meta_t meta) { apply {} }
control I(inout headers_t hdr, inout meta_t meta, inout standard_metadata_t std) {
    counter(16, CounterType.packets_and_bytes) seen;
    direct_counter(CounterType.packets_and_bytes) hits;
    register<bit<16>>(4) last;

    action forward(bit<9> port, bit<8> v) { std.egress_spec = port; hdr.h.res = v; }
    action count(bit<9> port) { hits.count(); std.egress_spec = port; }
    action drop() { mark_to_drop(std); }

    table t_exact { key = { hdr.h.a : exact; } actions = { count; @defaultonly drop; } default_action = drop; counters = hits; }
    table t_lpm { key = { hdr.h.b : lpm; } actions = { forward; drop; } default_action = drop; }
    table t_ternary { key = { hdr.h.a : ternary; hdr.h.b : ternary; } actions = { forward; drop; } default_action = drop; }
    table t_range { key = { hdr.h.a : range; } actions = { forward; drop; } default_action = drop; }
    table t_valid {
        key = { hdr.tags[0].isValid() : exact; hdr.tags[0].v : exact @name("hdr.tags[0].v"); }
        actions = { forward; drop; }
        default_action = drop;
    }
    table t_const {
        key = { hdr.h.a : exact; }
        actions = { forward; drop; }
        default_action = drop;
        const entries = { 5 : forward(5, 0x55); }
    }

    apply {
        seen.count((bit<32>)hdr.h.op);
        if (hdr.h.op == 1) { t_exact.apply(); }
        else if (hdr.h.op == 2) { t_lpm.apply(); }
        else if (hdr.h.op == 3) { t_ternary.apply(); }
        else if (hdr.h.op == 4) { t_range.apply(); }
        else if (hdr.h.op == 5) { t_const.apply(); }
        else if (hdr.h.op == 6) { t_valid.apply(); }
        else if (hdr.h.op == 7) { std.mcast_grp = hdr.h.a; }
        else if (hdr.h.op == 8) { clone(CloneType.I2E, 5); std.egress_spec = 1; }
        else if (hdr.h.op == 9) {
            bit<16> old;
            last.read(old, 1);
            last.write(1, hdr.h.a);
            log_msg("the register had {}", {old});
            hdr.h.a = old;
            std.egress_spec = 1;
        } else { drop(); }
    }
}
control E(inout headers_t hdr, inout meta_t meta, inout standard_metadata_t std) {
    apply { if (hdr.h.op == 7) { hdr.h.res = (bit<8>)std.egress_rid; } }
}
control D(packet_out pkt, in headers_t hdr) { apply { pkt.emit(hdr.h); pkt.emit(hdr.tags); } }
V1Switch(P(), V(), I(), E(), C(), D()) main;
