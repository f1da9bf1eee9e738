package correlate

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// slack is by how much the times of switches and of API servers, which count whole seconds,
// may disagree before a pod is held not to have been there.
const slack = 5 * time.Second

// side is what a conversation says of one of its ends.
type side struct {
	party
	server   bool
	from, to time.Time
}

// party is what does not change while the conversation goes on.
type party struct {
	address  netip.Addr
	node     netip.Addr // the outer address of its node, when it speaks from inside an overlay
	port     uint16
	protocol flow.Protocol
}

// resolve says who was behind one end of a conversation. The answer stays while the conversation
// goes on and the index does not change, unless it is not final.
func (x *index) resolve(s side) (id flow.Identity, final bool) {
	nodeRef, nodeKnown := x.nodeOf(s.node)
	spans := slices.Clone(x.byAddress[s.address])
	if nodeKnown {
		spans = slices.DeleteFunc(spans, func(p *podSpan) bool {
			return p.Cluster != nodeRef.Cluster || (p.Node != "" && p.Node != nodeRef.ID)
		})
	}
	if id, ok := x.pod(spans, s); ok {
		return id, len(spans) == 1
	}
	// A pod that had the address at another time may turn out to be the one.
	final = len(spans) == 0
	if ref, ok := x.nodeOf(s.address); ok {
		return x.node(ref, s), final
	}
	if refs := x.vipAt[s.address]; len(refs) > 0 {
		return flow.Identity{Cluster: refs[0].Cluster, Service: refs[0].ID, Why: "virtual address"}, final
	}
	id = flow.Identity{Why: "address is of no known pod, node or service"}
	x.locate(&id, s.address)
	if nodeKnown {
		id.Cluster, id.Node = nodeRef.Cluster, nodeRef.ID
		id.Why = "address inside the overlay is of no known pod"
	}
	return id, final
}

// pod picks the pod that had the address when the packets passed.
func (x *index) pod(spans []*podSpan, s side) (flow.Identity, bool) {
	var fit []*podSpan
	for _, p := range spans {
		began := s.to.IsZero() || !p.from.After(s.to.Add(slack))
		ended := !p.to.IsZero() && p.to.Add(slack).Before(s.from)
		if began && !ended {
			fit = append(fit, p)
		}
	}
	if len(fit) == 0 {
		return flow.Identity{}, false
	}
	// Of several, the one that lived while packets passed, not just within the slack.
	slices.SortStableFunc(fit, func(a, b *podSpan) int {
		return cmp.Compare(b.overlap(s.from, s.to), a.overlap(s.from, s.to))
	})
	p := fit[0]
	id := flow.Identity{Cluster: p.Cluster, Namespace: p.Namespace, Pod: p.Name, PodUID: p.UID, Node: p.Node,
		Service: x.servicesOf(p, s)}
	if others := fit[1:]; len(others) > 0 {
		if others[0].overlap(s.from, s.to) == p.overlap(s.from, s.to) {
			id.Why = fmt.Sprintf("a guess: the address was also that of %s/%s", others[0].Namespace, others[0].Name)
		}
	}
	if n, ok := x.nodes[inventory.Ref{Kind: inventory.KindNode, Cluster: p.Cluster, ID: p.Node}]; ok {
		for _, a := range n.Addresses {
			if x.locate(&id, a) {
				break
			}
		}
	}
	return id, true
}

// overlap is for how long the pod lived within the given time.
func (p *podSpan) overlap(from, to time.Time) time.Duration {
	if p.from.After(from) {
		from = p.from
	}
	if !p.to.IsZero() && p.to.Before(to) {
		to = p.to
	}
	return max(0, to.Sub(from)+1)
}

// servicesOf names the services that a pod answers for: by the port it is asked on, and any
// where it asks itself.
func (x *index) servicesOf(p *podSpan, s side) string {
	var names []string
	for _, ref := range x.memberAt[s.address] {
		m := x.members[ref]
		if m.Cluster != p.Cluster || (m.PodUID != "" && m.PodUID != p.UID) {
			continue
		}
		if !s.server || answers(m, s.protocol, s.port) {
			names = append(names, m.Namespace+"/"+m.Service)
		}
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ",")
}

func (x *index) node(ref inventory.Ref, s side) flow.Identity {
	id := flow.Identity{Cluster: ref.Cluster, Node: ref.ID}
	x.locate(&id, s.address)
	if !s.server {
		return id
	}
	for _, r := range x.nodePorts[nodePort{ref.Cluster, s.port}] {
		for _, p := range x.services[r].Ports {
			if p.NodePort == s.port && strings.EqualFold(p.Protocol, s.protocol.String()) {
				id.Service = r.ID
			}
		}
	}
	return id
}

// locate fills in where on the fabric an address was learned.
func (x *index) locate(id *flow.Identity, a netip.Addr) bool {
	refs := x.seenAt[a]
	if len(refs) == 0 {
		return false
	}
	// The newest sighting; another one is an address that moved or is there twice.
	newest := slices.MaxFunc(refs, func(a, b inventory.Ref) int {
		return x.endpoints[a].Event.Compare(x.endpoints[b].Event)
	})
	e := x.endpoints[newest].Fact.(inventory.Endpoint)
	id.Switch, id.Port = e.Switch, e.Port
	return true
}

func (x *index) nodeOf(a netip.Addr) (inventory.Ref, bool) {
	refs := x.nodeAt[a]
	if len(refs) != 1 {
		return inventory.Ref{}, false
	}
	return refs[0], true
}

// answers says that a member serves a port of a protocol.
func answers(m inventory.Member, protocol flow.Protocol, port uint16) bool {
	return slices.ContainsFunc(m.Ports, func(p inventory.MemberPort) bool {
		return p.Port == port && strings.EqualFold(p.Protocol, protocol.String())
	})
}
