// Validity: setValid, setInvalid, as a key of tables; fields of invalid headers match as 0; they are not emitted.
#include "frame.p4"

header tag_t { bit<8> kind; bit<8> value; }
struct headers_t { data_t data; tag_t tag; tag_t other; }
NO_METADATA

PARSER {
    state start { pkt.extract(h.data); transition select(h.data.d) { 0: accept; default: tag; } }
    state tag { pkt.extract(h.tag); transition accept; }
}
INGRESS {
    action mark(bit<8> value) { h.data.e = value; }
    action add_other(bit<8> value) { h.other.setValid(); h.other.kind = 9; h.other.value = value; }
    action strip() { h.tag.setInvalid(); }
    action copy() { h.other = h.tag; }
    table seen { key = { h.tag.isValid() : exact; h.tag.value : ternary; } actions = { mark; NoAction; } default_action = NoAction(); }
    table change { key = { h.data.a : exact; } actions = { add_other; strip; copy; NoAction; } default_action = NoAction(); }
    apply { sm.egress_spec = 2; change.apply(); seen.apply(); }
}
NO_VERIFY NO_EGRESS NO_UPDATE EMIT_ALL SWITCH
