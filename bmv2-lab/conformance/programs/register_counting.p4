// A register that counts: read, change and write, within one packet twice.
#include "frame.p4"

ONE_HEADER NO_METADATA PARSE_ONE

INGRESS {
    register<bit<16>>(16) seen;
    apply {
        bit<16> n;
        sm.egress_spec = 2;
        seen.read(n, (bit<32>)h.data.d);
        seen.write((bit<32>)h.data.d, n + 1);
        seen.read(n, (bit<32>)h.data.d);
        seen.write((bit<32>)h.data.d, n |+| 0x7FFF);
        seen.read(h.data.c, (bit<32>)h.data.d);
    }
}
NO_VERIFY NO_EGRESS NO_UPDATE EMIT_ALL SWITCH
