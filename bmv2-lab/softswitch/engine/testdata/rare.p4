// What programs seldom do: a varbit inside of a byte, saturation, wide checksums, union stacks,
// assertions, log texts without values, hashes without a rule, priorities.
#include <core.p4>
#include <v1model.p4>

header h_t { bit<8> op; int<8> s; bit<8> u; bit<16> w; }
header v_t { bit<4> before; varbit<32> data; bit<12> after; }
header wide_t { bit<16> x; bit<80> sum; }
header e_t { bit<7> v; bit<1> more; }
header a_t { bit<8> kind; }
header b_t { bit<8> kind; bit<8> v; }
header_union ab_t { a_t a; b_t b; }
struct headers_t { h_t h; v_t v; v_t copy; wide_t wide; e_t[3] es; ab_t[2] us; e_t last; }
struct meta_t { bit<8> n; bit<32> r; e_t saved; }

parser P(packet_in pkt, out headers_t hdr, inout meta_t meta, inout standard_metadata_t std) {
    state start {
        pkt.extract(hdr.h);
        transition select(hdr.h.op) { 1: vary; 2: wide; 3: elements; 4: unions; default: accept; }
    }
    state vary { pkt.extract(hdr.v, (bit<32>)hdr.h.u << 3); transition accept; }
    state wide { pkt.extract(hdr.wide); transition accept; }
    state elements {
        pkt.extract(hdr.es.next);
        meta.n = meta.n + (bit<8>)hdr.es.lastIndex;
        transition select(hdr.es.last.more) { 1: elements; default: keep; }
    }
    state keep { hdr.last = hdr.es.last; transition accept; }
    state unions {
        transition select(pkt.lookahead<bit<8>>()) { 0xa: union_a; 0xb: union_b; default: accept; }
    }
    state union_a { pkt.extract(hdr.us.next.a); transition unions; }
    state union_b { pkt.extract(hdr.us.next.b); transition unions; }
}
control V(inout headers_t hdr, inout meta_t meta) {
    apply { verify_checksum(hdr.wide.isValid(), { hdr.wide.x }, hdr.wide.sum, HashAlgorithm.csum16); }
}
control C(inout headers_t hdr, inout meta_t meta) {
    apply { update_checksum(hdr.wide.isValid(), { hdr.wide.x }, hdr.wide.sum, HashAlgorithm.csum16); }
}
control I(inout headers_t hdr, inout meta_t meta, inout standard_metadata_t std) {
    action note() { log_msg("no value"); }
    action rare() {
        if (hdr.h.op == 5) { hdr.h.s = hdr.h.s |+| (int<8>)hdr.h.u; }
        else if (hdr.h.op == 6) { hdr.h.s = hdr.h.s |-| (int<8>)hdr.h.u; }
        else if (hdr.h.op == 7) { hdr.h.u = hdr.h.u |-| 200; }
        else if (hdr.h.op == 8) { hdr.h.w = hdr.h.w |+| 0xfff0; }
    }
    apply {
        std.egress_spec = 1;
        if (hdr.v.isValid()) {
            hdr.copy = hdr.v;
            hdr.copy.after = hdr.copy.after + 1;
            if (hdr.copy != hdr.v) { hdr.h.w = 1; }
        }
        if (hdr.wide.isValid()) {
            hdr.h.u = (bit<8>)std.checksum_error;
            hdr.wide.x = hdr.wide.x + 1;
        }
        if (hdr.h.op == 3) {
            hdr.h.u = meta.n;
            meta.saved = hdr.es[hdr.h.w];
            hdr.es.push_front(1);
            hdr.es[0].setValid();
            hdr.es[0].v = meta.saved.v;
        }
        if (hdr.us[0].b.isValid()) {
            hdr.us[1].a.setValid();
            hdr.us[1].a.kind = hdr.us[0].b.v;
        }
        rare();
        if (hdr.h.op == 9) { note(); }
        if (hdr.h.op == 10) {
            hash(meta.r, HashAlgorithm.random, 32w5, { hdr.h.u }, 32w4);
            hdr.h.u = (bit<8>)meta.r;
        }
        if (hdr.h.op == 11) { std.priority = (bit<3>)hdr.h.u; }
        if (hdr.h.op == 12) { assume(hdr.h.u < 4); }
    }
}
control E(inout headers_t hdr, inout meta_t meta, inout standard_metadata_t std) { apply {} }
control D(packet_out pkt, in headers_t hdr) {
    apply {
        pkt.emit(hdr.h);
        pkt.emit(hdr.v);
        pkt.emit(hdr.copy);
        pkt.emit(hdr.wide);
        pkt.emit(hdr.es);
        pkt.emit(hdr.us);
        pkt.emit(hdr.last);
    }
}
V1Switch(P(), V(), I(), E(), C(), D()) main;
