package correlate

import (
	"slices"

	"github.com/fabricscope/fabricscope/controlplane/flow"
)

// order puts the hops of one direction in the order in which packets passed them, by the
// links between the switches: first what entered from outside, then each hop after the one
// that its ingress port is linked to. Hops that no link explains keep their order by time.
func (x *index) order(hops []flow.Hop) []flow.Hop {
	if len(hops) < 2 {
		return hops
	}
	stages, rest := x.stages(hops)
	return append(slices.Concat(stages...), rest...)
}

// stages groups the hops of one direction by how many links their packets had crossed. The
// hops that no link explains are the rest.
func (x *index) stages(hops []flow.Hop) (stages [][]flow.Hop, rest []flow.Hop) {
	rest = slices.Clone(hops)
	take := func(match func(flow.Hop) bool) (stage []flow.Hop) {
		rest = slices.DeleteFunc(rest, func(h flow.Hop) bool {
			if match(h) {
				stage = append(stage, h)
				return true
			}
			return false
		})
		return stage
	}
	for stage := take(x.edge); len(stage) > 0; {
		stages = append(stages, stage)
		var next []flow.Hop
		for _, sw := range switchesOf(stage) {
			next = append(next, take(func(h flow.Hop) bool { return x.uplinks[portKey{h.Switch, h.Port}].Switch == sw })...)
		}
		stage = next
	}
	return stages, rest
}

// edge says that what a hop counted entered the fabric there.
func (x *index) edge(h flow.Hop) bool {
	_, inside := x.uplinks[portKey{h.Switch, h.Port}]
	return !inside
}

// entered is what a direction counted where it entered the fabric, over all its ways in;
// where none is known, at its first hop.
func (x *index) entered(hops []flow.Hop) flow.Counters {
	var c flow.Counters
	for _, h := range hops {
		if x.edge(h) {
			c.Add(h.Counters)
		}
	}
	if c.Packets == 0 && len(hops) > 0 {
		return hops[0].Counters
	}
	return c
}

// outerSource is the overlay address that a direction's packets came from.
func outerSource(hops []flow.Hop) (h flow.Hop, ok bool) {
	for _, h := range hops {
		if h.Outer.Kind != flow.Native && h.Outer.Src.IsValid() {
			return h, true
		}
	}
	return flow.Hop{}, false
}
