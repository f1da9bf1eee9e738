// Header stacks: next and last while parsing, push_front, pop_front, elements by index, and what does not fit.
#include "frame.p4"

header label_t { bit<20> label; bit<3> tc; bit<1> bottom; bit<8> ttl; }
struct headers_t { data_t data; label_t[3] labels; }
struct metadata_t { bit<8> last; }

PARSER {
    state start { pkt.extract(h.data); transition select(h.data.d) { 0: accept; default: label; } }
    state label {
        pkt.extract(h.labels.next);
        m.last = (bit<8>)h.labels.lastIndex;
        transition select(h.labels.last.bottom) { 1: accept; default: label; }
    }
}
INGRESS {
    apply {
        sm.egress_spec = 2;
        h.data.e = m.last;
        if (h.data.a == 1) { h.labels.push_front(1); h.labels[0].setValid(); h.labels[0] = { 0xABCDE, 5, 0, 64 }; }
        if (h.data.a == 2) { h.labels.push_front(2); }
        if (h.data.a == 3) { h.labels.pop_front(1); }
        if (h.data.a == 4) { h.labels.pop_front(2); }
        if (h.data.a == 5) { h.labels.push_front(3); }
        if (h.data.a == 6) { h.labels[1].ttl = h.labels[0].ttl - 1; }
        if (h.data.a == 7) { h.labels[2] = h.labels[0]; }
        if (h.data.a == 8) { h.labels[0].setInvalid(); h.labels.pop_front(1); }
    }
}
NO_VERIFY NO_EGRESS NO_UPDATE EMIT_ALL SWITCH
