// A parser within a parser, twice, and a loop over options until a length is used up.
#include "frame.p4"

header tag_t { bit<8> kind; bit<8> value; }
struct headers_t { data_t data; tag_t first; tag_t[4] tags; tag_t last; }
struct metadata_t { bit<8> left; bit<8> sum; }

parser One(packet_in pkt, out tag_t tag, inout metadata_t m) {
    state start {
        pkt.extract(tag);
        m.sum = m.sum + tag.value;
        transition accept;
    }
}
PARSER {
    One() one;
    state start { pkt.extract(h.data); one.apply(pkt, h.first, m); m.left = h.data.d; transition more; }
    state more { transition select(m.left) { 0: tail; default: tag; } }
    state tag { pkt.extract(h.tags.next); m.sum = m.sum + h.tags.last.value; m.left = m.left - 1; transition more; }
    state tail { one.apply(pkt, h.last, m); transition accept; }
}
INGRESS { apply { sm.egress_spec = 2; h.data.e = m.sum; h.data.c = 8w0 ++ m.left; } }
NO_VERIFY NO_EGRESS NO_UPDATE EMIT_ALL SWITCH
