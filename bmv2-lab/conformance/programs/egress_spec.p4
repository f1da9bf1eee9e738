// Where packets go: port 0 unless the program says so, nowhere with mark_to_drop or port 511, back with the ingress port; and mark_to_drop undone.
#include "frame.p4"

ONE_HEADER NO_METADATA PARSE_ONE

INGRESS {
    apply {
        if (h.data.d == 1) { sm.egress_spec = 3; }
        if (h.data.d == 2) { mark_to_drop(sm); }
        if (h.data.d == 3) { sm.egress_spec = 511; }
        if (h.data.d == 4) { sm.egress_spec = sm.ingress_port; }
        if (h.data.d == 5) { mark_to_drop(sm); sm.egress_spec = 1; }
        h.data.c = 7w0 ++ sm.egress_spec;
    }
}
NO_VERIFY NO_EGRESS NO_UPDATE EMIT_ALL SWITCH
