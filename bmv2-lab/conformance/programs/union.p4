// A header union: making one member valid makes the others invalid.
#include "frame.p4"

header one_t { bit<8> kind; bit<8> x; }
header two_t { bit<8> kind; bit<24> y; }
header_union choice_t { one_t one; two_t two; }
struct headers_t { data_t data; choice_t choice; }
NO_METADATA

PARSER {
    state start { pkt.extract(h.data); transition select(pkt.lookahead<bit<8>>()) { 1: one; 2: two; default: accept; } }
    state one { pkt.extract(h.choice.one); transition accept; }
    state two { pkt.extract(h.choice.two); transition accept; }
}
INGRESS {
    apply {
        sm.egress_spec = 2;
        if (h.choice.one.isValid()) { h.data.d = 1; }
        if (h.choice.two.isValid()) { h.data.d = 2; }
        if (h.data.a == 1) { h.choice.two.setValid(); h.choice.two.kind = 2; h.choice.two.y = 0x313233; }
        if (h.data.a == 2) { h.choice.one.setValid(); h.choice.one.kind = 1; h.choice.one.x = 0x41; }
        if (h.data.a == 3) { h.choice.one.setInvalid(); h.choice.two.setInvalid(); }
        if (h.choice.one.isValid()) { h.data.e = 1; }
        if (h.choice.two.isValid()) { h.data.e = 2; }
    }
}
NO_VERIFY NO_EGRESS NO_UPDATE EMIT_ALL SWITCH
