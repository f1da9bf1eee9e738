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

// second is what the API cuts times to.
const second = time.Second

// guess begins the reason why it may have been another pod.
const guess = "a guess: "

// side is what a conversation says of one of its ends.
type side struct {
	party
	server   bool
	from, to time.Time
	entered  []place // where its packets entered the fabric
	peer     string  // the cluster of the other end, where this is asked about after it
}

// party is what does not change while the conversation goes on.
type party struct {
	address  netip.Addr
	tunnel   tunnelEnd // of its node, when it speaks from inside an overlay
	port     uint16
	protocol flow.Protocol
}

// resolveBoth says who was behind the ends of a conversation. What cannot be told of one of them by itself may
// be told by the other one's cluster. The answer stays while the conversation goes on and the index does
// not change, unless it is not final.
func (x *index) resolveBoth(client, server side) (c, s flow.Identity, final bool) {
	c, clientFinal := x.resolve(client)
	s, serverFinal := x.resolve(server)
	switch {
	case c.Cluster == "" && s.Cluster != "":
		client.peer = s.Cluster
		c, clientFinal = x.resolve(client)
	case s.Cluster == "" && c.Cluster != "":
		server.peer = c.Cluster
		s, serverFinal = x.resolve(server)
	}
	return c, s, clientFinal && serverFinal
}

// resolve says who was behind one end of a conversation, and whether that is final.
func (x *index) resolve(s side) (id flow.Identity, final bool) {
	nodes := x.nodesAt(s.tunnel)
	spans, shown := x.narrow(x.byAddress[s.address], s)
	// A pod that had the address at another time may turn out to be the one.
	final = len(spans) < 2
	fit, why, ok := x.oneCluster(x.alive(spans, s), s, shown)
	if len(fit) > 0 {
		return x.pod(fit, s), final
	}
	final = len(spans) == 0
	if id, is := x.node(s); is {
		return id, final
	}
	if id, is := x.virtual(s); is {
		return id, final
	}
	id = flow.Identity{Why: "address is of no known pod, node or service"}
	if !ok {
		id.Why = why
	} else if len(x.byAddress[s.address]) > 0 && s.tunnel.address.IsValid() && len(nodes) == 0 {
		id.Why = fmt.Sprintf("the outer address %s is of no known node, so that it is another's pod", s.tunnel.address)
	}
	x.locate(&id, s.address)
	if id.Switch == "" && len(s.entered) == 1 {
		id.Switch, id.Port = s.entered[0].sw, s.entered[0].port
	}
	if len(nodes) == 1 {
		id.Cluster, id.Node = nodes[0].Cluster, nodes[0].ID
		id.Why = "address inside the overlay is of no known pod"
		if x.nodes[nodes[0]].has(s.address) {
			id.Why = "" // it is the node's own in there
		}
	}
	return id, final
}

// remembers says whether the pod of an identity is known to have had an address, now or not long ago.
func (x *index) remembers(a netip.Addr, id flow.Identity) bool {
	return slices.ContainsFunc(x.byAddress[a], func(p *podSpan) bool { return p.Cluster == id.Cluster && p.UID == id.PodUID })
}

// alive keeps the pods that were there when the packets passed.
func (x *index) alive(spans []*podSpan, s side) []*podSpan {
	var fit []*podSpan
	for _, p := range spans {
		began := s.to.IsZero() || !p.from.After(s.to.Add(slack))
		ended := !p.to.IsZero() && p.to.Add(slack).Before(s.from)
		if began && !ended {
			fit = append(fit, p)
		}
	}
	return fit
}

// pod picks one of the pods that had the address when the packets passed.
func (x *index) pod(fit []*podSpan, s side) flow.Identity {
	// Of several, the one that lived while packets passed, not just within the slack.
	slices.SortStableFunc(fit, func(a, b *podSpan) int {
		return cmp.Compare(b.overlap(s.from, s.to), a.overlap(s.from, s.to))
	})
	p := fit[0]
	id := flow.Identity{Cluster: p.Cluster, Namespace: p.Namespace, Pod: p.Name, PodUID: p.UID, Workload: p.Workload.String(),
		Node: p.Node, Service: x.servicesOf(p, s)}
	switch others := fit[1:]; {
	case len(others) > 0 && others[0].overlap(s.from, s.to) == p.overlap(s.from, s.to):
		id.Why = fmt.Sprintf(guess+"the address was also that of %s/%s", others[0].Namespace, others[0].Name)
	case x.strays(p, s):
		id.Why = guess + "its packets enter the fabric where its node is not"
	case p.endedBefore(s.from):
		id.Why = guess + "the pod had ended before, and nobody else is known to have got its address by then"
	case !s.to.IsZero() && p.from.Sub(s.to) > second:
		id.Why = guess + "the pod was created after, and nobody else is known to have had its address then"
	}
	for _, a := range x.nodeOfPod(p).Addresses {
		if x.locate(&id, a) {
			break
		}
	}
	return id
}

// endedBefore says for certain: an end on the second may have been cut to it.
func (p *podSpan) endedBefore(t time.Time) bool {
	end := p.to
	if end.Nanosecond() == 0 {
		end = end.Add(second)
	}
	return !p.to.IsZero() && t.After(end)
}

// overlap is for how long the pod had its address within the given time.
func (p *podSpan) overlap(from, to time.Time) time.Duration {
	for _, began := range []time.Time{p.from, p.addressed} {
		if began.After(from) {
			from = began
		}
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

// node says which node an address is of. Where nodes of several clusters have it, the one counts that
// answers on the port, or else that of the other end's cluster.
func (x *index) node(s side) (flow.Identity, bool) {
	refs := x.nodeAt[s.address]
	if len(refs) == 0 {
		return flow.Identity{}, false
	}
	if len(refs) > 1 {
		fit := slices.DeleteFunc(slices.Clone(refs), func(r inventory.Ref) bool {
			return r.Cluster != s.peer && !(s.server && len(x.behindNodePort(r.Cluster, s)) > 0)
		})
		if len(fit) != 1 {
			id := flow.Identity{Why: "nodes of several clusters have the address"}
			x.locate(&id, s.address)
			return id, true
		}
		refs = fit
	}
	id := flow.Identity{Cluster: refs[0].Cluster, Node: refs[0].ID}
	x.locate(&id, s.address)
	if s.server {
		id.Service = strings.Join(x.behindNodePort(id.Cluster, s), ",")
	}
	return id, true
}

// nodeOf gives the one node that has an address.
func (x *index) nodeOf(a netip.Addr) (inventory.Ref, bool) {
	refs := x.nodeAt[a]
	if len(refs) != 1 {
		return inventory.Ref{}, false
	}
	return refs[0], true
}

// behindNodePort names the services of a cluster that a port of its nodes leads to.
func (x *index) behindNodePort(cluster string, s side) []string {
	var names []string
	for _, r := range x.nodePorts[nodePort{cluster, s.port}] {
		for _, p := range x.services[r].Ports {
			if p.NodePort == s.port && strings.EqualFold(p.Protocol, s.protocol.String()) {
				names = append(names, r.ID)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// virtual says which service, Ingress or gateway a virtual address is of. Cluster IPs are private to their cluster,
// as pods' addresses are.
func (x *index) virtual(s side) (flow.Identity, bool) {
	refs := x.vipAt[s.address]
	if len(refs) == 0 {
		return flow.Identity{}, false
	}
	peer := s.peer
	if nodes := x.nodesAt(s.tunnel); len(nodes) == 1 {
		peer = nodes[0].Cluster
	}
	if len(x.clusters) > 1 {
		refs = slices.DeleteFunc(slices.Clone(refs), func(r inventory.Ref) bool { return r.Cluster != peer && (peer != "" || x.private(r, s.address)) })
	}
	switch {
	case len(refs) == 0:
		return flow.Identity{Why: "nothing but the address speaks for a service that has it inside its cluster"}, true
	case slices.ContainsFunc(refs, func(r inventory.Ref) bool { return r.Cluster != refs[0].Cluster }):
		return flow.Identity{Why: "services of several clusters have the virtual address"}, true
	}
	id := flow.Identity{Cluster: refs[0].Cluster, Service: refs[0].ID, Why: "virtual address"}
	if e, ok := x.gates[refs[0]]; ok {
		id.Service = strings.Join(e.Services, ",")
		id.Why = fmt.Sprintf("address of %s %s/%s", e.Kind, e.Namespace, e.Name)
	}
	return id, true
}

// private says whether a service has an address as a cluster IP.
func (x *index) private(r inventory.Ref, a netip.Addr) bool {
	return slices.ContainsFunc(x.services[r].VIPs, func(v inventory.VIP) bool { return v.Address == a && v.Kind == "cluster-ip" })
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

// answers says that a member serves a port of a protocol.
func answers(m inventory.Member, protocol flow.Protocol, port uint16) bool {
	return slices.ContainsFunc(m.Ports, func(p inventory.MemberPort) bool {
		return p.Port == port && strings.EqualFold(p.Protocol, protocol.String())
	})
}
