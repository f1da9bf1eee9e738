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
// ones were. Destination is the switch that the packets are for, empty if that is not known.
func (x *index) segments(hops []flow.Hop, destination string) []flow.Segment {
	var out []flow.Segment
	stages, _ := x.stages(hops)
	for i, stage := range stages {
		var next []flow.Hop
		if i+1 < len(stages) {
			next = stages[i+1]
		}
		for _, sw := range switchesOf(stage) {
			at := func(h flow.Hop) bool { return h.Switch == sw }
			from := func(h flow.Hop) bool { return x.uplinks[portKey{h.Switch, h.Port}].Switch == sw }
			up, down := pick(stage, at), pick(next, from)
			if len(down) == 0 && (destination == "" || destination == sw) {
				continue
			}
			s, ok := compare(sw, up, down)
			switch {
			case !ok || len(down) == 0 && !s.Final:
				continue
			case len(down) == 0:
				s.Out, s.In = x.cable(sw, destination)
			}
			for _, h := range down {
				s.Out = append(s.Out, x.uplinks[portKey{h.Switch, h.Port}])
				s.In = append(s.In, inventory.PortRef{Switch: h.Switch, Port: h.Port, Number: h.Number})
			}
			out = append(out, s)
		}
	}
	return out
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

func pick(hops []flow.Hop, match func(flow.Hop) bool) []flow.Hop {
	var out []flow.Hop
	for _, h := range hops {
		if match(h) {
			out = append(out, h)
		}
	}
	return out
}

// switchesOf names the switches of hops, each once.
func switchesOf(hops []flow.Hop) []string {
	var names []string
	for _, h := range hops {
		if !slices.Contains(names, h.Switch) {
			names = append(names, h.Switch)
		}
	}
	return names
}

// compare counts both ends of a segment as of the newest epoch for which all hops have a
// snapshot; not ok if there is none.
func compare(sw string, up, down []flow.Hop) (s flow.Segment, ok bool) {
	epoch, ok := commonEpoch(slices.Concat(up, down))
	if !ok {
		return s, false
	}
	entered, arrived := countAt(up, epoch), countAt(down, epoch)
	s = flow.Segment{Switch: sw, Packets: entered, Lost: entered - min(entered, arrived), Final: epoch == flow.OpenEpoch}
	if !s.Final {
		s.Within = uncertainty(up, down)
	}
	return s, true
}

// commonEpoch is the newest epoch that every hop has a snapshot of.
func commonEpoch(hops []flow.Hop) (uint32, bool) {
	var epochs []uint32
	for _, h := range hops {
		for _, s := range h.Snapshots {
			epochs = append(epochs, s.To)
		}
	}
	slices.Sort(epochs)
	for _, e := range slices.Backward(slices.Compact(epochs)) {
		if !slices.ContainsFunc(hops, func(h flow.Hop) bool { _, known := h.Snapshots.At(e); return !known }) {
			return e, true
		}
	}
	return 0, false
}

func countAt(hops []flow.Hop, epoch uint32) (packets uint64) {
	for _, h := range hops {
		c, _ := h.Snapshots.At(epoch)
		packets += c.Packets
	}
	return packets
}

// uncertainty is how many packets may have been on their way, or counted in another epoch
// because clocks differ, when both ends of a segment were counted: at least one.
func uncertainty(up, down []flow.Hop) uint64 {
	window := underWay
	for _, h := range slices.Concat(up, down) {
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
