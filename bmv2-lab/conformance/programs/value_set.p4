// A value set decides about a transition of the parser.
#include "frame.p4"

header tag_t { bit<8> v; }
struct headers_t { data_t data; tag_t tag; }
NO_METADATA
PARSER {
    value_set<bit<16>>(4) kinds;
    state start { pkt.extract(h.data); transition select(h.data.c) { kinds: tag; 0x0001: tag; default: accept; } }
    state tag { pkt.extract(h.tag); transition accept; }
}
INGRESS { apply { sm.egress_spec = 2; if (h.tag.isValid()) { h.data.e = h.tag.v; } } }
NO_VERIFY NO_EGRESS NO_UPDATE EMIT_ALL SWITCH
