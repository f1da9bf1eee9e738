// resubmit: the original frame through the ingress again, with the fields of a list.
#include "frame.p4"

ONE_HEADER
struct metadata_t { @field_list(1) bit<8> rounds; bit<8> lost; }
PARSE_ONE

INGRESS {
    apply {
        sm.egress_spec = 2;
        h.data.e = (bit<8>)sm.instance_type;
        h.data.c = m.rounds ++ m.lost;
        m.rounds = m.rounds + 1;
        m.lost = m.lost + 1;
        h.data.a = 0xFFFFFFFF;
        if (m.rounds <= h.data.d) { resubmit_preserving_field_list(1); }
    }
}
NO_VERIFY NO_EGRESS NO_UPDATE EMIT_ALL SWITCH
