// Stage: count every frame at its port, and those outside the flow cache in their class.

#ifndef FABRICSCOPE_ACCOUNTING_P4
#define FABRICSCOPE_ACCOUNTING_P4

#include "metadata.p4"

control Accounting(in metadata_t meta, in standard_metadata_t standard_metadata) {
    // Index: ingress port.
    @id(0x12000001)
    counter(MAX_PORTS, CounterType.packets_and_bytes) port_rx;

    // Index: ingress port * CLASSES_PER_PORT + Class.
    @id(0x12000002)
    counter(MAX_PORTS * CLASSES_PER_PORT, CounterType.packets_and_bytes) class_rx;

    apply {
        port_rx.count((bit<32>)standard_metadata.ingress_port);
        if (meta.class != Class.FLOW) {
            class_rx.count((bit<32>)standard_metadata.ingress_port * CLASSES_PER_PORT + (bit<32>)(bit<8>)meta.class);
        }
    }
}

#endif
