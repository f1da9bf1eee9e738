// Meters of entries.
#include "frame.p4"

ONE_HEADER
struct metadata_t { bit<8> colour; }
PARSE_ONE
INGRESS {
    direct_meter<bit<8>>(MeterType.packets) limits;
    action set(bit<9> port) { sm.egress_spec = port; limits.read(m.colour); }
    action none() { sm.egress_spec = 3; }
    table t { key = { h.data.a : exact; } actions = { set; none; } default_action = none(); meters = limits; }
    apply { t.apply(); h.data.e = m.colour; }
}
NO_VERIFY NO_EGRESS NO_UPDATE EMIT_ALL SWITCH
