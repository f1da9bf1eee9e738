// select on several keys with masks, ranges and wildcards: the first that matches.
#include "frame.p4"

ONE_HEADER
struct metadata_t { bit<8> way; }

PARSER {
    state start {
        pkt.extract(h.data);
        transition select(h.data.c, h.data.d, h.data.e[3:0]) {
            (0x0800, 1, _): one;
            (0x0800 &&& 0xFF00, 16 .. 19, _): two;
            (_, 0x80 &&& 0x80, 5): three;
            (0xFFFF, _, 0xF &&& 0x8): four;
            default: accept;
        }
    }
    state one { m.way = 1; transition accept; }
    state two { m.way = 2; transition accept; }
    state three { m.way = 3; transition accept; }
    state four { m.way = 4; transition accept; }
}
INGRESS { apply { sm.egress_spec = 2; h.data.f = 24w0 ++ m.way; } }
NO_VERIFY NO_EGRESS NO_UPDATE EMIT_ALL SWITCH
