package correlate

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// target is a port of a service, by its name there, which its members' ports have too.
type target struct {
	service inventory.Ref
	port    string
}

// leg is a conversation that may be one side of a connection whose addresses a node translates.
type leg struct {
	conversation flow.Conversation // as published last
	front        []target          // services whose virtual address or node port it is for
	back         []target          // services behind which its server is
	node         string            // that translates, if known: cluster/name

	syn, answer uint32        // TCP: sequence numbers of the SYN and, if answered, of the SYN-ACK
	answered    bool          // TCP
	began, last time.Time     // the first and the last SYN; of others the first packet
	clock       time.Duration // by how much the two may be off

	published time.Time // by the correlator's clock
	keys      []legKey  // groups that it is in
	other     *leg      // of others than TCP: what it was joined with
	joined    flow.Leg  // how it is published; zero for alone
}

// legKey is what the two legs of a connection have in common: with TCP the sequence number of the
// SYN, which translation does not change, otherwise no more than the service.
type legKey struct {
	protocol flow.Protocol
	syn      uint32
	service  inventory.Ref
}

// most is how many legs of a group are compared.
func (k legKey) most() int {
	if k.protocol == flow.TCP {
		return sameSYN
	}
	return sameService
}

// newLeg makes a leg of a conversation whose ends are resolved; nil if it cannot be one.
func (x *index) newLeg(c *flow.Conversation) *leg {
	switch c.Protocol {
	case flow.TCP, flow.UDP, flow.SCTP:
	default:
		return nil
	}
	front, back := x.inFront(c), x.behind(c)
	if len(front) == 0 && len(back) == 0 || len(c.ForwardHops) == 0 {
		return nil
	}
	l := &leg{conversation: *c, front: front, back: back, node: translator(c)}
	first := c.ForwardHops[0]
	l.began, l.last, l.clock = first.First, first.First, first.ClockError
	if c.Protocol != flow.TCP {
		for _, t := range slices.Concat(l.front, l.back) {
			if k := (legKey{protocol: c.Protocol, service: t.service}); !slices.Contains(l.keys, k) {
				l.keys = append(l.keys, k)
			}
		}
		return l
	}
	asked, ok := synchronised(c.ForwardHops)
	if !ok {
		return nil
	}
	l.syn, l.last, l.clock = asked.SynSeq, asked.LastSYN, asked.ClockError
	if l.began = asked.First; asked.SYNs == 1 {
		l.began = asked.LastSYN
	}
	var answer flow.Hop
	if answer, l.answered = synchronised(c.ReverseHops); l.answered {
		l.answer = answer.SynSeq
	}
	l.keys = []legKey{{protocol: flow.TCP, syn: l.syn}}
	return l
}

// synchronised is the first hop of a direction that saw its SYN.
func synchronised(hops []flow.Hop) (flow.Hop, bool) {
	for _, h := range hops {
		if h.SYNs > 0 {
			return h, true
		}
	}
	return flow.Hop{}, false
}

// inFront are the services whose address a conversation is for, seen from outside of them.
func (x *index) inFront(c *flow.Conversation) (list []target) {
	for _, r := range x.vipAt[c.Server.Address] {
		for _, p := range x.services[r].Ports {
			if p.Port == c.Server.Port && strings.EqualFold(p.Protocol, c.Protocol.String()) {
				list = append(list, target{r, p.Name})
			}
		}
	}
	node, ok := x.nodeOf(c.Server.Address)
	if !ok {
		return list
	}
	for _, r := range x.nodePorts[nodePort{node.Cluster, c.Server.Port}] {
		for _, p := range x.services[r].Ports {
			if p.NodePort == c.Server.Port && strings.EqualFold(p.Protocol, c.Protocol.String()) {
				list = append(list, target{r, p.Name})
			}
		}
	}
	return list
}

// behind are the services that a conversation's server is a member of. A pod that asks one has
// its own address, and no leg in front.
func (x *index) behind(c *flow.Conversation) (list []target) {
	if c.Client.Identity.Pod != "" {
		return nil
	}
	for _, r := range x.memberAt[c.Server.Address] {
		m := x.members[r]
		if id := c.Server.Identity; id.Cluster != "" && id.Cluster != m.Cluster {
			continue
		}
		for _, p := range m.Ports {
			if p.Port == c.Server.Port && strings.EqualFold(p.Protocol, c.Protocol.String()) {
				service := inventory.Ref{Kind: inventory.KindService, Cluster: m.Cluster, ID: m.Namespace + "/" + m.Service}
				list = append(list, target{service, p.Name})
			}
		}
	}
	return list
}

// translator is the node that a leg shows: the one that the front is for, or that the back comes
// from.
func translator(c *flow.Conversation) string {
	id := c.Server.Identity
	if id.Pod != "" {
		id = c.Client.Identity
	}
	if id.Node == "" {
		return ""
	}
	return id.Cluster + "/" + id.Node
}

// shares says that two legs are for the same port of the same service.
func shares(front, back *leg) bool {
	for _, f := range front.front {
		for _, b := range back.back {
			if f == b {
				return true
			}
		}
	}
	return false
}

// translated says that the addresses of two conversations are not the same.
func translated(a, b *leg) bool {
	ends := func(l *leg) [2]netip.AddrPort {
		c := &l.conversation
		return [2]netip.AddrPort{netip.AddrPortFrom(c.Client.Address, c.Client.Port), netip.AddrPortFrom(c.Server.Address, c.Server.Port)}
	}
	return ends(a) != ends(b)
}
