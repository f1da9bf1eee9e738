// What v1model does between the pipelines: multicast, clones, resubmit, recirculate.
#include <core.p4>
#include <v1model.p4>

header h_t { bit<8> op; bit<8> passes; bit<8> instance; bit<16> rid; bit<8> kept; bit<32> length; }
struct headers_t { h_t h; h_t added; }
struct meta_t { @field_list(1) bit<8> kept; bit<8> lost; }

parser P(packet_in pkt, out headers_t hdr, inout meta_t meta, inout standard_metadata_t std) {
    state start { pkt.extract(hdr.h); transition accept; }
}
control V(inout headers_t hdr, inout meta_t meta) { apply {} }
control C(inout headers_t hdr, inout meta_t meta) { apply {} }
control I(inout headers_t hdr, inout meta_t meta, inout standard_metadata_t std) {
    apply {
        std.egress_spec = 1;
        if (hdr.h.op == 1) {
            std.mcast_grp = 7;
        } else if (hdr.h.op == 2) {
            meta.kept = 0x55;
            meta.lost = 0x66;
            hdr.h.passes = 9;
            clone_preserving_field_list(CloneType.I2E, 5, 1);
        } else if (hdr.h.op == 3 && std.instance_type == 0) {
            meta.kept = 0x44;
            hdr.h.passes = 9;
            resubmit_preserving_field_list(1);
        } else if (hdr.h.op == 6) {
            hdr.added.setValid();
            hdr.added.op = 0xad;
        } else if (hdr.h.op == 7) {
            mark_to_drop(std);
        }
    }
}
control E(inout headers_t hdr, inout meta_t meta, inout standard_metadata_t std) {
    apply {
        hdr.h.instance = (bit<8>)std.instance_type;
        hdr.h.rid = std.egress_rid;
        hdr.h.length = std.packet_length;
        hdr.h.kept = meta.kept | meta.lost;
        if (hdr.h.op == 4 && std.instance_type == 0) {
            meta.kept = 0x33;
            clone_preserving_field_list(CloneType.E2E, 5, 1);
        }
        if (hdr.h.op == 5 && hdr.h.passes < 3) {
            hdr.h.passes = hdr.h.passes + 1;
            meta.kept = hdr.h.passes;
            recirculate_preserving_field_list(1);
        }
        if (hdr.h.op == 8) { mark_to_drop(std); }
        if (hdr.h.op == 9) { recirculate_preserving_field_list(1); }
    }
}
control D(packet_out pkt, in headers_t hdr) { apply { pkt.emit(hdr.added); pkt.emit(hdr.h); } }
V1Switch(P(), V(), I(), E(), C(), D()) main;
