// Stage: send what is marked to the controller, and what the controller sends out of a port.

#ifndef FABRICSCOPE_PUNT_P4
#define FABRICSCOPE_PUNT_P4

#include "headers.p4"
#include "metadata.p4"

control Punt(inout headers_t hdr, in metadata_t meta, inout standard_metadata_t standard_metadata) {
    apply {
        if (meta.punt != PuntReason.NONE) {
            standard_metadata.egress_spec = CPU_PORT;
            hdr.packet_in.setValid();
            hdr.packet_in.reason = meta.punt;
            hdr.packet_in.ingress_port = (bit<16>)standard_metadata.ingress_port;
            hdr.packet_in.timestamp = standard_metadata.ingress_global_timestamp;
        }
    }
}

#endif
