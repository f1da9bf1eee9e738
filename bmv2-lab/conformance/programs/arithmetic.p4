// Addition, subtraction, multiplication, negation and shifts wrap around at the width.
#include "frame.p4"

ONE_HEADER NO_METADATA PARSE_ONE

INGRESS {
    apply {
        sm.egress_spec = 2;
        bit<32> a = h.data.a;
        bit<32> b = h.data.b;
        if (h.data.d == 0) { h.data.f = a + b; h.data.e = h.data.a[7:0] + h.data.b[7:0]; }
        if (h.data.d == 1) { h.data.f = a - b; h.data.e = h.data.a[7:0] - h.data.b[7:0]; }
        if (h.data.d == 2) { h.data.f = a * b; h.data.e = h.data.a[7:0] * h.data.b[7:0]; }
        if (h.data.d == 3) { h.data.f = -a; h.data.e = -h.data.b[7:0]; }
        if (h.data.d == 4) { h.data.f = a << h.data.e; }
        if (h.data.d == 5) { h.data.f = a >> h.data.e; }
        if (h.data.d == 6) { h.data.f = a << h.data.b[7:0]; h.data.c = h.data.c >> h.data.b[7:0]; }
        if (h.data.d == 7) { h.data.f = (a + b) >> 1; h.data.c = (bit<16>)((a * b) >> 16); }
    }
}
NO_VERIFY NO_EGRESS NO_UPDATE EMIT_ALL SWITCH
