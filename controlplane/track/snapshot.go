package track

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"slices"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
)

// firstEphemeralPort is where dynamic ports begin on Linux (ip_local_port_range).
const firstEphemeralPort = 32768

// snapshot gives a conversation as it stands.
func (j *joiner) snapshot(c *conversation) flow.Conversation {
	t := c.shared.full()
	sides, flags := j.sides(c)
	out := flow.Conversation{ID: hex.EncodeToString(binary.BigEndian.AppendUint64(nil, c.id)), Last: moment(j.last(c))}
	for i := range sides {
		for k := range sides[i] {
			if first := sides[i][k].First; out.First.IsZero() || first.Before(out.First) {
				out.First = first
			}
		}
	}
	if swapped(t, sides[0], sides[1]) {
		slices.Reverse(sides[:])
		slices.Reverse(flags[:])
		t.Src, t.Dst, t.SrcPort, t.DstPort = t.Dst, t.Src, t.DstPort, t.SrcPort
	}
	out.Protocol, out.Client.Address, out.Server.Address = t.Protocol, t.Src, t.Dst
	out.ForwardHops, out.ReverseHops = sides[0], sides[1]
	out.ForwardFlags, out.ReverseFlags = flags[0], flags[1]
	out.Unsure = j.missedLast >= out.First.UnixNano()
	out.Handshake = shaken(&out, c.live == 0)
	switch t.Protocol {
	case flow.ICMP, flow.ICMPv6:
		out.ICMPType, out.Client.Port = t.SrcPort, t.DstPort
	case flow.ARP:
	default:
		out.Client.Port, out.Server.Port = t.SrcPort, t.DstPort
	}
	return out
}

// sides gives the hops of both directions, each by the time they first counted, and all TCP flags.
func (j *joiner) sides(c *conversation) (sides [2][]flow.Hop, flags [2]uint8) {
	var count [2]int
	snapshots, first := 0, int64(math.MaxInt64)
	for n := c.hops; n != 0; n = j.hops.at(n).next {
		h := j.hops.at(n)
		first = min(first, h.first)
		side := h.marks & markReversed
		count[side]++
		flags[side] |= h.flags
		snapshots += 2
		if h.ring != 0 {
			snapshots += flow.KeptSnapshots
		}
	}
	hops, memory := make([]flow.Hop, count[0]+count[1]), make(flow.Snapshots, 0, snapshots)
	sides = [2][]flow.Hop{hops[:0:count[0]], hops[count[0]:count[0]]}
	for n := c.hops; n != 0; n = j.hops.at(n).next {
		h := j.hops.at(n)
		side := &sides[h.marks&markReversed]
		*side = append(*side, flow.Hop{})
		memory = j.describe(n, &(*side)[len(*side)-1], memory)
		(*side)[len(*side)-1].Unsure = j.unsure(h, first)
	}
	for _, s := range sides {
		slices.SortFunc(s, func(a, b flow.Hop) int { return a.First.Compare(b.First) })
	}
	return sides, flags
}

// describe fills in a hop, with its snapshots behind those in memory.
func (j *joiner) describe(n uint32, out *flow.Hop, memory flow.Snapshots) flow.Snapshots {
	h := j.hops.at(n)
	p := &j.places.list[h.place]
	lastSYN, firstACK := j.handshake(n, h)
	*out = flow.Hop{Switch: p.sw, Port: p.port, Number: p.number, Outer: j.outers.at(h.outer),
		Counters: h.counters, First: moment(h.first), Began: h.began, Last: moment(h.last),
		Flags: h.flags, SYNs: h.syns, SynSeq: h.synSeq, LastSYN: moment(lastSYN), FirstACK: moment(firstACK),
		Incomplete: h.is(markIncomplete), Whole: h.live == 1 && !h.is(markAgain), Again: h.is(markAgain), ClockError: h.clockError.duration()}
	// A flow is in one slot of a switch at a time: the newest.
	if g := p.account.ledger.newest(h.slot); h.live > 0 && g != nil && g.flow == n {
		out.Live = &flow.LiveSlot{Slot: h.slot, Generation: g.number, Counters: g.known}
	}
	begin := len(memory)
	memory = j.history(h, memory)
	if all := memory[begin:]; len(all) > 0 {
		out.Snapshots = all[max(0, len(all)-flow.KeptSnapshots):len(all):len(all)]
	}
	return memory
}

// swapped says that direction 1 runs from client to server. The side that sent the first SYN is
// the client; without one, a port below the ephemeral range tells the server, or else the side
// that spoke first is the client.
func swapped(t flow.Tuple, a, b []flow.Hop) bool {
	if t.Protocol == flow.ICMP || t.Protocol == flow.ICMPv6 || t.Protocol == flow.ARP {
		return false
	}
	if x, y := synced(a), synced(b); x != y {
		return y
	} else if x {
		return before(b, a)
	}
	srcLow, dstLow := t.SrcPort < firstEphemeralPort, t.DstPort < firstEphemeralPort
	if srcLow != dstLow {
		return srcLow
	}
	return before(b, a)
}

// synced says that a SYN of this side was seen.
func synced(side []flow.Hop) bool {
	for i := range side {
		if side[i].SYNs > 0 {
			return true
		}
	}
	return false
}

// before says that side a spoke before b: at a switch that saw both, if there is one, because
// the times of two switches are not exact enough. Both are sorted.
func before(a, b []flow.Hop) bool {
	for i := range a {
		for k := range b {
			if a[i].Switch == b[k].Switch {
				return earlier(&a[i], &b[k])
			}
		}
	}
	return len(b) == 0 || len(a) > 0 && a[0].First.Before(b[0].First)
}

// earlier says which of two hops of a switch began first. Their times by our clock were told by what
// was known of the switch's clock at two moments, which may differ by more than a round trip.
func earlier(a, b *flow.Hop) bool {
	if apart := a.First.Sub(b.First); apart.Abs() > time.Minute {
		return apart < 0
	}
	return int32(a.Began-b.Began) < 0
}

// conversationID names a conversation by its tuple and the moment it began.
func conversationID(t flow.Tuple, first time.Time) uint64 {
	var b [46]byte
	src, dst := t.Src.As16(), t.Dst.As16()
	copy(b[0:], src[:])
	copy(b[16:], dst[:])
	binary.BigEndian.PutUint16(b[32:], uint16(t.Protocol))
	binary.BigEndian.PutUint16(b[34:], t.SrcPort)
	binary.BigEndian.PutUint16(b[36:], t.DstPort)
	binary.BigEndian.PutUint64(b[38:], uint64(first.UnixNano()))
	sum := sha256.Sum256(b[:])
	return binary.BigEndian.Uint64(sum[:])
}
