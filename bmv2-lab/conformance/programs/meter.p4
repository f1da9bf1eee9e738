// Meters by index, of packets and of bytes: green, yellow, then red.
#include "frame.p4"

ONE_HEADER NO_METADATA PARSE_ONE
INGRESS {
    meter(4, MeterType.packets) packets;
    meter(4, MeterType.bytes) bytes;
    apply {
        sm.egress_spec = 2;
        packets.execute_meter((bit<32>)h.data.d, h.data.e);
        bytes.execute_meter((bit<32>)h.data.d, h.data.c);
    }
}
NO_VERIFY NO_EGRESS NO_UPDATE EMIT_ALL SWITCH
