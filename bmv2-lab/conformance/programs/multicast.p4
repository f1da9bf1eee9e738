// Multicast groups: copies in the order of ports with their instance; a group that is not there; multicast wins over egress_spec and loses to a drop.
#include "frame.p4"

ONE_HEADER NO_METADATA PARSE_ONE

INGRESS {
    apply {
        sm.egress_spec = 3;
        sm.mcast_grp = h.data.c;
        if (h.data.d == 1) { mark_to_drop(sm); }
    }
}
EGRESS { apply { h.data.a = 23w0 ++ sm.egress_port; h.data.b = 16w0 ++ sm.egress_rid; h.data.e = (bit<8>)sm.instance_type; if (h.data.d == 2 && sm.egress_port == 2) { mark_to_drop(sm); } } }
NO_VERIFY NO_UPDATE EMIT_ALL SWITCH
