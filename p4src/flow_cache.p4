// Stage: the exact two-way flow cache. Every FLOW frame is added to exactly one slot; a slot
// that another flow needs is reported before it is overwritten, and one digest carries the
// report of the old flow together with the new one. Reports say what the slot's generation
// has counted since it began, so the newest replaces the one before.
//
// A flow that goes on reports what it had counted when the epoch began. Epochs begin at one
// moment of the fabric's time in every switch, another for each flow: so the counters of a
// flow at two switches can be compared while it runs, and the reports do not come all at once.
//
// The registers are as narrow as their fields: a single wide one would have to be taken
// apart by shifts over its full width in every packet.

#ifndef FABRICSCOPE_FLOW_CACHE_P4
#define FABRICSCOPE_FLOW_CACHE_P4

#include "headers.p4"
#include "metadata.p4"

#define FLOW_SLOTS (2 * FLOW_SLOTS_PER_WAY)

// What flow_state_t.marks holds.
const bit<8> MARK_ENDED = 0x01;  // TCP_END was reported
const bit<8> MARK_ACKED = 0x02;  // ack_first is set

struct flow_state_t {
    bit<16> generation;
    bit<64> packets;      // 0: the slot is empty
    bit<64> bytes;
    bit<48> first;
    bit<48> last;
    bit<16> epoch;        // of the last report
    bit<8>  tcp_flags;
    bit<32> syn_seq;      // of the first SYN
    bit<8>  syns;         // packets with SYN, 255 for more
    bit<48> syn_last;
    bit<48> ack_first;    // the first packet with ACK and neither SYN nor RST
    bit<8>  marks;
}

// Old half: the slot that is reported, before this packet (NEW: without meaning).
// New half: the flow of this packet, which took the slot with NEW and EVICT.
struct flow_digest_t {
    bit<8>   cause;       // Cause
    bit<32>  slot;
    bit<16>  generation;  // of the old half; NEW: of the new one
    bit<48>  now;
    bit<16>  epoch;       // of now
    bit<64>  old_keymeta;
    bit<128> old_outer_src;
    bit<128> old_outer_dst;
    bit<128> old_src;
    bit<128> old_dst;
    bit<32>  old_ports;
    bit<64>  old_packets;
    bit<64>  old_bytes;
    bit<48>  old_first;
    bit<48>  old_last;
    bit<8>   old_tcp_flags;
    bit<32>  old_syn_seq;
    bit<8>   old_syns;
    bit<48>  old_syn_last;
    bit<48>  old_ack_first;
    bit<64>  new_keymeta;
    bit<128> new_outer_src;
    bit<128> new_outer_dst;
    bit<128> new_src;
    bit<128> new_dst;
    bit<32>  new_ports;
    bit<32>  new_bytes;
    bit<8>   new_tcp_flags;
    bit<32>  new_tcp_seq;
}

control FlowCache(inout headers_t hdr, inout metadata_t meta, in standard_metadata_t standard_metadata) {
    register<bit<64>>(FLOW_SLOTS)  key_meta;
    register<bit<128>>(FLOW_SLOTS) key_outer_src;
    register<bit<128>>(FLOW_SLOTS) key_outer_dst;
    register<bit<128>>(FLOW_SLOTS) key_src;
    register<bit<128>>(FLOW_SLOTS) key_dst;
    register<bit<32>>(FLOW_SLOTS)  key_ports;
    register<bit<16>>(FLOW_SLOTS)  slot_generation;
    register<bit<64>>(FLOW_SLOTS)  slot_packets;
    register<bit<64>>(FLOW_SLOTS)  slot_bytes;
    register<bit<48>>(FLOW_SLOTS)  slot_first;
    register<bit<48>>(FLOW_SLOTS)  slot_last;
    register<bit<16>>(FLOW_SLOTS)  slot_epoch;
    register<bit<8>>(FLOW_SLOTS)   slot_tcp_flags;
    register<bit<32>>(FLOW_SLOTS)  slot_syn_seq;
    register<bit<8>>(FLOW_SLOTS)   slot_syns;
    register<bit<48>>(FLOW_SLOTS)  slot_syn_last;
    register<bit<48>>(FLOW_SLOTS)  slot_ack_first;
    register<bit<8>>(FLOW_SLOTS)   slot_marks;

    // What makes the fabric's time of this switch's; the controller sets it (SET_CLOCK).
    register<bit<48>>(1) clock_offset;

    // Names what the registers hold, from one zeroing to the next: 0 until a controller that finds
    // them without a name gives them one (SET_INCARNATION). Counters that are seen again under
    // another name have begun anew, whatever their values are.
    register<bit<64>>(1) incarnation;

    flow_key_t   old_key;
    flow_state_t state;
    bit<32>      slot = 0;
    bit<48>      now = standard_metadata.ingress_global_timestamp;
    bit<16>      epoch = 0;
    Cause        cause = Cause.NONE;

    action read_key(in bit<32> index) {
        slot_packets.read(state.packets, index);
        key_meta.read(old_key.keymeta, index);
        key_outer_src.read(old_key.outer_src, index);
        key_outer_dst.read(old_key.outer_dst, index);
        key_src.read(old_key.src, index);
        key_dst.read(old_key.dst, index);
        key_ports.read(old_key.ports, index);
    }

    // What every packet of a flow needs of its slot, besides the key.
    action read_state() {
        slot_bytes.read(state.bytes, slot);
        slot_epoch.read(state.epoch, slot);
        slot_tcp_flags.read(state.tcp_flags, slot);
        slot_marks.read(state.marks, slot);
    }

    // The rest, which only reports need.
    action read_rest() {
        slot_generation.read(state.generation, slot);
        slot_first.read(state.first, slot);
        slot_last.read(state.last, slot);
        slot_syn_seq.read(state.syn_seq, slot);
        slot_syns.read(state.syns, slot);
        slot_syn_last.read(state.syn_last, slot);
        slot_ack_first.read(state.ack_first, slot);
    }

    action write_new_key() {
        key_meta.write(slot, meta.key.keymeta);
        key_outer_src.write(slot, meta.key.outer_src);
        key_outer_dst.write(slot, meta.key.outer_dst);
        key_src.write(slot, meta.key.src);
        key_dst.write(slot, meta.key.dst);
        key_ports.write(slot, meta.key.ports);
    }

    action write_new_state(in bit<16> generation) {
        slot_generation.write(slot, generation);
        slot_packets.write(slot, 1);
        slot_bytes.write(slot, (bit<64>)standard_metadata.packet_length);
        slot_first.write(slot, now);
        slot_last.write(slot, now);
        slot_epoch.write(slot, epoch);
        slot_tcp_flags.write(slot, meta.tcp_flags);
        slot_syn_seq.write(slot, 0);
        slot_syns.write(slot, 0);
        slot_ack_first.write(slot, 0);
        slot_marks.write(slot, 0);
    }

    action add_packet() {
        slot_packets.write(slot, state.packets + 1);
        slot_bytes.write(slot, state.bytes + (bit<64>)standard_metadata.packet_length);
        slot_last.write(slot, now);
        slot_tcp_flags.write(slot, state.tcp_flags | meta.tcp_flags);
    }

    action mark(in bit<8> what) {
        state.marks = state.marks | what;
        slot_marks.write(slot, state.marks);
    }

    action add_syn() {
        bit<8> syns;
        slot_syns.read(syns, slot);
        if (syns == 0) {
            slot_syn_seq.write(slot, meta.tcp_seq);
        }
        slot_syns.write(slot, syns |+| 1);
        slot_syn_last.write(slot, now);
    }

    // The answer to a read-out is a frame of its own behind the packet-in header.
    action report(in Cause why) {
        hdr.slot_report.setValid();
        hdr.slot_report.slot = slot;
        hdr.slot_report.generation = state.generation;
        hdr.slot_report.cause = why;
        hdr.slot_report.tcp_flags = state.tcp_flags;
        hdr.slot_report.keymeta = old_key.keymeta;
        hdr.slot_report.outer_src = old_key.outer_src;
        hdr.slot_report.outer_dst = old_key.outer_dst;
        hdr.slot_report.src = old_key.src;
        hdr.slot_report.dst = old_key.dst;
        hdr.slot_report.ports = old_key.ports;
        hdr.slot_report.packets = state.packets;
        hdr.slot_report.bytes = state.bytes;
        hdr.slot_report.first = state.first;
        hdr.slot_report.last = state.last;
        hdr.slot_report.syn_seq = state.syn_seq;
        hdr.slot_report.syns = state.syns;
        hdr.slot_report.syn_last = state.syn_last;
        hdr.slot_report.ack_first = state.ack_first;
        incarnation.read(hdr.slot_report.incarnation, 0);
        meta.punt = PuntReason.SLOT;
    }

    apply {
        @atomic {
            if (hdr.packet_out.isValid() && hdr.packet_out.op == PacketOutOp.SET_CLOCK) {
                clock_offset.write(0, hdr.packet_out.clock_offset);
            } else if (hdr.packet_out.isValid() && hdr.packet_out.op == PacketOutOp.SET_INCARNATION) {
                bit<64> name;
                incarnation.read(name, 0);
                if (name == 0) {
                    incarnation.write(0, hdr.packet_out.incarnation);
                }
            } else if (hdr.packet_out.isValid()) {
                slot = hdr.packet_out.slot;
                read_key(slot);
                read_state();
                read_rest();
                // Only what the controller says that it knows is given up: the answer may get lost.
                if (hdr.packet_out.op == PacketOutOp.EVICT_IF_IDLE && state.packets != 0 &&
                    state.generation == hdr.packet_out.generation && state.packets == hdr.packet_out.packets &&
                    now - state.last >= (bit<48>)hdr.packet_out.idle_us) {
                    slot_packets.write(slot, 0);
                    report(Cause.FREED);
                } else {
                    report(Cause.READ);
                }
            } else {
                bit<64> packets0;
                bit<32> index0;
                bit<16> index1;
                bit<1> hit = 0;

                // The fabric's time of this packet, shifted by what all switches know of its flow.
                bit<48> shared;
                clock_offset.read(shared, 0);
                shared = shared + now + (bit<48>)(meta.key.ports[31:32 - FLOW_EPOCH_BITS] ^
                    meta.key.src[FLOW_EPOCH_BITS - 1:0] ^ meta.key.dst[FLOW_EPOCH_BITS - 1:0]);
                epoch = (bit<16>)(shared >> FLOW_EPOCH_BITS);

                hash(index0, HashAlgorithm.crc32, 32w0,
                    { meta.key.keymeta, meta.key.outer_src, meta.key.outer_dst,
                      meta.key.src, meta.key.dst, meta.key.ports },
                    (bit<32>)FLOW_SLOTS_PER_WAY);
                slot = index0;
                read_key(slot);
                if (state.packets != 0 && old_key == meta.key) {
                    hit = 1;
                } else {
                    packets0 = state.packets;
                    hash(index1, HashAlgorithm.crc16, 16w0,
                        { meta.key.keymeta, meta.key.outer_src, meta.key.outer_dst,
                          meta.key.src, meta.key.dst, meta.key.ports },
                        (bit<32>)FLOW_SLOTS_PER_WAY);
                    slot = (bit<32>)index1 + FLOW_SLOTS_PER_WAY;
                    read_key(slot);
                    if (state.packets != 0 && old_key == meta.key) {
                        hit = 1;
                    } else {
                        // An empty way, else the one that has been silent for longer.
                        bit<48> last0;
                        bit<48> last1;
                        slot_last.read(last0, index0);
                        slot_last.read(last1, slot);
                        if (packets0 == 0 || (state.packets != 0 && last0 < last1)) {
                            slot = index0;
                            read_key(slot);
                        }
                    }
                }

                read_state();
                if (hit == 1) {
                    if (meta.tcp_flags & (TCP_FIN | TCP_RST) != 0 && state.marks & MARK_ENDED == 0) {
                        cause = Cause.TCP_END;
                        mark(MARK_ENDED);
                    } else if (epoch != state.epoch) {
                        cause = Cause.ACTIVE;
                    }
                } else {
                    cause = state.packets == 0 ? Cause.NEW : Cause.EVICT;
                    state.marks = 0;
                }

                if (cause != Cause.NONE) {
                    read_rest();
                    if (hit == 0) {
                        write_new_key();
                        write_new_state(state.generation + 1);
                        if (cause == Cause.NEW) {
                            state.generation = state.generation + 1;
                        }
                    } else {
                        slot_epoch.write(slot, epoch);
                    }
                    digest<flow_digest_t>(1, {
                        (bit<8>)cause, slot, state.generation, now, epoch,
                        old_key.keymeta, old_key.outer_src, old_key.outer_dst,
                        old_key.src, old_key.dst, old_key.ports,
                        state.packets, state.bytes, state.first, state.last,
                        state.tcp_flags, state.syn_seq, state.syns, state.syn_last, state.ack_first,
                        meta.key.keymeta, meta.key.outer_src, meta.key.outer_dst,
                        meta.key.src, meta.key.dst, meta.key.ports,
                        standard_metadata.packet_length, meta.tcp_flags, meta.tcp_seq
                    });
                }
                if (hit == 1) {
                    add_packet();
                }

                if (meta.tcp_flags & TCP_SYN != 0) {
                    add_syn();
                } else if (meta.tcp_flags & (TCP_ACK | TCP_RST) == TCP_ACK && state.marks & MARK_ACKED == 0) {
                    slot_ack_first.write(slot, now);
                    mark(MARK_ACKED);
                }
            }
        }
    }
}

#endif
