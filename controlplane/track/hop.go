package track

import (
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
)

// hop is a flow.Hop in the making: one direction of one conversation as it enters at one port in
// one overlay. There is one for every live flow, so it is small and has no pointers. Times are
// nanoseconds since 1970, by our clock; 0 is none.
type hop struct {
	counters     flow.Counters
	unpublished  flow.Counters // of counters
	first, last  int64
	lastSYN      int64
	firstACK     int64
	conversation uint32
	next         uint32 // hop of the conversation; 0 ends the list
	outer        uint32
	ring         uint32 // of snapshots; 0 if there was none yet
	zeroTo       uint32 // one more than the last epoch that began without a packet; 0 if that is not known
	openFrom     uint32 // one more than the first epoch that began after the last packet; 0 while more may come
	clockError   uint32 // microseconds
	began        uint32 // first by the switch's clock, in microseconds
	synSeq       uint32 // of the SYN that lastSYN is of, or of those that it repeats
	slot         uint32 // of the newest generation
	batch        uint32 // that the rest of counters was published with
	place        uint16
	live         uint16 // generations that count it
	syns         uint8
	flags        uint8 // of TCP
	kept         uint8 // snapshots in the ring
	marks        uint8
}

// What hop.marks holds.
const (
	markReversed   = 1 << iota // it is of direction 1
	markIncomplete             // a report was lost
	markAgain                  // more than one generation has counted it
)

// ring are the newest snapshots of a hop, besides those that zeroTo and openFrom tell: only a
// flow that goes on for more than an epoch has them.
type ring [flow.KeptSnapshots]flow.Snapshot

// add takes what a report says that was just applied.
func (h *hop) add(d *delta, c *clock) {
	first, last := c.nanos(d.first), c.nanos(d.last)
	h.counters.Add(d.add)
	h.unpublished.Add(d.add)
	if h.first == 0 || first < h.first {
		h.first, h.began = first, uint32(d.first)
	}
	h.last = max(h.last, last)
	h.clockError = uint32(min(c.error(c.at(d.now))/time.Microsecond, 1<<32-1))
	h.flags |= d.half.TCPFlags
	if d.half.SYNs > 0 {
		h.syns, h.lastSYN, h.synSeq = max(h.syns, d.half.SYNs), c.nanos(d.half.LastSYN), d.half.SynSeq
	}
	if d.half.FirstACK != 0 && h.firstACK == 0 {
		h.firstACK = c.nanos(d.half.FirstACK)
	}
}

// moment gives a time of a hop, zero for none.
func moment(nanos int64) time.Time {
	if nanos == 0 {
		return time.Time{}
	}
	return time.Unix(0, nanos)
}
