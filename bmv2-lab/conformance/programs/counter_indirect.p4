// Counters by index, of packets, bytes and both.
#include "frame.p4"

ONE_HEADER NO_METADATA PARSE_ONE

INGRESS {
    counter(4, CounterType.packets_and_bytes) both;
    counter(4, CounterType.packets) packets;
    counter(4, CounterType.bytes) bytes;
    apply {
        sm.egress_spec = 2;
        both.count((bit<32>)h.data.d);
        packets.count((bit<32>)h.data.d);
        bytes.count((bit<32>)h.data.d);
        if (h.data.e == 1) { both.count((bit<32>)h.data.d); }
    }
}
NO_VERIFY NO_EGRESS NO_UPDATE EMIT_ALL SWITCH
