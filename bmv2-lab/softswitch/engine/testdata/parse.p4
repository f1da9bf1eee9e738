// Parser constructs: select on masks, lookahead, advance, options, stacks, unions, verify.
#include <core.p4>
#include <v1model.p4>

error { BadVersion }

header kind_t { bit<8> kind; bit<4> version; bit<4> words; }
header options_t { varbit<64> data; }
header label_t { bit<7> label; bit<1> bottom; }
header a_t { bit<16> v; }
header b_t { bit<32> v; }
header tail_t { bit<3> x; bit<9> y; bit<4> z; }
header report_t { bit<8> error_code; bit<8> count; bit<16> peek; bit<8> last; }
header_union ab_t { a_t a; b_t b; }

struct headers_t {
    report_t report;
    kind_t kind;
    options_t options;
    label_t[3] labels;
    ab_t ab;
    tail_t tail;
}
struct meta_t { bit<16> peek; }

parser P(packet_in pkt, out headers_t hdr, inout meta_t meta, inout standard_metadata_t std) {
    state start {
        pkt.extract(hdr.kind);
        verify(hdr.kind.version == 1, error.BadVersion);
        meta.peek = pkt.lookahead<bit<16>>();
        transition select(hdr.kind.kind, hdr.kind.words) {
            (1, 0): accept;
            (1, _): options;
            (2 &&& 0xfe, _): labels;
            (4, _): ab_a;
            (5, _): ab_b;
            (6, _): skip;
            default: accept;
        }
    }
    state options {
        pkt.extract(hdr.options, (bit<32>)hdr.kind.words << 3);
        transition tail;
    }
    state labels {
        pkt.extract(hdr.labels.next);
        transition select(hdr.labels.last.bottom) {
            0: labels;
            1: tail;
        }
    }
    state ab_a { pkt.extract(hdr.ab.a); transition tail; }
    state ab_b { pkt.extract(hdr.ab.b); transition tail; }
    state skip { pkt.advance((bit<32>)hdr.kind.words << 3); transition tail; }
    state tail { pkt.extract(hdr.tail); transition accept; }
}

control V(inout headers_t hdr, inout meta_t meta) { apply {} }
control C(inout headers_t hdr, inout meta_t meta) { apply {} }
control I(inout headers_t hdr, inout meta_t meta, inout standard_metadata_t std) {
    apply {
        std.egress_spec = 1;
        hdr.report.setValid();
        if (std.parser_error == error.NoError) { hdr.report.error_code = 0; }
        else if (std.parser_error == error.PacketTooShort) { hdr.report.error_code = 1; }
        else if (std.parser_error == error.StackOutOfBounds) { hdr.report.error_code = 2; }
        else if (std.parser_error == error.HeaderTooShort) { hdr.report.error_code = 3; }
        else if (std.parser_error == error.BadVersion) { hdr.report.error_code = 4; }
        else if (std.parser_error == error.ParserInvalidArgument) { hdr.report.error_code = 5; }
        else { hdr.report.error_code = 9; }
        hdr.report.peek = meta.peek;
        if (hdr.labels[0].isValid()) { hdr.report.count = hdr.report.count + 1; hdr.report.last = (bit<8>)hdr.labels[0].label; }
        if (hdr.labels[1].isValid()) { hdr.report.count = hdr.report.count + 1; hdr.report.last = (bit<8>)hdr.labels[1].label; }
        if (hdr.labels[2].isValid()) { hdr.report.count = hdr.report.count + 1; hdr.report.last = (bit<8>)hdr.labels[2].label; }
        if (hdr.kind.isValid() && hdr.kind.kind == 3) { hdr.labels.pop_front(1); }
        if (hdr.ab.a.isValid()) {
            hdr.ab.b.setValid();
            hdr.ab.b.v = 0x0a0b0c0d;
        }
    }
}
control E(inout headers_t hdr, inout meta_t meta, inout standard_metadata_t std) { apply {} }
control D(packet_out pkt, in headers_t hdr) {
    apply {
        pkt.emit(hdr.report);
        pkt.emit(hdr.kind);
        pkt.emit(hdr.options);
        pkt.emit(hdr.labels);
        pkt.emit(hdr.ab);
        pkt.emit(hdr.tail);
    }
}
V1Switch(P(), V(), I(), E(), C(), D()) main;
