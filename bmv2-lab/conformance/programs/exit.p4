// exit ends the ingress from within an action, and the egress too; return ends a block only.
#include "frame.p4"

ONE_HEADER NO_METADATA PARSE_ONE

control inner(inout headers_t h, inout standard_metadata_t sm) {
    apply {
        if (h.data.d == 2) { h.data.e = 0x22; return; }
        if (h.data.d == 3) { h.data.e = 0x33; exit; }
        h.data.e = 0x44;
    }
}
INGRESS {
    inner() i;
    action leave() { h.data.c = 0x1111; exit; }
    action back(bit<8> v) { if (v == 1) { return; } h.data.c = 0x2222; }
    table t { key = { h.data.a : exact; } actions = { leave; back; NoAction; } default_action = NoAction(); }
    apply {
        sm.egress_spec = 2;
        t.apply();
        i.apply(h, sm);
        h.data.f = 0x55555555;
    }
}
EGRESS { apply { if (h.data.d == 4) { exit; } h.data.b = 0x66666666; } }
NO_VERIFY NO_UPDATE EMIT_ALL SWITCH
