// if and else within an action: fields, validity, and exit on one way only.
#include "frame.p4"

header tag_t { bit<8> kind; bit<8> value; }
struct headers_t { data_t data; tag_t tag; }
NO_METADATA

PARSER {
    state start { pkt.extract(h.data); pkt.extract(h.tag); transition accept; }
}
INGRESS {
    action change(bit<8> value) {
        if (h.data.d == value) {
            h.tag.setInvalid();
        } else if (h.data.d > value) {
            h.data.e = h.data.d - value;
            if (h.data.e == 3) {
                h.tag.setInvalid();
                exit;
            }
        } else {
            h.data.b = h.data.b | 0x80;
        }
        h.data.c = 0x1234;
    }
    table t { key = { h.data.a : exact; } actions = { change; NoAction; } default_action = NoAction(); }
    apply { sm.egress_spec = 2; t.apply(); h.data.f = 7; }
}
NO_VERIFY NO_EGRESS NO_UPDATE EMIT_ALL SWITCH
