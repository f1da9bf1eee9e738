// The egress: its port, drop, and the packets length.
#include "frame.p4"

ONE_HEADER NO_METADATA PARSE_ONE
INGRESS { apply { sm.egress_spec = 2; } }
EGRESS {
    apply {
        h.data.c = 7w0 ++ sm.egress_port;
        h.data.b = sm.packet_length;
        if (h.data.d == 1) { mark_to_drop(sm); }
        if (h.data.d == 2) { sm.egress_spec = 3; }
        if (h.data.d == 3) { h.data.setInvalid(); }
    }
}
NO_VERIFY NO_UPDATE EMIT_ALL SWITCH
