// Checksums verified and updated, with a condition, and over the payload.
#include "frame.p4"

header sum_t { bit<4> x; bit<12> y; bit<16> sum; bit<32> z; bit<16> all; bit<16> pad; }
struct headers_t { data_t data; sum_t s; }
NO_METADATA

PARSER { state start { pkt.extract(h.data); pkt.extract(h.s); transition accept; } }
VERIFY {
    apply {
        verify_checksum(h.data.d[0:0] == 1, { h.s.x, h.s.y, h.s.z }, h.s.sum, HashAlgorithm.csum16);
        verify_checksum_with_payload(h.data.d[1:1] == 1, { h.s.x, h.s.y, h.s.z }, h.s.all, HashAlgorithm.csum16);
    }
}
INGRESS { apply { sm.egress_spec = 2; h.data.e = 7w0 ++ sm.checksum_error; h.data.f = h.data.f + 1; } }
UPDATE {
    apply {
        update_checksum(h.data.d[2:2] == 1, { h.s.x, h.s.y, h.s.z, h.data.f }, h.s.sum, HashAlgorithm.csum16);
        update_checksum_with_payload(h.data.d[3:3] == 1, { h.s.z, h.data.f }, h.s.all, HashAlgorithm.csum16);
    }
}
NO_EGRESS EMIT_ALL SWITCH
