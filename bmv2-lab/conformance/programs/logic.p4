// Bitwise and boolean operators, comparisons and the conditional operator.
#include "frame.p4"

ONE_HEADER NO_METADATA PARSE_ONE

INGRESS {
    apply {
        sm.egress_spec = 2;
        bit<32> a = h.data.a;
        bit<32> b = h.data.b;
        if (h.data.d == 0) { h.data.f = a & b; }
        if (h.data.d == 1) { h.data.f = a | b; }
        if (h.data.d == 2) { h.data.f = a ^ b; }
        if (h.data.d == 3) { h.data.f = ~a; }
        if (h.data.d == 4) { h.data.f = (a & 0xFFFF0000) | (~b & 0x0000FFFF); }
        if (h.data.d == 5) { h.data.f = (a > b) ? a : b; }
        bit<8> r = 0;
        if (a == b) { r = r | 1; }
        if (a != b) { r = r | 2; }
        if (a < b) { r = r | 4; }
        if (a <= b) { r = r | 8; }
        if (a > b) { r = r | 16; }
        if (a >= b) { r = r | 32; }
        if (a == 0 && b == 0 || !(h.data.c == 0)) { r = r | 64; }
        if (!(a < b && b < 100) && h.data.c[15:15] == 1) { r = r | 128; }
        h.data.e = r;
    }
}
NO_VERIFY NO_EGRESS NO_UPDATE EMIT_ALL SWITCH
