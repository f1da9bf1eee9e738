package correlate

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// index finds what stands behind an address. It is kept up to date by the updates of a
// store's feed, and has one owner at a time.
type index struct {
	clusters  map[string]inventory.Cluster
	pods      map[inventory.Ref]*podSpan
	byAddress map[netip.Addr][]*podSpan // newest last
	gone      []*podSpan                // ended, by the time they ended
	nodes     map[inventory.Ref]node
	nodeAt    map[netip.Addr][]inventory.Ref // by own and outer addresses
	members   map[inventory.Ref]inventory.Member
	memberAt  map[netip.Addr][]inventory.Ref
	services  map[inventory.Ref]inventory.Service
	gates     map[inventory.Ref]inventory.Entrance
	vipAt     map[netip.Addr][]inventory.Ref // services and entrances
	nodePorts map[nodePort][]inventory.Ref
	endpoints map[inventory.Ref]inventory.Entry
	seenAt    map[netip.Addr][]inventory.Ref // endpoints by address
	peers     map[portKey]string             // what the configuration says is behind a port
	uplinks   map[portKey]inventory.PortRef  // ports behind which another switch is, and its port

	// An answer of the index stays as long as these do. Pods and members, which come and go,
	// have versions of their own by address; all else is one.
	changes uint64 // that ever were
	version uint64
	touched map[netip.Addr]uint64 // of addresses in byAddress or memberAt
}

// podSpan is a pod and the time for which it was one.
type podSpan struct {
	inventory.Pod
	from, to time.Time // to is zero while it lives
	placed   time.Time // when it was first known to be on a node; zero until then

	// addressed is when it got its addresses, as far as that was seen: a pod may wait for a node while another has
	// what will be its address. Zero where it had them when it was seen first.
	addressed time.Time
}

// node is a node with its addresses sorted by what they are for.
type node struct{ inventory.Node }

// outer are the addresses that a node's packets have outside of any overlay, each once.
func (n node) outer() []netip.Addr {
	all := slices.Clone(n.Addresses)
	for _, a := range n.Overlay.Addresses {
		if !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return all
}

// has says whether an address inside the overlay is the node's own: one that its network plugin published, or the
// network address of its pods, which flannel gives to its device.
func (n node) has(a netip.Addr) bool {
	return slices.Contains(n.Overlay.Inner, a) ||
		slices.ContainsFunc(n.PodCIDRs, func(p netip.Prefix) bool { return p.Masked().Addr() == a })
}

type nodePort struct {
	cluster string
	port    uint16
}

type portKey struct{ sw, port string }

func (k portKey) compare(o portKey) int {
	return cmp.Or(strings.Compare(k.sw, o.sw), strings.Compare(k.port, o.port))
}

func newIndex() *index {
	return &index{
		pods: map[inventory.Ref]*podSpan{}, byAddress: map[netip.Addr][]*podSpan{},
		clusters: map[string]inventory.Cluster{}, gates: map[inventory.Ref]inventory.Entrance{}, peers: map[portKey]string{},
		nodes: map[inventory.Ref]node{}, nodeAt: map[netip.Addr][]inventory.Ref{},
		members: map[inventory.Ref]inventory.Member{}, memberAt: map[netip.Addr][]inventory.Ref{},
		services: map[inventory.Ref]inventory.Service{}, vipAt: map[netip.Addr][]inventory.Ref{},
		nodePorts: map[nodePort][]inventory.Ref{},
		endpoints: map[inventory.Ref]inventory.Entry{}, seenAt: map[netip.Addr][]inventory.Ref{},
		uplinks: map[portKey]inventory.PortRef{}, touched: map[netip.Addr]uint64{},
	}
}

// touch says that something is known otherwise of addresses.
func (x *index) touch(addresses ...netip.Addr) {
	x.changes++
	for _, a := range addresses {
		if len(x.byAddress[a]) == 0 && len(x.memberAt[a]) == 0 {
			delete(x.touched, a)
		} else {
			x.touched[a] = x.changes
		}
	}
}

// update takes one change. Kinds that identify nobody are ignored.
func (x *index) update(r inventory.Ref, e inventory.Entry) {
	switch r.Kind {
	case inventory.KindCluster, inventory.KindNode, inventory.KindService, inventory.KindEntrance, inventory.KindEndpoint,
		inventory.KindPort, inventory.KindLink:
		x.changes++
		x.version = x.changes
	}
	switch r.Kind {
	case inventory.KindPod:
		x.updatePod(r, e)
	case inventory.KindCluster:
		delete(x.clusters, r.ID)
		if c, ok := e.Fact.(inventory.Cluster); ok {
			x.clusters[r.ID] = c
		}
	case inventory.KindNode:
		x.updateNode(r, e)
	case inventory.KindMember:
		x.updateMember(r, e)
	case inventory.KindService:
		x.updateService(r, e)
	case inventory.KindEntrance:
		replace(x.vipAt, r, x.gates[r].Addresses, nil)
		delete(x.gates, r)
		if g, ok := e.Fact.(inventory.Entrance); ok {
			x.gates[r] = g
			replace(x.vipAt, r, nil, g.Addresses)
		}
	case inventory.KindPort:
		if p, ok := e.Fact.(inventory.Port); ok {
			x.peers[portKey{p.Switch, p.Name}] = p.Peer
		}
	case inventory.KindEndpoint:
		x.updateEndpoint(r, e)
	case inventory.KindLink:
		// A port that once had a switch behind it stays one between switches when the link is
		// down: what entered there before still came from inside.
		if l, ok := e.Fact.(inventory.Link); ok {
			x.uplinks[portKey{l.B.Switch, l.B.Port}] = l.A
		}
	}
}

func (x *index) updateNode(r inventory.Ref, e inventory.Entry) {
	old := x.nodes[r]
	replace(x.nodeAt, r, old.outer(), nil)
	delete(x.nodes, r)
	if f, ok := e.Fact.(inventory.Node); ok {
		n := node{f}
		x.nodes[r] = n
		replace(x.nodeAt, r, nil, n.outer())
	}
}

func (x *index) updateMember(r inventory.Ref, e inventory.Entry) {
	old := x.members[r].Address
	replace(x.memberAt, r, []netip.Addr{old}, nil)
	delete(x.members, r)
	if m, ok := e.Fact.(inventory.Member); ok {
		x.members[r] = m
		replace(x.memberAt, r, nil, []netip.Addr{m.Address})
		x.touch(m.Address)
	}
	x.touch(old)
}

func (x *index) updateEndpoint(r inventory.Ref, e inventory.Entry) {
	if old, ok := x.endpoints[r]; ok {
		replace(x.seenAt, r, []netip.Addr{old.Fact.(inventory.Endpoint).Address}, nil)
		delete(x.endpoints, r)
	}
	if p, ok := e.Fact.(inventory.Endpoint); ok {
		x.endpoints[r] = e
		replace(x.seenAt, r, nil, []netip.Addr{p.Address})
	}
}

func (x *index) updatePod(r inventory.Ref, e inventory.Entry) {
	span := x.pods[r]
	p, ok := e.Fact.(inventory.Pod)
	if !ok {
		if span != nil {
			span.to = e.Event
			x.gone = append(x.gone, span)
			delete(x.pods, r)
			x.touch(span.IPs...)
		}
		return
	}
	known := span != nil
	if !known {
		span = &podSpan{from: p.Created}
		x.pods[r] = span
	}
	for _, a := range p.IPs {
		if !p.HostNetwork && !slices.Contains(x.byAddress[a], span) {
			x.byAddress[a] = append(x.byAddress[a], span)
		}
	}
	if span.placed.IsZero() && p.Node != "" {
		span.placed = e.Event
	}
	old := span.IPs
	if known && len(old) == 0 && len(p.IPs) > 0 {
		span.addressed = e.Event
	}
	span.Pod = p
	x.touch(old...)
	x.touch(p.IPs...)
}

func (x *index) updateService(r inventory.Ref, e inventory.Entry) {
	old := x.services[r]
	for _, v := range old.VIPs {
		replace(x.vipAt, r, []netip.Addr{v.Address}, nil)
	}
	for _, p := range old.Ports {
		remove(x.nodePorts, nodePort{r.Cluster, p.NodePort}, r)
	}
	delete(x.services, r)
	s, ok := e.Fact.(inventory.Service)
	if !ok {
		return
	}
	x.services[r] = s
	for _, v := range s.VIPs {
		replace(x.vipAt, r, nil, []netip.Addr{v.Address})
	}
	for _, p := range s.Ports {
		if p.NodePort != 0 {
			k := nodePort{r.Cluster, p.NodePort}
			x.nodePorts[k] = append(x.nodePorts[k], r)
		}
	}
}

// forget drops pods that ended before t.
func (x *index) forget(t time.Time) {
	for len(x.gone) > 0 && x.gone[0].to.Before(t) {
		span := x.gone[0]
		x.gone = x.gone[1:]
		for _, a := range span.IPs {
			remove(x.byAddress, a, span)
		}
		x.touch(span.IPs...)
	}
}

// replace moves r from the old keys to the new ones.
func replace(m map[netip.Addr][]inventory.Ref, r inventory.Ref, old, new []netip.Addr) {
	for _, a := range old {
		remove(m, a, r)
	}
	for _, a := range new {
		m[a] = append(m[a], r)
	}
}

// remove takes v out of the list under k, and the list with its last element.
func remove[K, V comparable](m map[K][]V, k K, v V) {
	list := slices.DeleteFunc(m[k], func(o V) bool { return o == v })
	if len(list) == 0 {
		delete(m, k)
	} else {
		m[k] = list
	}
}
