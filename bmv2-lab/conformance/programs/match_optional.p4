// Optional match: equal or anything.
#include "frame.p4"

ONE_HEADER NO_METADATA PARSE_ONE

INGRESS {
    action set(bit<9> port, bit<8> value) { sm.egress_spec = port; h.data.e = value; }
    action drop() { mark_to_drop(sm); }
    table t {
        key = { h.data.a : optional; h.data.c : optional; }
        actions = { set; drop; }
        default_action = set(3, 0xFF);
        size = 64;
    }
    apply { t.apply(); }
}
NO_VERIFY NO_EGRESS NO_UPDATE EMIT_ALL SWITCH
