// log_msg with and without values does nothing to the packet.
#include "frame.p4"

ONE_HEADER NO_METADATA PARSE_ONE

INGRESS {
    apply {
        sm.egress_spec = 2;
        log_msg("a packet");
        log_msg("a = {}, d = {}", { h.data.a, h.data.d });
        h.data.e = 1;
    }
}
NO_VERIFY NO_EGRESS NO_UPDATE EMIT_ALL SWITCH
