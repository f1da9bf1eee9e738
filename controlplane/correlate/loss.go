package correlate

import (
	"slices"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// underWay is how long packets may be on their way from one switch to the next, queues
// included, when both count at the same moment.
const underWay = 2 * time.Millisecond

// segments compares what each switch on the way of a direction was given with what the next
// ones were. Destination is the switch that the packets are for, empty if that is not known. It
// may be unsure whether the path has all hops. What the segments count for the cables that they
// are goes behind the balances.
func (x *index) segments(p path, destination string, unsure bool, balances []balance) ([]flow.Segment, []balance) {
	out := make([]flow.Segment, 0, len(p.hops))
	ports := make([]inventory.PortRef, 0, 2*len(p.hops))
	for i := range p.ends {
		begin, end := p.stage(i)
		for k := begin; k < end; k++ {
			sw := p.hops[k].Switch
			if slices.ContainsFunc(p.hops[begin:k], func(h flow.Hop) bool { return h.Switch == sw }) {
				continue // with the first hop of this switch
			}
			s, b, ok := x.segment(p, i, sw, destination, unsure)
			if !ok {
				continue
			}
			if s.Out == nil {
				s.Out, s.In, ports = p.ports(i+1, sw, ports)
			}
			out = append(out, s)
			if b.known && len(s.In) == 1 {
				b.in = portKey{s.In[0].Switch, s.In[0].Port}
				balances = append(balances, b)
			}
		}
	}
	if len(out) == 0 {
		return nil, balances
	}
	return out, balances
}

// segment compares what a switch of a stage was given with what the next stage was given from
// there; not ok if nothing can be said.
func (x *index) segment(p path, stage int, sw, destination string, unsure bool) (s flow.Segment, b balance, ok bool) {
	var buffer [8]*flow.Hop
	hops := buffer[:0] // of the switch, and then those behind it
	for k, end := p.stage(stage); k < end; k++ {
		if p.hops[k].Switch == sw {
			hops = append(hops, &p.hops[k])
		}
	}
	up := len(hops)
	for k, end := p.stage(stage + 1); k < end; k++ {
		if p.from[k].Switch == sw {
			hops = append(hops, &p.hops[k])
		}
	}
	arrived := len(hops) > up
	if !arrived && (destination == "" || destination == sw) {
		return s, b, false
	}
	if arrived && slices.ContainsFunc(hops, func(h *flow.Hop) bool { return h.Incomplete }) {
		return flow.Segment{Switch: sw, Incomplete: true}, b, true
	}
	if !arrived && (unsure || len(p.hops) > p.ends[len(p.ends)-1]) {
		return flow.Segment{Switch: sw, Incomplete: true}, b, true // there may be a hop that nobody told of
	}
	if s, b, ok = compare(sw, hops[:up], hops[up:], hops); !ok || !arrived && !s.Final {
		return s, balance{}, false
	}
	if !arrived {
		s.Out, s.In = x.cable(sw, destination)
		return s, balance{}, true // a probe whose TTL ended at the switch has not left it
	}
	return s, b, true
}

// ports gives where the packets of a switch left it and where they entered the stage behind it.
// The lists are in memory, behind what is there.
func (p *path) ports(stage int, sw string, memory []inventory.PortRef) (out, in, used []inventory.PortRef) {
	add := func(port func(i int) inventory.PortRef) []inventory.PortRef {
		first := len(memory)
		for k, end := p.stage(stage); k < end; k++ {
			if p.from[k].Switch == sw {
				memory = append(memory, port(k))
			}
		}
		return memory[first:len(memory):len(memory)]
	}
	out = add(func(i int) inventory.PortRef { return p.from[i] })
	in = add(func(i int) inventory.PortRef {
		h := &p.hops[i]
		return inventory.PortRef{Switch: h.Switch, Port: h.Port, Number: h.Number}
	})
	return out, in, memory
}

// cable gives the ports of the one link from a switch to another; none if there is none, or more.
func (x *index) cable(from, to string) (out, in []inventory.PortRef) {
	for k, a := range x.uplinks {
		if k.sw == to && a.Switch == from {
			out, in = append(out, a), append(in, inventory.PortRef{Switch: to, Port: k.port})
		}
	}
	if len(out) != 1 {
		return nil, nil
	}
	return out, in
}

// compare counts both ends of a segment as of the newest epoch for which all hops have a snapshot;
// not ok if there is none. Of packets that are under way when an epoch begins, a burst can be more
// than anybody would expect, but hardly at the beginning of the next epoch again: so until the end
// only what was missing at both is said to be lost.
func compare(sw string, up, down, all []*flow.Hop) (s flow.Segment, b balance, ok bool) {
	epoch, ok := commonEpoch(all, noEpoch)
	if !ok {
		return s, b, false
	}
	s = flow.Segment{Switch: sw, Packets: countAt(up, epoch), Final: epoch == flow.OpenEpoch}
	s.Lost, s.Extra = missing(up, down, epoch)
	b = newBalance(all)
	b.packets, b.lost, b.final, b.known = s.Packets, int64(s.Lost)-int64(s.Extra), s.Final, s.Final
	doubted := doubtful(all)
	if !s.Final {
		s.Within = uncertainty(up, all)
		var lost, extra uint64
		if before, ok := commonEpoch(all, int64(epoch)); ok {
			lost, extra = missing(up, down, before)
			b.packets, b.lost, b.known = countAt(up, before), min(b.lost, int64(lost)-int64(extra)), true
		}
		s.Lost, s.Extra = min(s.Lost, lost), min(s.Extra, extra)
	}
	b.known = b.known && !(doubted && b.final)
	b.whole = b.whole && !doubted
	if s.Lost+s.Extra > s.Within && doubted {
		return flow.Segment{Switch: sw, Incomplete: true}, b, true
	}
	return s, b, true
}

// doubtful says that what hops do not have may have been in a lost report. It was not where all
// began to count at once and did not stop.
func doubtful(hops []*flow.Hop) bool {
	first := slices.MinFunc(hops, func(a, b *flow.Hop) int { return a.First.Compare(b.First) }).First
	return slices.ContainsFunc(hops, func(h *flow.Hop) bool {
		return h.Unsure && (!h.Whole || h.First.Sub(first) > underWay+2*h.ClockError)
	})
}

// missing is how many packets fewer, or more, had arrived than left when an epoch began.
func missing(up, down []*flow.Hop, epoch uint32) (lost, extra uint64) {
	entered, arrived := countAt(up, epoch), countAt(down, epoch)
	both := min(entered, arrived)
	return entered - both, arrived - both
}

// noEpoch is later than all of them.
const noEpoch = int64(flow.OpenEpoch) + 1

// commonEpoch is the newest epoch before a limit that every hop has a snapshot of.
func commonEpoch(hops []*flow.Hop, limit int64) (uint32, bool) {
	for {
		newest := int64(-1) // before the limit
		for _, h := range hops {
			for i := range h.Snapshots {
				if to := int64(h.Snapshots[i].To); to < limit {
					newest = max(newest, to)
				}
			}
		}
		if newest < 0 {
			return 0, false
		}
		if !slices.ContainsFunc(hops, func(h *flow.Hop) bool { _, known := h.Snapshots.At(uint32(newest)); return !known }) {
			return uint32(newest), true
		}
		limit = newest
	}
}

func countAt(hops []*flow.Hop, epoch uint32) (packets uint64) {
	for _, h := range hops {
		n, _ := h.Snapshots.At(epoch)
		packets += n
	}
	return packets
}

// uncertainty is how many packets may have been on their way, or counted in another epoch
// because clocks differ, when both ends of a segment were counted: at least one.
func uncertainty(up, all []*flow.Hop) uint64 {
	window := underWay
	for _, h := range all {
		window = max(window, underWay+2*h.ClockError)
	}
	var packets float64
	for _, h := range up {
		if active := h.Last.Sub(h.First); active > 0 {
			packets += float64(h.Packets) * min(1, float64(window)/float64(active))
		}
	}
	return uint64(packets) + 1
}
