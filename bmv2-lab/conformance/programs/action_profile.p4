// Entries that share the members of an action profile.
#include "frame.p4"

ONE_HEADER NO_METADATA PARSE_ONE
INGRESS {
    action set(bit<9> port, bit<8> v) { sm.egress_spec = port; h.data.e = v; }
    action drop() { mark_to_drop(sm); }
    table t { key = { h.data.a : exact; } actions = { set; drop; } @name("shared") implementation = action_profile(32); }
    apply { sm.egress_spec = 3; t.apply(); }
}
NO_VERIFY NO_EGRESS NO_UPDATE EMIT_ALL SWITCH
