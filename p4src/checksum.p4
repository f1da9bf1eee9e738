// A frame whose outer IPv4 header has a wrong checksum is not to be routed: Classify counts it
// as malformed and drops it. As receivers do, the sum is made over the checksum too, and right
// when nothing is missing: a checksum of 0xffff means what one of 0 does (RFC 1071, section 1).
// BMv2 compares with fields only, hence meta.zero.

#ifndef FABRICSCOPE_CHECKSUM_P4
#define FABRICSCOPE_CHECKSUM_P4

#include "headers.p4"
#include "metadata.p4"

control FabricscopeVerifyChecksum(inout headers_t hdr, inout metadata_t meta) {
    apply {
        verify_checksum(hdr.ipv4.isValid() && hdr.ipv4.ihl == 5,
            { hdr.ipv4.version, hdr.ipv4.ihl, hdr.ipv4.tos, hdr.ipv4.total_len,
              hdr.ipv4.identification, hdr.ipv4.flags, hdr.ipv4.frag_offset,
              hdr.ipv4.ttl, hdr.ipv4.protocol, hdr.ipv4.checksum, hdr.ipv4.src, hdr.ipv4.dst },
            meta.zero, HashAlgorithm.csum16);
        verify_checksum(hdr.ipv4.isValid() && hdr.ipv4_options.isValid(),
            { hdr.ipv4.version, hdr.ipv4.ihl, hdr.ipv4.tos, hdr.ipv4.total_len,
              hdr.ipv4.identification, hdr.ipv4.flags, hdr.ipv4.frag_offset,
              hdr.ipv4.ttl, hdr.ipv4.protocol, hdr.ipv4.checksum, hdr.ipv4.src, hdr.ipv4.dst,
              hdr.ipv4_options.options },
            meta.zero, HashAlgorithm.csum16);
    }
}

// Forwarding keeps the checksum right as it changes the TTL.
control FabricscopeComputeChecksum(inout headers_t hdr, inout metadata_t meta) {
    apply { }
}

#endif
