package track

import (
	"math"

	"github.com/fabricscope/fabricscope/controlplane/flow"
)

// place is a port of a switch that packets entered by.
type place struct {
	sw        string
	port      string
	number    uint32
	account   *account
	published flow.Counters // what the records of it have
}

// places numbers the ports of the fabric, from 1. There are as many as the switches have.
type places struct {
	list  []place
	index map[placeKey]uint16
}

type placeKey struct {
	sw     string
	number uint32
}

// of gives the number of a port; 0 if there are more ports than numbers.
func (p *places) of(a *account, number uint32, name func(string, uint32) string) uint16 {
	k := placeKey{a.name, number}
	if n, ok := p.index[k]; ok {
		return n
	}
	if len(p.list) > math.MaxUint16 {
		return 0
	}
	if p.index == nil {
		p.index, p.list = map[placeKey]uint16{}, []place{{}}
	}
	n := uint16(len(p.list))
	p.index[k] = n
	p.list = append(p.list, place{sw: a.name, port: name(a.name, number), number: number, account: a})
	return n
}

// outers numbers the overlays around packets, for as long as there are hops that have them.
// 0 is none.
type outers struct {
	list  []outer
	index map[flow.Outer]uint32
	free  []uint32
}

type outer struct {
	flow.Outer
	hops int
}

// known gives the number of an overlay, if it has one.
func (o *outers) known(f flow.Outer) (uint32, bool) {
	if f == (flow.Outer{}) {
		return 0, true
	}
	n, ok := o.index[f]
	return n, ok
}

// use gives the number of an overlay to a hop.
func (o *outers) use(f flow.Outer) uint32 {
	n, ok := o.known(f)
	switch {
	case !ok && len(o.free) > 0:
		n = o.free[len(o.free)-1]
		o.free = o.free[:len(o.free)-1]
	case !ok:
		if o.index == nil {
			o.index, o.list = map[flow.Outer]uint32{}, []outer{{}}
		}
		n = uint32(len(o.list))
		o.list = append(o.list, outer{})
	}
	if n == 0 {
		return 0
	}
	o.index[f] = n
	o.list[n].Outer = f
	o.list[n].hops++
	return n
}

// leave takes it back.
func (o *outers) leave(n uint32) {
	if n == 0 {
		return
	}
	e := &o.list[n]
	if e.hops--; e.hops == 0 {
		delete(o.index, e.Outer)
		*e = outer{}
		o.free = append(o.free, n)
	}
}

func (o *outers) at(n uint32) flow.Outer {
	if n == 0 {
		return flow.Outer{}
	}
	return o.list[n].Outer
}
