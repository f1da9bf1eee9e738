// Slices to read and to assign, and concatenation.
#include "frame.p4"

ONE_HEADER NO_METADATA PARSE_ONE

INGRESS {
    apply {
        sm.egress_spec = 2;
        if (h.data.d == 0) { h.data.f[23:8] = h.data.a[31:16]; h.data.e[3:0] = h.data.a[7:4]; }
        if (h.data.d == 1) { h.data.f = h.data.a[7:0] ++ h.data.b[15:0] ++ h.data.c[8:1]; }
        if (h.data.d == 2) { h.data.e[0:0] = 1; h.data.e[7:7] = 0; h.data.c[14:1] = 0x2AAA; }
        if (h.data.d == 3) { h.data.f = h.data.b[15:0] ++ h.data.b[31:16]; h.data.e = (bit<8>)h.data.a[19:12]; }
    }
}
NO_VERIFY NO_EGRESS NO_UPDATE EMIT_ALL SWITCH
