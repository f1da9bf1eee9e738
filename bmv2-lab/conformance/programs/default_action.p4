// A default action with parameters, which the controller may change; and one that is constant.
#include "frame.p4"

ONE_HEADER NO_METADATA PARSE_ONE

INGRESS {
    action set(bit<9> port, bit<8> value) { sm.egress_spec = port; h.data.e = value; }
    action mark(bit<8> value) { h.data.d = value; }
    action mark_c(bit<16> value) { h.data.c = value; }
    table t { key = { h.data.a : exact; } actions = { set; NoAction; } default_action = set(2, 0x21); }
    table fixed { key = { h.data.a : exact; } actions = { mark; NoAction; } const default_action = mark(0x55); }
    table keyless { actions = { mark_c; NoAction; } default_action = NoAction(); }
    apply { t.apply(); fixed.apply(); keyless.apply(); }
}
NO_VERIFY NO_EGRESS NO_UPDATE EMIT_ALL SWITCH
