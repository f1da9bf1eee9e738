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
func (e epochs) record(h *flow.Hop, d *delta) {
	if d.lost {
		h.Incomplete, h.Snapshots = true, nil
	}
	if !e.set || h.Incomplete {
		return
	}
	t := d.key.Tuple
	switch {
	case d.ended:
		h.Snapshots = h.Snapshots.With(flow.Snapshot{From: e.of(d.last, t) + 1, To: flow.OpenEpoch, Counters: h.Counters})
	case d.began:
		before := h.Counters.Sub(d.add)
		if n := len(h.Snapshots); n > 0 && h.Snapshots[n-1].To == flow.OpenEpoch {
			h.Snapshots[n-1].To = e.of(d.first, t)
		} else if before.Packets == 0 {
			h.Snapshots = h.Snapshots.With(flow.Snapshot{To: e.of(d.first, t)})
		}
	}
	// Until the switch has heard of the offset its epochs are not ours.
	if to := e.of(d.now, t); d.active && uint16(to) == d.epoch {
		h.Snapshots = h.Snapshots.With(flow.Snapshot{From: e.of(d.half.Last, t) + 1, To: to, Counters: h.Counters.Sub(d.behind)})
	}
}
