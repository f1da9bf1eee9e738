package track

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
)

// firstEphemeralPort is where dynamic ports begin on Linux (ip_local_port_range).
const firstEphemeralPort = 32768

// joiner holds the conversations of the fabric. It has one owner.
type joiner struct {
	conversations map[flow.Tuple]*conversation
	changed       map[*conversation]struct{}
}

// conversation is one flow.Conversation in the making. Direction 0 is the shared tuple's.
type conversation struct {
	id     string
	shared flow.Tuple
	sides  [2]side
	live   int // generations that still count
	first  time.Time
	last   time.Time
}

type side struct {
	hops  map[hopKey]*flow.Hop
	flags uint8
	first time.Time
}

type hopKey struct {
	sw    string
	port  uint32
	outer flow.Outer
}

func newJoiner() *joiner {
	return &joiner{conversations: map[flow.Tuple]*conversation{}, changed: map[*conversation]struct{}{}}
}

// add takes what the ledger of an account learned.
func (j *joiner) add(a *account, d delta, portName func(string, uint32) string) {
	shared, reversed := pair(d.key.Tuple)
	c := j.conversations[shared]
	if c == nil {
		if d.ended {
			return
		}
		first := a.clock.at(d.first)
		c = &conversation{shared: shared, first: first}
		c.id = conversationID(shared, first)
		j.conversations[shared] = c
	}
	s := &c.sides[0]
	if reversed {
		s = &c.sides[1]
	}
	k := hopKey{a.name, d.key.IngressPort, d.key.Outer}
	j.changed[c] = struct{}{}
	switch {
	case d.ended:
		c.live--
		if h := s.hops[k]; h != nil {
			a.epochs.record(h, &d)
		}
		return
	case d.began:
		c.live++
	}
	first, last := a.clock.at(d.first), a.clock.at(d.last)
	h := s.hop(k, first, portName)
	h.Counters.Add(d.add)
	if first.Before(h.First) {
		h.First = first
	}
	if last.After(h.Last) {
		h.Last = last
	}
	h.ClockError = a.clock.bound
	handshake(h, d.half, &a.clock)
	a.epochs.record(h, &d)
	s.flags |= d.half.TCPFlags
	if s.first.IsZero() || first.Before(s.first) {
		s.first = first
	}
	if first.Before(c.first) {
		c.first = first
	}
	if last.After(c.last) {
		c.last = last
	}
}

// hop gives the hop of a port, made if there is none yet.
func (s *side) hop(k hopKey, first time.Time, portName func(string, uint32) string) *flow.Hop {
	if s.hops == nil {
		s.hops = map[hopKey]*flow.Hop{}
	}
	h := s.hops[k]
	if h == nil {
		h = &flow.Hop{Switch: k.sw, Port: portName(k.sw, k.port), Number: k.port, Outer: k.outer, First: first}
		s.hops[k] = h
	}
	return h
}

// handshake keeps in a hop what a report says of TCP's handshake.
func handshake(h *flow.Hop, r *Half, c *clock) {
	if r.SYNs > 0 {
		h.SYNs, h.LastSYN = max(h.SYNs, r.SYNs), c.at(r.LastSYN)
	}
	if r.FirstACK != 0 && h.FirstACK.IsZero() {
		h.FirstACK = c.at(r.FirstACK)
	}
}

// take gives the conversations that changed since the last call.
func (j *joiner) take() []flow.Conversation {
	out := make([]flow.Conversation, 0, len(j.changed))
	for c := range j.changed {
		out = append(out, c.snapshot())
	}
	clear(j.changed)
	return out
}

// forget drops conversations that no slot counts any more and that were silent since before.
func (j *joiner) forget(before time.Time) {
	for k, c := range j.conversations {
		if _, changed := j.changed[c]; !changed && c.live <= 0 && c.last.Before(before) {
			delete(j.conversations, k)
		}
	}
}

func (c *conversation) snapshot() flow.Conversation {
	forward, reverse := &c.sides[0], &c.sides[1]
	t := c.shared
	if c.swapped() {
		forward, reverse = reverse, forward
		t.Src, t.Dst, t.SrcPort, t.DstPort = t.Dst, t.Src, t.DstPort, t.SrcPort
	}
	out := flow.Conversation{
		ID: c.id, Protocol: t.Protocol,
		Client: flow.End{Address: t.Src}, Server: flow.End{Address: t.Dst},
		ForwardHops: forward.sorted(), ReverseHops: reverse.sorted(),
		ForwardFlags: forward.flags, ReverseFlags: reverse.flags,
		First: c.first, Last: c.last,
	}
	out.Handshake = shaken(&out, c.live <= 0)
	switch t.Protocol {
	case flow.ICMP, flow.ICMPv6:
		out.ICMPType, out.Client.Port = t.SrcPort, t.DstPort
	case flow.ARP:
	default:
		out.Client.Port, out.Server.Port = t.SrcPort, t.DstPort
	}
	return out
}

// swapped says that direction 1 runs from client to server. The side that sent the first SYN is
// the client; without one, a port below the ephemeral range tells the server, or else the side
// that spoke first is the client.
func (c *conversation) swapped() bool {
	if c.shared.Protocol == flow.ICMP || c.shared.Protocol == flow.ICMPv6 || c.shared.Protocol == flow.ARP {
		return false
	}
	a, b := &c.sides[0], &c.sides[1]
	if x, y := a.synced(), b.synced(); x != y {
		return y
	} else if x {
		return b.before(a)
	}
	srcLow, dstLow := c.shared.SrcPort < firstEphemeralPort, c.shared.DstPort < firstEphemeralPort
	if srcLow != dstLow {
		return srcLow
	}
	return b.before(a)
}

// synced says that a SYN of this side was seen.
func (s *side) synced() bool {
	for _, h := range s.hops {
		if h.SYNs > 0 {
			return true
		}
	}
	return false
}

// before says that this side spoke before the other: at a switch that saw both, if there is
// one, because the times of two switches are not exact enough.
func (s *side) before(o *side) bool {
	for _, a := range s.hops {
		for _, b := range o.hops {
			if a.Switch == b.Switch {
				return a.First.Before(b.First)
			}
		}
	}
	return o.first.IsZero() || !s.first.IsZero() && s.first.Before(o.first)
}

// sorted gives copies of the hops by the time they first counted.
func (s *side) sorted() []flow.Hop {
	hops := make([]flow.Hop, 0, len(s.hops))
	for _, h := range s.hops {
		one := *h
		one.Snapshots = slices.Clone(h.Snapshots)
		hops = append(hops, one)
	}
	slices.SortFunc(hops, func(a, b flow.Hop) int { return a.First.Compare(b.First) })
	return hops
}

// conversationID names a conversation by its tuple and the moment it began.
func conversationID(t flow.Tuple, first time.Time) string {
	h := sha256.New()
	src, dst := t.Src.As16(), t.Dst.As16()
	h.Write(src[:])
	h.Write(dst[:])
	var b [14]byte
	binary.BigEndian.PutUint16(b[0:], uint16(t.Protocol))
	binary.BigEndian.PutUint16(b[2:], t.SrcPort)
	binary.BigEndian.PutUint16(b[4:], t.DstPort)
	binary.BigEndian.PutUint64(b[6:], uint64(first.UnixNano()))
	h.Write(b[:])
	return hex.EncodeToString(h.Sum(nil)[:8])
}
