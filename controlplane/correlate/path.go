package correlate

import (
	"slices"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// path is the way of one direction's packets through the fabric.
type path struct {
	hops   []flow.Hop          // in the order in which packets passed them; those that no link explains come last
	from   []inventory.PortRef // by hop: the port that it is linked to, zero where packets enter from outside
	ends   []int               // of the stages: hops[ends[i-1]:ends[i]] are behind i links
	cloned bool                // hops is the path's own
}

// path puts the hops of one direction in the order in which packets passed them, by the links
// between the switches: first what entered from outside, then each hop after the one that its
// ingress port is linked to. Hops that no link explains keep their order by time. The list that
// it is given stays as it is.
func (x *index) path(hops []flow.Hop) path {
	p := path{hops: hops, from: make([]inventory.PortRef, len(hops)), ends: make([]int, 0, len(hops))}
	for i := range hops {
		p.from[i] = x.uplinks[portKey{hops[i].Switch, hops[i].Port}]
	}
	n := 0
	for i := range p.hops {
		if p.edge(i) {
			p.move(i, n)
			n++
		}
	}
	for begin := 0; n > begin; {
		end := n
		p.ends = append(p.ends, end)
		for i := begin; i < end; i++ {
			for k := n; k < len(p.hops); k++ {
				if p.from[k].Switch == p.hops[i].Switch {
					p.move(k, n)
					n++
				}
			}
		}
		begin = end
	}
	return p
}

// move takes a hop forward to position to; those in between move back.
func (p *path) move(i, to int) {
	if i == to {
		return
	}
	if !p.cloned {
		p.hops, p.cloned = slices.Clone(p.hops), true
	}
	h, f := p.hops[i], p.from[i]
	copy(p.hops[to+1:i+1], p.hops[to:i])
	copy(p.from[to+1:i+1], p.from[to:i])
	p.hops[to], p.from[to] = h, f
}

// leave notes by which ports packets left the switch of each hop: those that the hops behind are
// linked to, and at the switch of the end that the packets are for the port that it sits behind.
func (p *path) leave(end *flow.Identity) {
	out := make([]string, 0, len(p.hops)+1)
	for i := range p.ends {
		for k, last := p.stage(i); k < last; k++ {
			begin := len(out)
			for n, behind := p.stage(i + 1); n < behind; n++ {
				if p.from[n].Switch == p.hops[k].Switch && !slices.Contains(out[begin:], p.from[n].Port) {
					out = append(out, p.from[n].Port)
				}
			}
			if len(out) == begin && p.hops[k].Switch == end.Switch {
				out = append(out, end.Port)
			}
			if len(out) == begin {
				continue
			}
			if !p.cloned {
				p.hops, p.cloned = slices.Clone(p.hops), true
			}
			p.hops[k].Out = out[begin:len(out):len(out)]
		}
	}
}

// edge says that what a hop counted entered the fabric there.
func (p *path) edge(i int) bool { return p.from[i].Switch == "" }

// stage gives the bounds of the hops behind i links; nothing if there are none.
func (p *path) stage(i int) (begin, end int) {
	if i >= len(p.ends) {
		return 0, 0
	}
	if i > 0 {
		begin = p.ends[i-1]
	}
	return begin, p.ends[i]
}

// entered is what a direction counted where it entered the fabric, over all its ways in;
// where none is known, at its first hop.
func (p *path) entered() flow.Counters {
	var c flow.Counters
	for i := range p.hops {
		if p.edge(i) {
			c.Add(p.hops[i].Counters)
		}
	}
	if c.Packets == 0 && len(p.hops) > 0 {
		return p.hops[0].Counters
	}
	return c
}

// outer is the outermost overlay that the direction's packets came in, if they did.
func (p *path) outer() (o flow.Outer, ok bool) {
	for i := range p.hops {
		if o := p.hops[i].Outer; o.Kind != flow.Native && o.Src.IsValid() {
			return o, true
		}
	}
	return flow.Outer{}, false
}
