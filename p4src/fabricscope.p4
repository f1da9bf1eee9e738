// The data plane of Fabricscope for v1model: it accounts for every frame that enters a port
// and routes IPv4 through a leaf-spine fabric. Read it as the list of stages in apply.

#include <core.p4>
#include <v1model.p4>

#include "sizes.p4"
#include "enums.p4"
#include "headers.p4"
#include "metadata.p4"
#include "parser.p4"
#include "checksum.p4"
#include "classify.p4"
#include "accounting.p4"
#include "flow_cache.p4"
#include "forwarding.p4"
#include "punt.p4"
#include "deparser.p4"

control FabricscopeIngress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard_metadata) {
    Classify() classify;
    Accounting() accounting;
    FlowCache() flow_cache;
    Forwarding() forwarding;
    Punt() punt;

    apply {
        if (hdr.packet_out.isValid() && hdr.packet_out.op == PacketOutOp.SEND) {
            // A frame of the controller's own is not traffic: it is neither counted nor routed.
            standard_metadata.egress_spec = (bit<9>)hdr.packet_out.egress_port;
        } else {
            if (!hdr.packet_out.isValid()) {
                classify.apply(hdr, meta, standard_metadata);
                accounting.apply(meta, standard_metadata);
                forwarding.apply(hdr, meta, standard_metadata);
            }
            if (hdr.packet_out.isValid() || meta.class == Class.FLOW) {
                flow_cache.apply(hdr, meta, standard_metadata);
            }
            punt.apply(hdr, meta, standard_metadata);
        }
        hdr.packet_out.setInvalid();
    }
}

control FabricscopeEgress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard_metadata) {
    apply { }
}

V1Switch(FabricscopeParser(),
         FabricscopeVerifyChecksum(),
         FabricscopeIngress(),
         FabricscopeEgress(),
         FabricscopeComputeChecksum(),
         FabricscopeDeparser()) main;
