// Arithmetic and comparisons of 128 bits and of odd widths.
#include "frame.p4"

header wide_t { bit<128> x; bit<128> y; bit<100> z; bit<36> w; bit<104> o; }
struct headers_t { data_t data; wide_t wide; }
NO_METADATA

PARSER { state start { pkt.extract(h.data); pkt.extract(h.wide); transition accept; } }
INGRESS {
    apply {
        sm.egress_spec = 2;
        if (h.data.d == 0) { h.wide.x = h.wide.x + h.wide.y; h.wide.z = h.wide.z + 1; }
        if (h.data.d == 1) { h.wide.x = h.wide.x - h.wide.y; h.wide.z = h.wide.z - 1; }
        if (h.data.d == 2) { h.wide.x = h.wide.x & h.wide.y; h.wide.y = ~h.wide.y; }
        if (h.data.d == 3) { h.wide.x = h.wide.x << h.data.e; h.wide.y = h.wide.y >> h.data.e; }
        if (h.data.d == 4) { h.wide.x = h.wide.x ^ h.wide.y; h.wide.w = (bit<36>)h.wide.z; }
        if (h.data.d == 5) { h.wide.x[99:60] = h.wide.y[39:0]; h.wide.z[70:0] = h.wide.o[103:33]; }
        if (h.data.d == 6) { h.wide.x = h.wide.z[63:0] ++ h.wide.w ++ 28w0x1234567; }
        if (h.data.d == 7) { h.wide.x = h.wide.x |+| h.wide.y; h.wide.y = h.wide.y |-| h.wide.x; }
        if (h.data.d == 8) { h.wide.x = h.wide.x * h.wide.y; h.wide.z = h.wide.z * 3; }
        bit<16> r = 0;
        if (h.wide.x == h.wide.y) { r = r | 1; }
        if (h.wide.x < h.wide.y) { r = r | 2; }
        if (h.wide.x > h.wide.y) { r = r | 4; }
        if (h.wide.z == 100w0xFFFFFFFFFFFFFFFFFFFFFFFFF) { r = r | 8; }
        if ((int<128>)h.wide.x < (int<128>)h.wide.y) { r = r | 16; }
        h.data.c = r;
    }
}
NO_VERIFY NO_EGRESS NO_UPDATE EMIT_ALL SWITCH
