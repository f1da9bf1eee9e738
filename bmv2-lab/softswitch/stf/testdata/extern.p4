// What statements of a test can set beside plain tables: action profiles and selectors, meters of
// arrays and of entries, parser value sets.
//
//     p4c-bm2-ss --p4runtime-files extern.p4info.txtpb -o extern.json extern.p4
#include <core.p4>
#include <v1model.p4>

header h_t { bit<8> op; bit<16> a; bit<8> res; }
header opt_t { bit<8> v; }
struct headers_t { h_t h; opt_t opt; }
struct pair_t { @match(exact) bit<8> op; @match(exact) bit<16> a; }
struct meta_t { bit<2> colour; }

parser P(packet_in pkt, out headers_t hdr, inout meta_t meta, inout standard_metadata_t std) {
    @name("special") value_set<pair_t>(4) special;
    state start {
        pkt.extract(hdr.h);
        transition select(hdr.h.op, hdr.h.a) { special: opt; default: accept; }
    }
    state opt { pkt.extract(hdr.opt); transition accept; }
}
control V(inout headers_t hdr, inout meta_t meta) { apply {} }
control C(inout headers_t hdr, inout meta_t meta) { apply {} }
control I(inout headers_t hdr, inout meta_t meta, inout standard_metadata_t std) {
    action_profile(8) plain;
    @name("choice") action_selector(HashAlgorithm.identity, 8, 8) choice;
    meter(4, MeterType.packets) rate;
    direct_meter<bit<2>>(MeterType.packets) entry_rate;

    action forward(bit<9> port, bit<8> v) { std.egress_spec = port; hdr.h.res = v; }
    action metered(bit<9> port) { std.egress_spec = port; entry_rate.read(meta.colour); }
    action drop() { mark_to_drop(std); }

    table t_member { key = { hdr.h.a : exact; } actions = { forward; drop; } implementation = plain; }
    table t_group { key = { hdr.h.a : ternary; hdr.h.op : selector; } actions = { forward; drop; } implementation = choice; }
    table t_metered { key = { hdr.h.a : exact; } actions = { metered; @defaultonly drop; } default_action = drop; meters = entry_rate; }

    apply {
        std.egress_spec = 9;
        if (hdr.h.op == 1) { t_member.apply(); }
        else if (hdr.h.op & 0xf0 == 0x20) { t_group.apply(); }
        else if (hdr.h.op == 3) { rate.execute_meter<bit<2>>(1, meta.colour); hdr.h.res = (bit<8>)meta.colour; }
        else if (hdr.h.op == 4) { t_metered.apply(); hdr.h.res = (bit<8>)meta.colour; }
        else if (hdr.opt.isValid()) { hdr.h.res = 0xee; }
    }
}
control E(inout headers_t hdr, inout meta_t meta, inout standard_metadata_t std) { apply {} }
control D(packet_out pkt, in headers_t hdr) { apply { pkt.emit(hdr.h); pkt.emit(hdr.opt); } }
V1Switch(P(), V(), I(), E(), C(), D()) main;
