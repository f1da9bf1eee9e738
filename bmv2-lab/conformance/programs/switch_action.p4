// hit, miss and switch on the action that ran.
#include "frame.p4"

ONE_HEADER NO_METADATA PARSE_ONE

INGRESS {
    action one() { h.data.e = h.data.e | 1; }
    action two(bit<8> v) { h.data.e = h.data.e | v; }
    action three() { }
    table t { key = { h.data.a : exact; } actions = { one; two; three; NoAction; } default_action = NoAction(); }
    table u { key = { h.data.b : lpm; } actions = { one; two; } default_action = two(0x20); }
    table v { key = { h.data.c : ternary; } actions = { three; NoAction; } default_action = NoAction(); }
    apply {
        sm.egress_spec = 2;
        switch (t.apply().action_run) {
            one: { h.data.c = 0x0101; }
            two:
            three: { h.data.c = 0x0202; }
            default: { h.data.c = 0xDDDD; }
        }
        if (u.apply().hit) { h.data.d = 1; } else { h.data.d = 2; }
        if (v.apply().miss) { h.data.f = 7; }
    }
}
NO_VERIFY NO_EGRESS NO_UPDATE EMIT_ALL SWITCH
