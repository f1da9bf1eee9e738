// Saturating addition and subtraction, unsigned and signed.
#include "frame.p4"

ONE_HEADER NO_METADATA PARSE_ONE

INGRESS {
    apply {
        sm.egress_spec = 2;
        if (h.data.d == 0) { h.data.f = h.data.a |+| h.data.b; h.data.e = h.data.a[7:0] |+| h.data.b[7:0]; }
        if (h.data.d == 1) { h.data.f = h.data.a |-| h.data.b; h.data.e = h.data.a[7:0] |-| h.data.b[7:0]; }
        if (h.data.d == 2) {
            h.data.f = (bit<32>)((int<32>)h.data.a |+| (int<32>)h.data.b);
            h.data.e = (bit<8>)((int<8>)h.data.a[7:0] |+| (int<8>)h.data.b[7:0]);
        }
        if (h.data.d == 3) {
            h.data.f = (bit<32>)((int<32>)h.data.a |-| (int<32>)h.data.b);
            h.data.e = (bit<8>)((int<8>)h.data.a[7:0] |-| (int<8>)h.data.b[7:0]);
        }
    }
}
NO_VERIFY NO_EGRESS NO_UPDATE EMIT_ALL SWITCH
