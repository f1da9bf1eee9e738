package correlate

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// twoClusters is a leaf with a spine and two clusters whose pods, cluster IPs and names are the same: blue on worker1
// and worker2 with VXLAN, green on g1 and g2, of which the test says how they carry packets. Ports have the
// names of what is behind them.
func twoClusters(c *Correlator) {
	for _, name := range []string{"blue", "green"} {
		became(c, inventory.Cluster{Name: name, State: "synced"}, at(0))
		became(c, inventory.Service{Cluster: name, Namespace: "shop", Name: "cart", VIPs: []inventory.VIP{
			{Kind: "cluster-ip", Address: addr("10.96.0.20")}, {Kind: "load-balancer", Address: addr(map[string]string{"blue": "198.51.100.1", "green": "198.51.100.2"}[name])}}}, at(0))
	}
	for name, address := range map[string]string{"blue/w1": "10.1.1.11", "blue/w2": "10.1.1.12", "green/g1": "10.1.1.21", "green/g2": "10.1.1.22"} {
		cluster, node, _ := strings.Cut(name, "/")
		became(c, inventory.Node{Cluster: cluster, Name: node, Addresses: []netip.Addr{addr(address)}}, at(0))
		became(c, inventory.Endpoint{Switch: "leaf1", Port: node, Address: addr(address), MAC: node}, at(0))
	}
	for cluster, nodes := range map[string][2]string{"blue": {"w1", "w2"}, "green": {"g1", "g2"}} {
		for i, address := range []string{"10.244.1.5", "10.244.2.5"} {
			became(c, inventory.Pod{Cluster: cluster, Namespace: "shop", Name: nodes[i] + "-pod", UID: cluster + nodes[i], Node: nodes[i],
				IPs: []netip.Addr{addr(address)}, Created: at(0)}, at(0))
		}
	}
}

func between(client, server string, hops ...flow.Hop) flow.Conversation {
	conv := flow.Conversation{ID: client + server, Protocol: flow.TCP, Client: flow.End{Address: addr(client), Port: 4000},
		Server: flow.End{Address: addr(server), Port: 80}, First: at(10), Last: at(20)}
	for i, h := range hops {
		h.Switch, h.First, h.Last, h.Packets = "leaf1", at(10), at(20), 1
		if i == 0 {
			conv.ForwardHops = append(conv.ForwardHops, h)
		} else {
			conv.ReverseHops = append(conv.ReverseHops, h)
		}
	}
	return conv
}

func in(port string) flow.Hop { return flow.Hop{Port: port} }

func through(kind flow.Encapsulation, port string, vni uint32, from, to string) flow.Hop {
	h := tunnelled(port, vni, from, to)
	h.Outer.Kind = kind
	return h
}

func tunnelled(port string, vni uint32, from, to string) flow.Hop {
	return flow.Hop{Port: port, Outer: flow.Outer{Kind: flow.VXLAN, VNI: vni, Src: addr(from), Dst: addr(to)}}
}

// Two clusters with the same pod addresses: the way of the packets tells which, and where it does not, nothing is
// claimed.
func TestOverlappingPodAddresses(t *testing.T) {
	const a, b = "10.244.1.5", "10.244.2.5"
	for name, c := range map[string]struct {
		conv           flow.Conversation
		client, server string // cluster/pod or cluster/node or cluster/service; empty for unknown
		why            string // part of the server's
	}{
		"VXLAN by node addresses, blue":  {between(a, b, tunnelled("w1", 1, "10.1.1.11", "10.1.1.12")), "blue/w1-pod", "blue/w2-pod", ""},
		"VXLAN by node addresses, green": {between(a, b, tunnelled("g1", 4096, "10.1.1.21", "10.1.1.22")), "green/g1-pod", "green/g2-pod", ""},
		"VXLAN, the reply alone":         {between(a, b, in("?"), tunnelled("g2", 4096, "10.1.1.22", "10.1.1.21")), "green/g1-pod", "green/g2-pod", ""},
		"Geneve, with VNIs that pods change": {between(a, b, through(flow.Geneve, "g1", 77, "10.1.1.21", "10.1.1.22"),
			through(flow.Geneve, "g2", 78, "10.1.1.22", "10.1.1.21")), "green/g1-pod", "green/g2-pod", ""},
		"IP-in-IP": {between(a, b, through(flow.IPIP, "g1", 0, "10.1.1.21", "10.1.1.22")), "green/g1-pod", "green/g2-pod", ""},
		"a tunnel to the other cluster's node is nobody's of it": {between(a, b, tunnelled("w1", 1, "10.1.1.11", "10.1.1.22")), "blue/w1-pod", "green/g2-pod", ""},
		"plain routing by port":                                  {between(a, b, in("g1"), in("g2")), "green/g1-pod", "green/g2-pod", ""},
		"plain routing, no reply":                                {between(a, b, in("g1")), "green/g1-pod", "green/g2-pod", ""},
		"plain routing from a port where neither is": {between(a, b, in("elsewhere"), in("elsewhere")), "", "",
			"address is of no known pod"},
		"nothing tells": {between(a, b), "", "", "pods of several clusters have the address"},
		"from outside without a reply": {between("192.0.2.1", b, in("wan")), "", "",
			"pods of several clusters have the address, and nothing tells which: blue shop/w2-pod, green shop/g2-pod"},
		"from outside with a reply":                  {between("192.0.2.1", b, in("wan"), in("g2")), "", "green/g2-pod", ""},
		"the cluster IP that both have, from a node": {between("10.1.1.21", "10.96.0.20", in("g1")), "green/g1", "green/shop/cart", ""},
		"the cluster IP that both have, from outside": {between("192.0.2.1", "10.96.0.20", in("wan")), "", "",
			"nothing but the address"},
		"a load balancer's address is the fabric's":  {between("192.0.2.1", "198.51.100.2", in("wan")), "", "green/shop/cart", ""},
		"one's load balancer from the other's nodes": {between("10.1.1.11", "198.51.100.2", in("w1")), "blue/w1", "green/shop/cart", ""},
		"an overlay of nobody's nodes": {between(a, b, tunnelled("x", 7, "172.16.0.1", "172.16.0.2")), "", "",
			"pods of several clusters have the address"},
	} {
		t.Run(name, func(t *testing.T) {
			correlator, w := start(t)
			twoClusters(correlator)
			if name == "VXLAN, the reply alone" {
				c.conv.ForwardHops = nil
			}
			got, attached := record(correlator, w, c.conv)
			for _, end := range []struct {
				id   flow.Identity
				want string
			}{{got.Client.Identity, c.client}, {got.Server.Identity, c.server}} {
				if who := named(end.id); who != end.want {
					t.Errorf("%q, want %q (%s)", who, end.want, end.id.Why)
				}
			}
			if !strings.Contains(got.Server.Identity.Why, c.why) {
				t.Errorf("why: %q, want %q in it", got.Server.Identity.Why, c.why)
			}
			for _, f := range attached {
				if f.Confidence != 100 || !strings.Contains(c.client+c.server, f.Cluster+"/"+f.PortName) {
					t.Errorf("attached %+v", f)
				}
			}
		})
	}
}

func named(id flow.Identity) string {
	switch {
	case id.Cluster == "":
		return ""
	case id.Pod != "":
		return id.Cluster + "/" + id.Pod
	case id.Service != "" && id.Node == "":
		return id.Cluster + "/" + id.Service
	}
	return id.Cluster + "/" + id.Node
}

// A pod whose address only the other cluster has is not that one: its packets come from somewhere else.
func TestAnAddressOfAnotherClusterIsNobody(t *testing.T) {
	c, w := start(t)
	twoClusters(c)
	became(c, inventory.Pod{Cluster: "blue", Namespace: "shop", Name: "lonely", UID: "lonely", Node: "w1", IPs: []netip.Addr{addr("10.244.1.9")}, Created: at(0)}, at(0))
	if got, _ := record(c, w, between("10.244.1.9", "10.244.2.5", in("g1"), in("g2"))); got.Client.Identity.Cluster == "blue" {
		t.Errorf("packets from behind green's node are said to be of %+v", got.Client.Identity)
	}
	if got, _ := record(c, w, between("10.244.1.9", "192.0.2.1", in("w1"))); got.Client.Identity.Pod != "lonely" {
		t.Errorf("packets from behind blue's node are said to be of %+v", got.Client.Identity)
	}
}

// A node with two uplinks, whose address was learned at one of them, is the same by the other.
func TestTheOtherUplinkOfANode(t *testing.T) {
	c, w := start(t)
	twoClusters(c)
	for _, on := range []string{"leaf1", "leaf2"} {
		became(c, inventory.Port{Switch: on, Name: map[string]string{"leaf1": "g1", "leaf2": "g1b"}[on], Peer: "g1"}, at(0))
	}
	conv := between("10.244.1.5", "192.0.2.1", in("g1b"))
	conv.ForwardHops[0].Switch = "leaf2"
	if got, _ := record(c, w, conv); named(got.Client.Identity) != "green/g1-pod" || got.Client.Identity.Why != "" {
		t.Errorf("%+v", got.Client.Identity)
	}
}

// What a cluster that is not watched any more goes on to send is not the other's, whose pods have the same addresses.
func TestAClusterThatIsNotWatchedAnyMore(t *testing.T) {
	const a, b = "10.244.1.5", "10.244.2.5"
	for name, c := range map[string]struct {
		conv   flow.Conversation
		client string // as named
		why    string // part of the client's
	}{
		"its overlay": {between(a, b, tunnelled("g1", 4096, "10.1.1.21", "10.1.1.22"), tunnelled("g2", 4096, "10.1.1.22", "10.1.1.21")), "",
			"the outer address 10.1.1.21 is of no known node"},
		"its ports":                {between(a, b, in("g1"), in("g2")), "blue/w1-pod", "a guess: its packets enter the fabric where its node is not"},
		"the overlay of the other": {between(a, b, tunnelled("w1", 1, "10.1.1.11", "10.1.1.12")), "blue/w1-pod", ""},
		"the ports of the other":   {between(a, b, in("w1"), in("w2")), "blue/w1-pod", ""},
	} {
		t.Run(name, func(t *testing.T) {
			correlator, w := start(t)
			twoClusters(correlator)
			for _, r := range []inventory.Ref{inventory.Pod{Cluster: "green", UID: "greeng1"}.Ref(), inventory.Pod{Cluster: "green", UID: "greeng2"}.Ref(),
				inventory.Node{Cluster: "green", Name: "g1"}.Ref(), inventory.Node{Cluster: "green", Name: "g2"}.Ref(),
				inventory.Service{Cluster: "green", Namespace: "shop", Name: "cart"}.Ref(), inventory.Cluster{Name: "green"}.Ref()} {
				ended(correlator, r, at(1))
			}
			got, _ := record(correlator, w, c.conv)
			if id := got.Client.Identity; named(id) != c.client || !strings.Contains(id.Why, c.why) || c.why == "" && id.Why != "" {
				t.Errorf("%+v, want %q and %q", id, c.client, c.why)
			}
		})
	}
}

// Two clusters on the same hosts: their nodes have the same addresses, and the VNI tells.
func TestNodesThatShareAnAddress(t *testing.T) {
	for name, vnis := range map[string]func(*Correlator){
		"configured": func(c *Correlator) { became(c, inventory.Cluster{Name: "green", VNIs: []uint32{4096}}, at(0)) },
		"published": func(c *Correlator) {
			for i, n := range []string{"w1", "w2"} {
				became(c, inventory.Node{Cluster: "blue", Name: n, Overlay: inventory.Overlay{VNIs: []uint32{1}},
					Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 1, 1, byte(11 + i)})}}, at(0))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, w := start(t)
			twoClusters(c)
			for i, n := range []string{"g1", "g2"} {
				became(c, inventory.Node{Cluster: "green", Name: n, Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 1, 1, byte(11 + i)})}}, at(0))
			}
			got, _ := record(c, w, between("10.244.1.5", "10.244.2.5", tunnelled("w1", 4096, "10.1.1.11", "10.1.1.12")))
			if a, b := named(got.Client.Identity), named(got.Server.Identity); a+b != "" && a != "green/g1-pod" {
				t.Errorf("%s to %s before the VNI is known", a, b)
			}
			vnis(c)
			conv := between("10.244.1.5", "10.244.2.5", tunnelled("w1", 4096, "10.1.1.11", "10.1.1.12"))
			conv.ID = "later"
			got, _ = record(c, w, conv)
			if a, b := named(got.Client.Identity), named(got.Server.Identity); a != "green/g1-pod" || b != "green/g2-pod" {
				t.Errorf("%s to %s", a, b)
			}
		})
	}
}

func TestEntranceIsNamed(t *testing.T) {
	c, w := start(t)
	twoClusters(c)
	became(c, inventory.Entrance{Cluster: "blue", Kind: "ingress", Namespace: "shop", Name: "web", Addresses: []netip.Addr{addr("198.51.100.7")},
		Services: []string{"shop/cart", "shop/web"}}, at(0))
	got, _ := record(c, w, between("192.0.2.1", "198.51.100.7", in("wan")))
	if id := got.Server.Identity; id.Cluster != "blue" || id.Service != "shop/cart,shop/web" || id.Why != "address of ingress shop/web" {
		t.Errorf("%+v", id)
	}
}
