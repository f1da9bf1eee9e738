// switch on a value.
#include "frame.p4"

ONE_HEADER NO_METADATA PARSE_ONE

INGRESS {
    apply {
        sm.egress_spec = 2;
        switch (h.data.c) {
            1: { h.data.e = 1; }
            2:
            0xFFFF: { h.data.e = 2; }
            3: { }
            default: { h.data.e = 9; }
        }
    }
}
NO_VERIFY NO_EGRESS NO_UPDATE EMIT_ALL SWITCH
