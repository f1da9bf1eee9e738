// Signed numbers: comparison, shift to the right with sign, widening and narrowing.
#include "frame.p4"

ONE_HEADER NO_METADATA PARSE_ONE

INGRESS {
    apply {
        sm.egress_spec = 2;
        int<32> a = (int<32>)h.data.a;
        int<32> b = (int<32>)h.data.b;
        int<8> small = (int<8>)h.data.a[7:0];
        if (h.data.d == 0) { h.data.f = (bit<32>)(a + b); }
        if (h.data.d == 1) { h.data.f = (bit<32>)(a - b); }
        if (h.data.d == 2) { h.data.f = (bit<32>)(a >> 4); }
        if (h.data.d == 3) { h.data.f = (bit<32>)(int<32>)small; }
        if (h.data.d == 4) { h.data.f = (bit<32>)(a * b); }
        if (h.data.d == 5) { h.data.f = (bit<32>)(-a); h.data.c = (bit<16>)(int<16>)small; }
        bit<8> r = 0;
        if (a < b) { r = r | 1; }
        if (a <= b) { r = r | 2; }
        if (a > 0) { r = r | 4; }
        if (small < 0) { r = r | 8; }
        if (a == b) { r = r | 16; }
        h.data.e = r;
    }
}
NO_VERIFY NO_EGRESS NO_UPDATE EMIT_ALL SWITCH
