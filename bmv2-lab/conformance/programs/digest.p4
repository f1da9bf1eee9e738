// Digests: what they say is what the fields were when digest was called.
#include "frame.p4"

struct seen_t { bit<32> a; bit<9> port; bit<5> five; bit<16> c; }
ONE_HEADER NO_METADATA PARSE_ONE
INGRESS {
    apply {
        sm.egress_spec = 2;
        if (h.data.d != 0) {
            digest<seen_t>(1, { h.data.a, sm.ingress_port, h.data.e[6:2], h.data.c });
        }
        h.data.c = 0xCCCC;
    }
}
NO_VERIFY NO_EGRESS NO_UPDATE EMIT_ALL SWITCH
