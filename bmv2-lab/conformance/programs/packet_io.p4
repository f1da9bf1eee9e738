// Packets from and to the controller, with metadata.
#include "frame.p4"

@controller_header("packet_in") header in_t { bit<9> port; bit<7> reason; }
@controller_header("packet_out") header out_t { bit<9> port; bit<1> flag; bit<6> pad; }
struct headers_t { in_t to_controller; out_t from_controller; data_t data; }
NO_METADATA

PARSER {
    state start { transition select(sm.ingress_port) { 510: from_controller; default: data; } }
    state from_controller { pkt.extract(h.from_controller); transition data; }
    state data { pkt.extract(h.data); transition accept; }
}
INGRESS {
    apply {
        if (h.from_controller.isValid()) {
            sm.egress_spec = h.from_controller.port;
            h.data.e = 7w0 ++ h.from_controller.flag;
            h.from_controller.setInvalid();
        } else if (h.data.d == 1) {
            sm.egress_spec = 510;
            h.to_controller.setValid();
            h.to_controller = { sm.ingress_port, 0x55 };
        } else {
            sm.egress_spec = 2;
        }
    }
}
NO_VERIFY NO_EGRESS NO_UPDATE EMIT_ALL SWITCH
