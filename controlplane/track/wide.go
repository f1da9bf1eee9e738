package track

import (
	"math"

	"github.com/fabricscope/fabricscope/controlplane/flow"
)

// after is a time after the first packet of a hop: one more than the microseconds between, 0 for
// none.
type after uint32

// far is a time that is in joiner.wide: after 71 minutes, or before the first packet.
const far after = math.MaxUint32

// wide is what the fields of few hops are too narrow for.
type wide struct {
	unpublished       flow.Counters // besides the hop's own
	lastSYN, firstACK int64         // where the hop's own are far; nanoseconds since 1970
}

// besides gives what a hop has besides, made if there is nothing.
func (j *joiner) besides(n uint32, h *hop) *wide {
	if !h.is(markWide) {
		h.marks |= markWide
		j.wide[n] = &wide{}
	}
	return j.wide[n]
}

// narrow drops what a hop has besides.
func (j *joiner) narrow(n uint32, h *hop) {
	if h.is(markWide) {
		h.marks &^= markWide
		delete(j.wide, n)
	}
}

// unpublish adds to what a hop has counted and no record has.
func (j *joiner) unpublish(n uint32, h *hop, add flow.Counters) {
	add.Add(flow.Counters{Packets: uint64(h.newPackets), Bytes: uint64(h.newBytes)})
	if add.Packets > math.MaxUint32 || add.Bytes > math.MaxUint32 {
		j.besides(n, h).unpublished.Add(add)
		add = flow.Counters{}
	}
	h.newPackets, h.newBytes = uint32(add.Packets), uint32(add.Bytes)
}

// unpublished is what a hop has counted and no record has.
func (j *joiner) unpublished(n uint32, h *hop) flow.Counters {
	c := flow.Counters{Packets: uint64(h.newPackets), Bytes: uint64(h.newBytes)}
	if h.is(markWide) {
		c.Add(j.wide[n].unpublished)
	}
	return c
}

// published says that records have all that a hop has counted.
func (j *joiner) published(n uint32, h *hop) {
	h.newPackets, h.newBytes = 0, 0
	if h.is(markWide) {
		j.wide[n].unpublished = flow.Counters{}
	}
}

// after gives a time as a hop has it; not ok if it is far.
func (h *hop) after(t int64) (a after, ok bool) {
	if t == 0 {
		return 0, true
	}
	micros := (t - h.first) / 1000
	if t < h.first || micros >= int64(far)-1 {
		return far, false
	}
	return after(micros + 1), true
}

func (j *joiner) setLastSYN(n uint32, h *hop, t int64) {
	var ok bool
	if h.lastSYN, ok = h.after(t); !ok {
		j.besides(n, h).lastSYN = t
	}
}

func (j *joiner) setFirstACK(n uint32, h *hop, t int64) {
	var ok bool
	if h.firstACK, ok = h.after(t); !ok {
		j.besides(n, h).firstACK = t
	}
}

// handshake gives the times of the last SYN and the first ACK of a hop, 0 for none.
func (j *joiner) handshake(n uint32, h *hop) (lastSYN, firstACK int64) {
	var w wide
	if h.is(markWide) {
		w = *j.wide[n]
	}
	return h.lastSYN.of(h.first, w.lastSYN), h.firstACK.of(h.first, w.firstACK)
}

// of gives the time that a is, of a hop that began first.
func (a after) of(first, wide int64) int64 {
	switch a {
	case 0:
		return 0
	case far:
		return wide
	}
	return first + int64(a-1)*1000
}

// beganAt says when the first packet of a hop came, by our clock and by the switch's.
func (j *joiner) beganAt(n uint32, h *hop, first int64, micros uint32) {
	lastSYN, firstACK := j.handshake(n, h)
	h.first, h.began = first, micros
	j.setLastSYN(n, h, lastSYN)
	j.setFirstACK(n, h, firstACK)
}
