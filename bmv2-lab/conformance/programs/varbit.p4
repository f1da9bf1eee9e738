// A field of variable length, whose length another field gives; too long is a parser error.
#include "frame.p4"

header options_t { bit<8> len; varbit<64> bytes; bit<8> tail; }
struct headers_t { data_t data; options_t options; }
NO_METADATA

PARSER {
    state start { pkt.extract(h.data); transition select(h.data.d) { 0: accept; default: options; } }
    state options {
        pkt.extract(h.options, (bit<32>)((bit<32>)pkt.lookahead<bit<8>>() * 8));
        transition accept;
    }
}
INGRESS {
    apply {
        sm.egress_spec = 2;
        if (sm.parser_error == error.HeaderTooShort) { h.data.e = 1; }
        if (sm.parser_error == error.PacketTooShort) { h.data.e = 2; }
        if (h.options.isValid()) { h.data.d = h.options.len; h.options.tail = 0x77; }
    }
}
NO_VERIFY NO_EGRESS NO_UPDATE EMIT_ALL SWITCH
