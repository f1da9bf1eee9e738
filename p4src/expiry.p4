// Part of Forwarding: what is done with a packet whose TTL does not last for another hop (RFC 1812,
// section 5.3.1). It is counted and dropped; some go to the controller, which tells their senders.

#ifndef FABRICSCOPE_EXPIRY_P4
#define FABRICSCOPE_EXPIRY_P4

#include "headers.p4"
#include "metadata.p4"

// A port may have so many microseconds between two packets to the controller on average, and be
// ahead of that by so many: 1000 a second, 32 at once. A routing loop is not to keep it busy.
const bit<48> EXPIRED_EVERY = 1000;
const bit<48> EXPIRED_AHEAD = 31000;

control Expiry(inout metadata_t meta, inout standard_metadata_t standard_metadata) {
    // Index: ingress port.
    @id(0x12000003)
    counter(MAX_PORTS, CounterType.packets_and_bytes) ttl_expired;

    // When the next packet of the port to the controller would be due at the average rate
    // (the generic cell rate algorithm, ITU-T I.371).
    register<bit<48>>(MAX_PORTS) due;

    apply {
        bit<32> port = (bit<32>)standard_metadata.ingress_port;
        bit<48> now = standard_metadata.ingress_global_timestamp;
        bit<48> next;
        ttl_expired.count(port);
        due.read(next, port);
        if (next < now) {
            next = now;
        }
        if (next - now <= EXPIRED_AHEAD) {
            due.write(port, next + EXPIRED_EVERY);
            meta.punt = PuntReason.EXPIRED;
        } else {
            mark_to_drop(standard_metadata);
        }
    }
}

#endif
