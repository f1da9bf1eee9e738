// verify, errors of the program and of the architecture; an error does not drop the packet.
#include "frame.p4"

error { TooBig, Odd }
header tag_t { bit<8> value; }
struct headers_t { data_t data; tag_t tag; }
NO_METADATA

PARSER {
    state start {
        pkt.extract(h.data);
        verify(h.data.d < 10, error.TooBig);
        verify(h.data.d[0:0] == 0, error.Odd);
        transition select(h.data.d) { 2: tag; 4: accept; }
    }
    state tag { pkt.extract(h.tag); transition accept; }
}
INGRESS {
    apply {
        sm.egress_spec = 2;
        if (sm.parser_error == error.NoError) { h.data.e = 0x10; }
        else if (sm.parser_error == error.TooBig) { h.data.e = 0x11; }
        else if (sm.parser_error == error.Odd) { h.data.e = 0x12; }
        else if (sm.parser_error == error.PacketTooShort) { h.data.e = 0x13; }
        else if (sm.parser_error == error.NoMatch) { h.data.e = 0x14; }
        else { h.data.e = 0x15; }
    }
}
NO_VERIFY NO_EGRESS NO_UPDATE EMIT_ALL SWITCH
