package track

import (
	"encoding/binary"
	"net/netip"

	"github.com/fabricscope/fabricscope/controlplane/flow"
)

// Switches report a flow that goes on as it stood at the beginning of an epoch, and the epochs
// of a flow begin at the same moment of the fabric's time everywhere (p4src/flow_cache.p4). The
// fabric's time of a switch is its own plus an offset that the tracker sets.

// timeMask keeps times to the 48 bits that switches calculate with.
const timeMask = 1<<48 - 1

// epochs counts the epochs of one switch's flows.
type epochs struct {
	bits   uint   // an epoch is 2 to the power of this many microseconds
	offset uint64 // what the switch was told to add to its own time
	set    bool
}

// of gives the epoch of a moment, in the switch's microseconds, for a tuple.
func (e epochs) of(micros uint64, t flow.Tuple) uint32 {
	return uint32((e.offset + micros + e.phase(t)) & timeMask >> e.bits)
}

// phase is by how much the epochs of a tuple are ahead of others', in microseconds: it spreads
// the reports over an epoch.
func (e epochs) phase(t flow.Tuple) uint64 {
	ports := uint32(t.SrcPort)<<16 | uint32(t.DstPort)
	return uint64(ports>>(32-e.bits) ^ e.low(t.Src) ^ e.low(t.Dst))
}

// low gives the low bits of an address that count for the phase.
func (e epochs) low(a netip.Addr) uint32 {
	b := a.As16()
	return binary.BigEndian.Uint32(b[12:]) & (1<<e.bits - 1)
}

// record keeps in a hop what a delta tells of its past: what it had counted when an epoch
// began that began at the other switches of the fabric too.
func (j *joiner) record(e epochs, h *hop, d *delta) {
	if d.lost {
		j.incomplete(h)
	}
	if !e.set || h.is(markIncomplete) {
		return
	}
	if d.half == nil {
		h.openFrom = j.silentFrom(e, h)
		return
	}
	t := d.half.Key.Tuple
	switch {
	case d.ended:
		if h.live == 0 {
			h.openFrom = e.of(d.last, t) + 2
		}
	case d.began:
		before := h.counters.Packets - d.add.Packets
		to := e.of(d.first, t)
		if h.openFrom != 0 {
			j.keep(h, flow.Snapshot{From: h.openFrom - 1, To: to, Packets: before})
			h.openFrom = 0
		} else if before == 0 {
			h.zeroTo = to + 1
		}
	}
	// Until the switch has heard of the offset its epochs are not ours.
	if !d.active || h.openFrom != 0 {
		return
	}
	if to := e.of(d.now, t); uint16(to) == d.epoch {
		j.keep(h, flow.Snapshot{From: e.of(d.half.Last, t) + 1, To: to, Packets: h.counters.Packets - d.behind})
	}
}

// silentFrom is one more than the first epoch that is known to have begun after the last packet
// of a hop whose end was not reported; 0 while it goes on. The time of that packet is known by our
// clock, so it is the one after the next.
func (j *joiner) silentFrom(e epochs, h *hop) uint32 {
	if h.live > 0 {
		return 0
	}
	shared := j.conversations.at(h.conversation).shared.full()
	if h.is(markReversed) {
		shared.Src, shared.Dst, shared.SrcPort, shared.DstPort = shared.Dst, shared.Src, shared.DstPort, shared.SrcPort
	}
	fabric := uint64(h.last/1000) - e.offset // of asks for the switch's time
	return e.of(fabric, shared) + 3
}

// keep adds a snapshot to those of a hop.
func (j *joiner) keep(h *hop, s flow.Snapshot) {
	if s.To < h.zeroTo { // known to be 0 then
		return
	}
	if h.ring == 0 {
		h.ring = j.rings.add()
	}
	j.rings.at(h.ring).keep(s)
}

// incomplete marks a hop of which a report was lost: what it had counted when is not known.
func (j *joiner) incomplete(h *hop) {
	h.marks |= markIncomplete
	h.zeroTo, h.openFrom = 0, 0
	j.releaseRing(h)
}

func (j *joiner) releaseRing(h *hop) {
	if h.ring != 0 {
		j.rings.remove(h.ring)
		h.ring = 0
	}
}

// history appends the snapshots of a hop, oldest first.
func (j *joiner) history(h *hop, s flow.Snapshots) flow.Snapshots {
	if h.zeroTo != 0 {
		s = append(s, flow.Snapshot{To: h.zeroTo - 1})
	}
	if h.ring != 0 {
		s = j.rings.at(h.ring).snapshots(s)
	}
	if h.openFrom != 0 {
		s = append(s, flow.Snapshot{From: h.openFrom - 1, To: flow.OpenEpoch, Packets: h.counters.Packets})
	}
	return s
}
