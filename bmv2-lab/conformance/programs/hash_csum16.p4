// The hash algorithm csum16, with base and bound, over fields that are no whole bytes.
#include "frame.p4"

struct headers_t { data_t data; }
NO_METADATA PARSE_ONE

INGRESS {
    apply {
        sm.egress_spec = 2;
        bit<32> whole;
        bit<16> part;
        bit<8> bounded;
        hash(whole, HashAlgorithm.csum16, 32w0, { h.data.a, h.data.b, h.data.c }, 64w0x100000000);
        hash(part, HashAlgorithm.csum16, 16w0, { h.data.a[10:0], h.data.b, h.data.c[4:0] }, 32w0x10000);
        hash(bounded, HashAlgorithm.csum16, 8w7, { h.data.d, h.data.a }, 16w100);
        h.data.f = whole;
        h.data.c = part;
        h.data.e = bounded;
    }
}
NO_VERIFY NO_EGRESS NO_UPDATE EMIT_ALL SWITCH
