// lookahead of bits and of a struct, advance, and a lookahead beyond the end.
#include "frame.p4"

header small_t { bit<4> x; bit<12> y; }
header tag_t { bit<8> kind; bit<8> value; }
struct headers_t { data_t data; tag_t tag; }
struct metadata_t { bit<4> x; bit<12> y; bit<8> third; }

PARSER {
    state start { pkt.extract(h.data); transition select(h.data.d) { 0: accept; 1: peek; 2: skip; 3: far; } }
    state peek {
        small_t s = pkt.lookahead<small_t>();
        m.x = s.x; m.y = s.y;
        m.third = pkt.lookahead<bit<24>>()[7:0];
        transition select(pkt.lookahead<bit<4>>()) { 0xA: tag; default: accept; }
    }
    state skip { pkt.advance(24); transition tag; }
    state far { m.third = pkt.lookahead<bit<128>>()[7:0]; transition tag; }
    state tag { pkt.extract(h.tag); transition accept; }
}
INGRESS {
    apply {
        sm.egress_spec = 2;
        h.data.a = 20w0 ++ m.y;
        h.data.b = 28w0 ++ m.x;
        h.data.e = m.third;
        if (sm.parser_error == error.PacketTooShort) { h.data.c = 0xEEEE; }
        if (sm.parser_error == error.NoMatch) { h.data.c = 0xAAAA; }
    }
}
NO_VERIFY NO_EGRESS NO_UPDATE EMIT_ALL SWITCH
