package main

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/history/records"
)

// The cluster of the simulated traffic, and how many records it has in a day.
const (
	simNodes      = 1000
	simPorts      = 25 // nodes at a leaf
	simSpines     = 4
	simServices   = 600
	simPods       = 20000
	recordsPerDay = 50_000_000
	interval      = 10 * time.Second
	perInterval   = int(recordsPerDay * int64(interval) / int64(24*time.Hour))
)

// traffic simulates a cluster: half of the records are of connections that live for half an hour on average, as of a pool;
// the others are of DNS, of probes by the nodes, and of requests with a connection of their own. Services call a few others.
type traffic struct {
	r        *rand.Rand
	now      time.Time
	pods     []simPod
	services [][]int // pods of each
	calls    [][]int // services that each calls
	open     []*records.Record
	up, down [simSpines][]*records.Place // from and to each leaf, at the spine and the leaf
	overlays map[flow.Outer]*flow.Outer  // equal ones are one, as a recorder has it
}

type simPod struct {
	who     *flow.Identity // as a server
	asks    *flow.Identity // as a client
	address netip.Addr
	service int
	leaf    int
	at      *records.Place
	node    netip.Addr
	prober  *simPod // its node
}

func newTraffic(begin time.Time) *traffic {
	t := &traffic{r: rand.New(rand.NewPCG(1, 2)), now: begin, services: make([][]int, simServices), overlays: map[flow.Outer]*flow.Outer{}}
	for spine := range simSpines {
		for leaf := range simNodes / simPorts {
			t.up[spine] = append(t.up[spine], &records.Place{Switch: fmt.Sprint("spine", spine), Port: fmt.Sprint("Ethernet", leaf)})
			t.down[spine] = append(t.down[spine], &records.Place{Switch: leafName(leaf), Port: fmt.Sprint("Ethernet", 48+spine)})
		}
	}
	nodes := make([]*records.Place, simNodes)
	for i := range nodes {
		nodes[i] = &records.Place{Switch: leafName(i / simPorts), Port: fmt.Sprint("Ethernet", i%simPorts)}
	}
	for i := range simPods {
		s := int(t.r.ExpFloat64() * simServices / 6)
		if s %= simServices; i < simServices {
			s = i
		}
		node := t.r.IntN(simNodes)
		leaf := node / simPorts
		t.services[s] = append(t.services[s], i)
		t.pods = append(t.pods, simPod{service: s, leaf: leaf, at: nodes[node], node: netip.AddrFrom4([4]byte{192, 0, byte(node / 250), byte(1 + node%250)}),
			address: netip.AddrFrom4([4]byte{10, byte(16 + i>>16), byte(i >> 8), byte(i)}),
			who: &flow.Identity{Cluster: "blue", Namespace: fmt.Sprint("team-", s%40), Pod: fmt.Sprintf("app-%d-6b7f9c%04x-%05x", s, s, t.r.IntN(1<<20)),
				PodUID:   fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", t.r.Uint32(), t.r.IntN(1<<16), t.r.IntN(1<<12), t.r.IntN(1<<12), t.r.Int64N(1<<48)),
				Workload: fmt.Sprint("Deployment/app-", s), Service: fmt.Sprintf("team-%d/app-%d", s%40, s), Node: fmt.Sprintf("node-%04d", node),
				Switch: nodes[node].Switch, Port: nodes[node].Port}})
	}
	for i := range t.pods {
		who := *t.pods[i].who
		who.Service = ""
		p := &t.pods[i]
		p.asks = &who
		node := &flow.Identity{Cluster: "blue", Node: who.Node, Switch: who.Switch, Port: who.Port}
		p.prober = &simPod{who: node, asks: node, address: p.node, leaf: p.leaf, at: p.at, node: p.node}
	}
	for range simServices {
		var calls []int
		for range 1 + t.r.IntN(6) {
			calls = append(calls, t.r.IntN(simServices))
		}
		t.calls = append(t.calls, calls)
	}
	return t
}

// next gives the records of one interval.
func (t *traffic) next() []records.Record {
	t.now = t.now.Add(interval)
	out := make([]records.Record, 0, perInterval)
	kept := t.open[:0]
	for _, c := range t.open {
		if t.r.IntN(180) > 0 { // half an hour on average
			kept = append(kept, c)
		}
		out = append(out, t.again(*c))
	}
	t.open = kept
	for len(t.open) < perInterval/2 {
		c := t.conversation(t.pod(), 8080)
		t.open = append(t.open, &c)
	}
	for len(out) < perInterval {
		out = append(out, t.single())
	}
	return out
}

func (t *traffic) pod() *simPod { return &t.pods[t.r.IntN(len(t.pods))] }

// conversation is one from a pod to a pod of a service that it calls.
func (t *traffic) conversation(client *simPod, port uint16) records.Record {
	calls := t.calls[client.service]
	members := t.services[calls[t.r.IntN(len(calls))]]
	return t.between(client, &t.pods[members[t.r.IntN(len(members))]], port)
}

func (t *traffic) between(c, s *simPod, port uint16) records.Record {
	first := t.now.Add(-time.Duration(t.r.Int64N(int64(interval)))).Truncate(time.Millisecond)
	r := records.Record{Conversation: fmt.Sprintf("%016x", t.r.Uint64()), Protocol: flow.TCP, Verdict: records.Answered,
		Client: records.End{Address: c.address, Port: uint16(32768 + t.r.IntN(28232)), Who: c.asks},
		Server: records.End{Address: s.address, Port: port, Who: s.who}, First: first, Last: first,
		Handshake: flow.Handshake{State: flow.Established, SYNs: 1, SYNACKs: 1,
			ServerRTT: time.Duration(50+t.r.ExpFloat64()*100) * time.Microsecond, ClientRTT: time.Duration(20+t.r.ExpFloat64()*20) * time.Microsecond},
		Forward: records.Direction{Flags: 0x1b}, Reverse: records.Direction{Flags: 0x1b}}
	r.Forward.Hops, r.Reverse.Hops = t.hops(c, s), t.hops(s, c)
	return t.again(r)
}

// hops are the way from a pod to another: by a spine where they are at different leaves.
func (t *traffic) hops(a, b *simPod) []records.Hop {
	o := flow.Outer{Kind: flow.VXLAN, VNI: 1, Src: a.node, Dst: b.node}
	if a.node == b.node {
		o = flow.Outer{}
	}
	if t.overlays[o] == nil {
		t.overlays[o] = &o
	}
	hop := func(at *records.Place) records.Hop { return records.Hop{Place: at, Outer: t.overlays[o]} }
	if a.leaf == b.leaf {
		return []records.Hop{hop(a.at)}
	}
	spine := t.r.IntN(simSpines)
	return []records.Hop{hop(a.at), hop(t.up[spine][a.leaf]), hop(t.down[spine][b.leaf])}
}

func leafName(leaf int) string { return fmt.Sprintf("leaf%02d", leaf) }

// again is the record of another interval of a conversation.
func (t *traffic) again(r records.Record) records.Record {
	r.Time = t.now
	if last := t.now.Add(-time.Duration(t.r.Int64N(int64(interval / 2)))).Truncate(time.Millisecond); last.After(r.First) {
		r.Last = last
	}
	count := func(d *records.Direction, reply float64) {
		d.Packets = uint64(1 + t.r.ExpFloat64()*6)
		d.Bytes = d.Packets*66 + uint64(t.r.ExpFloat64()*reply)
		hops := make([]records.Hop, len(d.Hops))
		for i, h := range d.Hops {
			hops[i] = records.Hop{Place: h.Place, Outer: h.Outer, Counters: d.Counters}
		}
		if t.r.IntN(20) == 0 && len(hops) > 1 { // a packet was under way when the interval ended
			hops[len(hops)-1].Packets--
		}
		d.Hops = hops
	}
	count(&r.Forward, 400)
	count(&r.Reverse, 2000)
	return r
}

// single is a record of a conversation that is over after some milliseconds.
func (t *traffic) single() records.Record {
	r := t.brief()
	r.Last = r.First.Add(time.Duration(t.r.ExpFloat64()*20) * time.Millisecond)
	return r
}

func (t *traffic) brief() records.Record {
	c := t.pod()
	switch kind := t.r.IntN(100); {
	case kind < 45: // DNS: the ten pods of the first service
		members := t.services[0][:min(10, len(t.services[0]))]
		r := t.between(c, &t.pods[members[t.r.IntN(len(members))]], 53)
		r.Protocol, r.Handshake, r.Forward.Flags, r.Reverse.Flags = flow.UDP, flow.Handshake{}, 0, 0
		return r
	case kind < 75: // a probe
		return t.between(c.prober, c, 8081)
	}
	return t.conversation(c, 8080)
}
