// Entries that the program only begins with, with priorities; others may be added.
#include "frame.p4"

ONE_HEADER NO_METADATA PARSE_ONE

INGRESS {
    action set(bit<9> port, bit<8> value) { sm.egress_spec = port; h.data.e = value; }
    action drop() { mark_to_drop(sm); }
    table t {
        key = { h.data.a : ternary; }
        actions = { set; drop; }
        default_action = set(3, 0xFF);
        size = 64;
        entries = {
            const priority=30: 0x01020300 &&& 0xFFFFFF00 : set(2, 0x33);
            priority=20: 0x01020000 &&& 0xFFFF0000 : set(1, 0x22);
            priority=10: 0x01000000 &&& 0xFF000000 : set(1, 0x11);
        }
    }
    apply { t.apply(); }
}
NO_VERIFY NO_EGRESS NO_UPDATE EMIT_ALL SWITCH
