// Entries that the program declares: the first that matches.
#include "frame.p4"

ONE_HEADER NO_METADATA PARSE_ONE

INGRESS {
    action set(bit<9> port, bit<8> value) { sm.egress_spec = port; h.data.e = value; }
    action drop() { mark_to_drop(sm); }
    table t {
        key = { h.data.a : ternary; h.data.d : exact; }
        actions = { set; drop; }
        default_action = set(3, 0xFF);
        const entries = {
            (0x01000000 &&& 0xFF000000, 1): set(1, 0x11);
            (0x01020000 &&& 0xFFFF0000, 1): set(1, 0x22);
            (_, 2): set(2, 0x33);
            (0x02000000 &&& 0xFE000000, 2): drop();
            (0x00000007, 3): set(4, 0x44);
        }
    }
    apply { t.apply(); }
}
NO_VERIFY NO_EGRESS NO_UPDATE EMIT_ALL SWITCH
