package track

import (
	"math"

	"github.com/fabricscope/fabricscope/controlplane/flow"
)

// ring are the newest snapshots of a hop, besides those that zeroTo and openFrom tell: only a
// flow that goes on for more than an epoch has them. Most do, so those before the newest are told
// by what they differ from it.
type ring struct {
	packets uint64 // of the newest
	to      uint32
	span    uint16
	kept    uint8
	older   [flow.KeptSnapshots - 1]olderSnapshot // newest first
}

// olderSnapshot is one before the newest.
type olderSnapshot struct {
	fewer   uint32 // packets than the newest
	earlier uint16 // epochs than the newest: both are the last of theirs
	span    uint16
}

// snapshots appends those that are kept, oldest first.
func (r *ring) snapshots(s flow.Snapshots) flow.Snapshots {
	for i := int(r.kept) - 2; i >= 0; i-- {
		o := &r.older[i]
		to := r.to - uint32(o.earlier)
		s = append(s, flow.Snapshot{From: to - uint32(o.span), To: to, Packets: r.packets - uint64(o.fewer)})
	}
	if r.kept > 0 {
		s = append(s, flow.Snapshot{From: r.to - uint32(r.span), To: r.to, Packets: r.packets})
	}
	return s
}

// keep adds a snapshot. Older ones that are too far from it are forgotten, and epochs that are too
// long ago.
func (r *ring) keep(s flow.Snapshot) {
	var memory [flow.KeptSnapshots]flow.Snapshot
	all := r.snapshots(memory[:0]).With(s)
	if len(all) == 0 {
		return // of no epoch at all
	}
	newest := all[len(all)-1]
	*r = ring{packets: newest.Packets, to: newest.To, span: span(newest), kept: 1}
	for i := len(all) - 2; i >= 0; i-- {
		fewer, earlier := newest.Packets-all[i].Packets, newest.To-all[i].To
		if fewer > math.MaxUint32 || earlier > math.MaxUint16 {
			return
		}
		r.older[r.kept-1] = olderSnapshot{fewer: uint32(fewer), earlier: uint16(earlier), span: span(all[i])}
		r.kept++
	}
}

// span is how many epochs a snapshot is of, besides the last, as far as they are kept.
func span(s flow.Snapshot) uint16 { return uint16(min(s.To-s.From, math.MaxUint16)) }
