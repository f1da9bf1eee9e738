// Hashes, checksums, registers of several widths, counters, digests, random, log_msg, exit.
#include <core.p4>
#include <v1model.p4>

header op_t { bit<8> op; bit<32> index; bit<64> value; }
header sum_t { bit<4> x; bit<12> y; bit<16> z; bit<16> sum; bit<16> data; }
struct headers_t { op_t op; sum_t s; }
struct meta_t { bit<600> wide; bit<128> half; bit<8> small; bit<3> odd; bit<64> hash; }
struct report_t { bit<8> op; bit<3> odd; bit<128> half; bit<64> value; }

parser P(packet_in pkt, out headers_t hdr, inout meta_t meta, inout standard_metadata_t std) {
    state start {
        pkt.extract(hdr.op);
        transition select(hdr.op.op) { 20 &&& 0xfc: sums; default: accept; }
    }
    state sums { pkt.extract(hdr.s); transition accept; }
}
control V(inout headers_t hdr, inout meta_t meta) {
    apply { verify_checksum(hdr.s.isValid(), { hdr.s.x, hdr.s.y, hdr.s.z, hdr.s.data }, hdr.s.sum, HashAlgorithm.csum16); }
}
control C(inout headers_t hdr, inout meta_t meta) {
    apply {
        update_checksum(hdr.op.op == 20, { hdr.s.x, hdr.s.y, hdr.s.z, hdr.s.data }, hdr.s.sum, HashAlgorithm.csum16);
        update_checksum_with_payload(hdr.op.op == 21, { hdr.s.x, hdr.s.y, hdr.s.z, hdr.s.data }, hdr.s.sum, HashAlgorithm.csum16);
    }
}
control I(inout headers_t hdr, inout meta_t meta, inout standard_metadata_t std) {
    register<bit<600>>(4) r600;
    register<bit<128>>(4) r128;
    register<bit<8>>(4) r8;
    counter(4, CounterType.packets_and_bytes) c;
    action drop_and_exit() { mark_to_drop(std); exit; }
    action log() { log_msg("op {} value {}", { hdr.op.op, hdr.op.value }); }
    action loop_back() {
        if (hdr.op.value > 5) { hdr.op.value = 5; } else { hdr.op.value = hdr.op.value |+| 0xfffffffffffffffe; }
    }
    apply {
        std.egress_spec = 1;
        if (hdr.op.op == 1) {
            meta.wide = (bit<600>)hdr.op.value << 250;
            meta.wide = meta.wide | 0x77;
            r600.write(hdr.op.index, meta.wide);
        } else if (hdr.op.op == 2) {
            r600.read(meta.wide, hdr.op.index);
            hdr.op.value = (bit<64>)meta.wide;
            meta.wide = meta.wide >> 250;
            hdr.op.value = hdr.op.value ^ (bit<64>)meta.wide;
        } else if (hdr.op.op == 3) {
            r128.write(hdr.op.index, hdr.op.value ++ ~hdr.op.value);
        } else if (hdr.op.op == 4) {
            r128.read(meta.half, hdr.op.index);
            hdr.op.value = meta.half[95:32];
        } else if (hdr.op.op == 5) {
            r8.read(meta.small, hdr.op.index);
            meta.small = meta.small + (bit<8>)hdr.op.value;
            r8.write(hdr.op.index, meta.small);
            hdr.op.value = (bit<64>)meta.small;
        } else if (hdr.op.op == 6) {
            c.count(hdr.op.index);
        } else if (hdr.op.op == 7) {
            meta.odd = (bit<3>)hdr.op.value;
            meta.half = 0x1_0000_0000_0000_0000;
            digest<report_t>(1, { hdr.op.op, meta.odd, meta.half, hdr.op.value });
        } else if (hdr.op.op == 8) {
            hash(meta.hash, HashAlgorithm.crc32, 32w0, { hdr.op.value, hdr.op.index[7:0] }, 64w0x100000000);
            hdr.op.value = meta.hash;
        } else if (hdr.op.op == 9) {
            hash(meta.hash, HashAlgorithm.crc16, 16w0, { hdr.op.value, hdr.op.index[7:0] }, 64w0x10000);
            hdr.op.value = meta.hash;
        } else if (hdr.op.op == 10) {
            hash(meta.hash, HashAlgorithm.identity, 64w5, { hdr.op.value }, 64w1000);
            hdr.op.value = meta.hash;
        } else if (hdr.op.op == 11) {
            hash(meta.hash, HashAlgorithm.xor16, 16w0, { hdr.op.value, hdr.s.data }, 64w0x10000);
            hdr.op.value = meta.hash;
        } else if (hdr.op.op == 12) {
            drop_and_exit();
            hdr.op.value = 1;
        } else if (hdr.op.op == 13) {
            log();
        } else if (hdr.op.op == 14) {
            random(hdr.op.value, 64w10, 64w12);
        } else if (hdr.op.op == 15) {
            loop_back();
        } else if (hdr.op.op == 16) {
            truncate(5);
        } else if (hdr.op.op == 17) {
            hdr.op.value = (bit<64>)std.packet_length;
        } else if (hdr.s.isValid()) {
            hdr.op.value = (bit<64>)std.checksum_error;
        }
    }
}
control E(inout headers_t hdr, inout meta_t meta, inout standard_metadata_t std) { apply {} }
control D(packet_out pkt, in headers_t hdr) { apply { pkt.emit(hdr.op); pkt.emit(hdr.s); } }
V1Switch(P(), V(), I(), E(), C(), D()) main;
