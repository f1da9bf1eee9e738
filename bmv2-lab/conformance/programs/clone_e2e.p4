// Copies at the end of egress keep the headers as they are.
#include "frame.p4"

ONE_HEADER
struct metadata_t { @field_list(1) bit<16> kept; bit<16> lost; }
PARSE_ONE

INGRESS { apply { sm.egress_spec = 2; m.kept = 0x1234; m.lost = 0x5678; h.data.a = 0xAAAAAAAA; } }
EGRESS {
    apply {
        h.data.e = (bit<8>)sm.instance_type;
        h.data.c = m.kept;
        h.data.f = m.lost ++ sm.egress_rid;
        if (sm.instance_type == 0) {
            h.data.b = 0xBBBBBBBB;
            if (h.data.d == 1) { clone(CloneType.E2E, 5); }
            if (h.data.d == 2) { clone_preserving_field_list(CloneType.E2E, 5, 1); }
            if (h.data.d == 3) { clone_preserving_field_list(CloneType.E2E, 6, 1); mark_to_drop(sm); }
            m.kept = m.kept + 1;
        }
    }
}
NO_VERIFY NO_UPDATE EMIT_ALL SWITCH
