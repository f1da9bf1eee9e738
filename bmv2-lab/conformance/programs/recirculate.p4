// recirculate: the frame as it was deparsed through the ingress again, with the fields of a list.
#include "frame.p4"

ONE_HEADER
struct metadata_t { @field_list(1) bit<8> rounds; bit<8> lost; }
PARSE_ONE

INGRESS {
    apply {
        sm.egress_spec = 2;
        h.data.e = (bit<8>)sm.instance_type;
        h.data.c = m.rounds ++ m.lost;
        m.lost = m.lost + 1;
        h.data.f = 23w0 ++ sm.ingress_port;
    }
}
EGRESS {
    apply {
        m.rounds = m.rounds + 1;
        h.data.a = h.data.a + 1;
        if (m.rounds <= h.data.d) { recirculate_preserving_field_list(1); }
    }
}
NO_VERIFY NO_UPDATE EMIT_ALL SWITCH
