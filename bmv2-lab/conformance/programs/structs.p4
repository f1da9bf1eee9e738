// Headers and structs copied and compared as a whole, validity included.
#include "frame.p4"

header tag_t { bit<8> kind; bit<8> value; }
struct pair_t { tag_t one; tag_t two; }
struct headers_t { data_t data; pair_t pair; }
struct metadata_t { tag_t spare; }

PARSER {
    state start { pkt.extract(h.data); pkt.extract(h.pair.one); transition select(h.data.d) { 0: accept; default: two; } }
    state two { pkt.extract(h.pair.two); transition accept; }
}
INGRESS {
    apply {
        sm.egress_spec = 2;
        if (h.pair.one == h.pair.two) { h.data.e = 1; }
        if (h.data.a == 1) { m.spare = h.pair.one; h.pair.one = h.pair.two; h.pair.two = m.spare; }
        if (h.data.a == 2) { h.pair.two = { 7, 8 }; }
        if (h.data.a == 3) { h.pair.one.setInvalid(); h.pair.two = h.pair.one; }
    }
}
NO_VERIFY NO_EGRESS NO_UPDATE EMIT_ALL SWITCH
