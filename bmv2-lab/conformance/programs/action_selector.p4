// Entries that lead to members and to groups of them, one of which a hash chooses.
#include "frame.p4"

ONE_HEADER NO_METADATA PARSE_ONE
INGRESS {
    action set(bit<9> port, bit<8> v) { sm.egress_spec = port; h.data.e = v; }
    action drop() { mark_to_drop(sm); }
    table t {
        key = { h.data.a : exact; h.data.b : selector; h.data.c : selector; }
        actions = { set; drop; }
        @name("shared") implementation = action_selector(HashAlgorithm.crc16, 32, 16);
    }
    apply { sm.egress_spec = 3; t.apply(); }
}
NO_VERIFY NO_EGRESS NO_UPDATE EMIT_ALL SWITCH
