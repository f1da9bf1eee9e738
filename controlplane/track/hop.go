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
	first, last  int64
	newPackets   uint32 // of counters, those that no record has; more of them are in joiner.wide
	newBytes     uint32
	lastSYN      after
	firstACK     after
	conversation uint32
	next         uint32 // hop of the conversation; 0 ends the list
	outer        uint32
	ring         uint32 // of snapshots; 0 if there was none yet
	zeroTo       uint32 // one more than the last epoch that began without a packet; 0 if that is not known
	openFrom     uint32 // one more than the first epoch that began after the last packet; 0 while more may come
	began        uint32 // first by the switch's clock, in microseconds
	synSeq       uint32 // of the SYN that lastSYN is of, or of those that it repeats
	slot         uint32 // of the newest generation
	batch        uint32 // that the rest of counters was published with
	place        uint16
	live         uint16 // generations that count it
	syns         uint8
	flags        uint8 // of TCP
	marks        uint8
	clockError   bound
}

// What hop.marks holds.
const (
	markReversed   = 1 << iota // it is of direction 1
	markIncomplete             // a report was lost
	markAgain                  // more than one generation has counted it
	markWide                   // there is more under the hop's number in joiner.wide
)

// advance takes what a report says that was just applied to the hop with number n.
func (j *joiner) advance(n uint32, h *hop, d *delta, c *clock) {
	first, last := c.nanos(d.first), c.nanos(d.last)
	h.counters.Add(d.add)
	j.unpublish(n, h, d.add)
	if h.first == 0 || first < h.first {
		j.beganAt(n, h, first, uint32(d.first))
	}
	h.last = max(h.last, last)
	h.clockError = boundOf(c.error(c.at(d.now)))
	h.flags |= d.half.TCPFlags
	if d.half.SYNs > 0 {
		h.syns, h.synSeq = max(h.syns, d.half.SYNs), d.half.SynSeq
		j.setLastSYN(n, h, h.at(d.half.LastSYN, c))
	}
	if d.half.FirstACK != 0 && h.firstACK == 0 {
		j.setFirstACK(n, h, h.at(d.half.FirstACK, c))
	}
}

// at gives our time for the switch's, of a packet of the hop. What is known of the switch's
// clock may be better than when its first packet came: the time between the two is the switch's.
func (h *hop) at(micros uint64, c *clock) int64 {
	t := c.nanos(micros)
	own := h.first + int64(uint32(micros)-h.began)*1000
	if apart := own - t; apart > -int64(time.Second) && apart < int64(time.Second) {
		return own
	}
	return t // more than an hour later, or the switch has started again
}

// moment gives a time of a hop, zero for none.
func moment(nanos int64) time.Time {
	if nanos == 0 {
		return time.Time{}
	}
	return time.Unix(0, nanos)
}
