// Registers of 1, 7, 33, 64 and 128 bits.
#include "frame.p4"

header wide_t { bit<128> v; }
struct headers_t { data_t data; wide_t wide; }
NO_METADATA

PARSER { state start { pkt.extract(h.data); pkt.extract(h.wide); transition accept; } }
INGRESS {
    register<bit<1>>(8) r1;
    register<bit<7>>(8) r7;
    register<bit<33>>(8) r33;
    register<bit<64>>(8) r64;
    register<bit<128>>(8) r128;
    bit<1> v1; bit<7> v7; bit<33> v33; bit<64> v64; bit<128> v128;
    apply {
        sm.egress_spec = 2;
        bit<32> i = (bit<32>)h.data.d;
        if (h.data.e == 1) {
            r1.write(i, h.wide.v[0:0]);
            r7.write(i, h.wide.v[6:0]);
            r33.write(i, h.wide.v[32:0]);
            r64.write(i, h.wide.v[63:0]);
            r128.write(i, h.wide.v);
        } else {
            r1.read(v1, i); r7.read(v7, i); r33.read(v33, i); r64.read(v64, i); r128.read(v128, i);
            h.data.a = v33[31:0];
            h.data.b = (31w0 ++ v33[32:32]) + (v64[63:32] ^ v64[31:0]);
            h.data.c = 15w0 ++ v1;
            h.data.e = 1w0 ++ v7;
            h.wide.v = v128;
        }
    }
}
NO_VERIFY NO_EGRESS NO_UPDATE EMIT_ALL SWITCH
