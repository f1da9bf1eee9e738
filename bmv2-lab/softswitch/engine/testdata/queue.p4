// Queues between ingress and egress, and what goes round for ever.
#include <core.p4>
#include <v1model.p4>

header h_t { bit<8> op; bit<8> priority; bit<8> id; bit<8> enqueued; bit<8> left; bit<8> waited; bit<8> queue; }
struct headers_t { h_t h; }
struct meta_t { @field_list(1) bit<8> none; bit<8> queue; }

parser P(packet_in pkt, out headers_t hdr, inout meta_t meta, inout standard_metadata_t std) {
    state start { pkt.extract(hdr.h); transition accept; }
}
control V(inout headers_t hdr, inout meta_t meta) { apply {} }
control C(inout headers_t hdr, inout meta_t meta) { apply {} }
control I(inout headers_t hdr, inout meta_t meta, inout standard_metadata_t std) {
    apply {
        std.egress_spec = 1;
        std.priority = (bit<3>)hdr.h.priority;
        if (hdr.h.op == 2) { std.mcast_grp = 7; }
    }
}
control E(inout headers_t hdr, inout meta_t meta, inout standard_metadata_t std) {
    apply {
        hdr.h.enqueued = (bit<8>)std.enq_qdepth;
        hdr.h.left = (bit<8>)std.deq_qdepth;
        hdr.h.waited = (bit<8>)std.deq_timedelta;
        hdr.h.queue = meta.queue;
        if (hdr.h.op == 1) {
            hdr.h.op = 0;
            hdr.h.priority = 7;
            recirculate_preserving_field_list(1);
        }
        if (hdr.h.op == 0x13) { clone(CloneType.E2E, 5); }
        if (hdr.h.op == 0x14) { recirculate_preserving_field_list(1); }
    }
}
control D(packet_out pkt, in headers_t hdr) { apply { pkt.emit(hdr.h); } }
V1Switch(P(), V(), I(), E(), C(), D()) main;
