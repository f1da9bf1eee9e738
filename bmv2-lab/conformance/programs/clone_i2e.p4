// Copies at the end of ingress: the original frame, parsed again, with the fields of a list preserved; to one port, to several, to none.
#include "frame.p4"

ONE_HEADER
struct metadata_t { @field_list(1) bit<16> kept; bit<16> lost; }
PARSE_ONE

INGRESS {
    apply {
        sm.egress_spec = 2;
        m.kept = 0x1234;
        m.lost = 0x5678;
        if (h.data.d == 1) { clone(CloneType.I2E, 5); }
        if (h.data.d == 2) { clone_preserving_field_list(CloneType.I2E, 5, 1); }
        if (h.data.d == 3) { clone_preserving_field_list(CloneType.I2E, 6, 1); }
        if (h.data.d == 4) { clone(CloneType.I2E, 7); }
        if (h.data.d == 5) { clone(CloneType.I2E, 5); mark_to_drop(sm); }
        if (h.data.d == 6) { clone(CloneType.I2E, 5); clone_preserving_field_list(CloneType.I2E, 6, 1); }
        m.kept = m.kept + 1;
        h.data.a = 0xFFFFFFFF;
    }
}
EGRESS { apply { h.data.e = (bit<8>)sm.instance_type; h.data.c = m.kept; h.data.f = m.lost ++ sm.egress_rid; } }
NO_VERIFY NO_UPDATE EMIT_ALL SWITCH
