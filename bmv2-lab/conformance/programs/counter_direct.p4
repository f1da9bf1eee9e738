// Counters of entries.
#include "frame.p4"

ONE_HEADER NO_METADATA PARSE_ONE

INGRESS {
    direct_counter(CounterType.packets_and_bytes) hits;
    action set(bit<9> port) { sm.egress_spec = port; hits.count(); }
    table t { key = { h.data.a : lpm; } actions = { set; } default_action = set(3); counters = hits; }
    apply { t.apply(); }
}
NO_VERIFY NO_EGRESS NO_UPDATE EMIT_ALL SWITCH
