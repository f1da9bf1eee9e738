// With eight queues a port, packets of all priorities pass.
#include "frame.p4"

ONE_HEADER NO_METADATA PARSE_ONE

INGRESS {
    apply {
        sm.egress_spec = 2;
        sm.priority = (bit<3>)h.data.d;
        if (h.data.e == 1) { sm.mcast_grp = 1; }
        if (h.data.e == 2) { clone(CloneType.I2E, 5); }
    }
}
EGRESS {
    apply {
        h.data.c = (bit<16>)sm.enq_qdepth;
        h.data.f = (bit<32>)sm.deq_qdepth;
        if (h.data.e == 3) { clone(CloneType.E2E, 5); h.data.e = 4; }
    }
}
NO_VERIFY NO_UPDATE EMIT_ALL SWITCH
