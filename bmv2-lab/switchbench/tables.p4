// One table of each kind of match, with room for many entries. The frame says which one it is
// looked up in.
#include <core.p4>
#include <v1model.p4>

const bit<32> TABLE_SIZE = 1 << 17;

header ethernet_t { bit<48> dst; bit<48> src; bit<16> type; }
header ipv4_t {
    bit<8> version_ihl; bit<8> table_number; bit<16> length; bit<32> fragment;
    bit<8> ttl; bit<8> protocol; bit<16> checksum; bit<32> src; bit<32> dst;
}
header udp_t { bit<16> src; bit<16> dst; bit<32> rest; }
struct headers_t { ethernet_t ethernet; ipv4_t ipv4; udp_t udp; }
struct meta_t { }

parser Parse(packet_in pkt, out headers_t hdr, inout meta_t meta, inout standard_metadata_t std) {
    state start {
        pkt.extract(hdr.ethernet);
        pkt.extract(hdr.ipv4);
        pkt.extract(hdr.udp);
        transition accept;
    }
}
control Verify(inout headers_t hdr, inout meta_t meta) { apply {} }
control Compute(inout headers_t hdr, inout meta_t meta) { apply {} }

control Pick(inout headers_t hdr, inout meta_t meta, inout standard_metadata_t std) {
    action forward(bit<9> port, bit<48> next) {
        std.egress_spec = port;
        hdr.ethernet.dst = next;
    }
    action drop() { mark_to_drop(std); }

    table exact_table {
        key = { hdr.ethernet.dst : exact @name("dst"); }
        actions = { forward; drop; }
        default_action = drop();
        size = TABLE_SIZE;
    }
    table lpm_table {
        key = { hdr.ipv4.dst : lpm @name("dst"); }
        actions = { forward; drop; }
        default_action = drop();
        size = TABLE_SIZE;
    }
    table ternary_table {
        key = { hdr.ipv4.src : ternary @name("src"); hdr.ipv4.dst : ternary @name("dst"); }
        actions = { forward; drop; }
        default_action = drop();
        size = TABLE_SIZE;
    }
    table range_table {
        key = { hdr.udp.dst : range @name("port"); hdr.ipv4.protocol : optional @name("protocol"); }
        actions = { forward; drop; }
        default_action = drop();
        size = TABLE_SIZE;
    }

    apply {
        if (hdr.ipv4.table_number == 1) {
            exact_table.apply();
        } else if (hdr.ipv4.table_number == 2) {
            lpm_table.apply();
        } else if (hdr.ipv4.table_number == 3) {
            ternary_table.apply();
        } else {
            range_table.apply();
        }
    }
}
control Leave(inout headers_t hdr, inout meta_t meta, inout standard_metadata_t std) { apply {} }
control Deparse(packet_out pkt, in headers_t hdr) {
    apply { pkt.emit(hdr.ethernet); pkt.emit(hdr.ipv4); pkt.emit(hdr.udp); }
}
V1Switch(Parse(), Verify(), Pick(), Leave(), Compute(), Deparse()) main;
