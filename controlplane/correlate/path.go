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
	rest := slices.Clone(hops)
	out := make([]flow.Hop, 0, len(hops))
	take := func(match func(flow.Hop) bool) {
		rest = slices.DeleteFunc(rest, func(h flow.Hop) bool {
			if match(h) {
				out = append(out, h)
				return true
			}
			return false
		})
	}
	take(x.edge)
	for i := 0; i < len(out); i++ {
		from := out[i].Switch
		take(func(h flow.Hop) bool { return x.uplinks[portKey{h.Switch, h.Port}] == from })
	}
	return append(out, rest...)
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
