// Package shop has facts for tests: a small fabric that carries a web shop.
package shop

import (
	"net/netip"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// Epoch is when everything in Facts became so. Conversations go on for some minutes more.
func Epoch() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// Facts is a small fabric with one cluster: two leaves and a spine; two workers and a client
// outside; a web shop whose frontend calls a cart. Every leaf of the models that the server
// gives occurs in it.
func Facts() []inventory.Fact {
	facts := append(cluster(), fabric()...)
	for _, c := range conversations() {
		facts = append(facts, c)
	}
	return append(append(facts, edges()...), findings()...)
}

// findings are a link that loses packets and a service that does not answer.
func findings() []inventory.Fact {
	return []inventory.Fact{
		inventory.Finding{ID: "lossy-link:link:leaf2/swp1>spine1/swp2", Kind: "lossy-link", Severity: inventory.Major,
			Subject: inventory.Subject{Kind: "link", Name: "leaf2/swp1>spine1/swp2"}, Since: Epoch().Add(time.Minute), Evidence: 110,
			Text: "leaf2/swp1>spine1/swp2 loses 1.1% of the packets: 110 of 10000 lately"},
		inventory.Finding{ID: "unanswered-port:service:blue/shop/frontend:80", Kind: "unanswered-port", Severity: inventory.Critical,
			Subject: inventory.Subject{Kind: "service", Cluster: "blue", Name: "shop/frontend:80"}, Since: Epoch(), Evidence: 3,
			Text: "service shop/frontend:80 does not answer: 3 connections without an answer"},
	}
}

// edges are the frontend's calls of the cart, and those from outside of the frontend, of which some failed.
func edges() []inventory.Fact {
	service := func(name string) flow.Party {
		return flow.Party{Cluster: "blue", Namespace: "shop", Kind: flow.PartyService, Name: name}
	}
	return []inventory.Fact{
		flow.Edge{ID: "ed6e01", Client: flow.Party{Cluster: "blue", Namespace: "shop", Kind: "Deployment", Name: "frontend"}, Server: service("cart"),
			Protocol: flow.TCP, Port: 8080, First: Epoch(), Last: Epoch().Add(2 * time.Minute), EdgeCounts: flow.EdgeCounts{
				Forward: flow.Counters{Packets: 12, Bytes: 3456}, Reverse: flow.Counters{Packets: 10, Bytes: 2345678}, Connections: 4, Lost: 2,
				Handshakes: 4, ServerTime: 6400 * time.Microsecond, ClientTime: 600 * time.Microsecond, Buckets: [flow.HandshakeBuckets]uint64{3, 0, 1}}},
		flow.Edge{ID: "ed6e02", Client: flow.Party{Kind: flow.PartyOutside}, Server: service("frontend"),
			Protocol: flow.TCP, Port: 80, First: Epoch(), Last: Epoch().Add(time.Second), EdgeCounts: flow.EdgeCounts{
				Forward: flow.Counters{Packets: 6, Bytes: 600}, Connections: 3, Refused: 1, Unanswered: 2, Retransmitted: 5}},
	}
}

// Pod gives a pod of the shop. app is also its service and its workload.
func Pod(app, suffix, uid, node, ip string) inventory.Pod {
	return inventory.Pod{
		Cluster: "blue", Namespace: "shop", Name: app + "-" + suffix, UID: uid, Node: node,
		Labels:   map[string]string{"app": app, "tier": tier(app)},
		Workload: inventory.Workload{Kind: "Deployment", Name: app},
		IPs:      []netip.Addr{netip.MustParseAddr(ip)}, Phase: "Running", Ready: true,
		Created: Epoch().Add(-time.Minute), ReadySince: Epoch(),
	}
}

func tier(app string) string {
	if app == "frontend" {
		return "web"
	}
	return "backend"
}

// Attachment gives where a pod sits.
func Attachment(uid, on string, port uint32, name string) inventory.Attachment {
	return inventory.Attachment{Cluster: "blue", PodUID: uid, Switch: on, Port: port, PortName: name,
		Since: Epoch(), How: inventory.ByBoth, Confidence: 100}
}

func member(p inventory.Pod, service string, port uint16) inventory.Member {
	return inventory.Member{Cluster: p.Cluster, Namespace: p.Namespace, Service: service, Address: p.IPs[0],
		PodUID: p.UID, Pod: p.Name, Node: p.Node, Ready: true, Serving: true,
		Ports: []inventory.MemberPort{{Name: "http", Protocol: "TCP", Port: port}}}
}

func cluster() []inventory.Fact {
	addr := netip.MustParseAddr
	frontend := Pod("frontend", "5d9c-aaaaa", "uid-frontend-1", "worker1", "10.244.1.5")
	cart1 := Pod("cart", "7f6b-bbbbb", "uid-cart-1", "worker2", "10.244.2.7")
	cart2 := Pod("cart", "7f6b-ccccc", "uid-cart-2", "worker1", "10.244.1.6")
	proxy := inventory.Pod{Cluster: "blue", Namespace: "kube-system", Name: "node-agent-x", UID: "uid-agent-1",
		Node: "worker1", IPs: []netip.Addr{addr("172.16.1.11"), addr("fd00:1::11")}, HostNetwork: true, Phase: "Running",
		Restarts: 2, Reason: "OOMKilled", Created: Epoch()}
	return []inventory.Fact{
		inventory.Cluster{Name: "blue", Server: "https://172.16.0.10:6443", State: "synced"},
		inventory.Cluster{Name: "green", Server: "https://172.16.9.10:6443", State: "unreachable", Message: "connection refused",
			VNIs: []uint32{4096}, Denied: []string{"events"}},
		inventory.Gap{Cluster: "green", Since: Epoch().Add(-time.Minute), Why: "connection refused"},
		inventory.Namespace{Cluster: "blue", Name: "shop", Labels: map[string]string{"team": "shop"}},
		inventory.Namespace{Cluster: "blue", Name: "kube-system"},
		node("worker1", "172.16.1.11", "10.244.1.0/24"), node("worker2", "172.16.2.12", "10.244.2.0/24"),
		frontend, cart1, cart2, proxy,
		inventory.Service{Cluster: "blue", Namespace: "shop", Name: "frontend", UID: "uid-svc-1", Type: "LoadBalancer",
			Labels: map[string]string{"app": "frontend"}, Selector: map[string]string{"app": "frontend"},
			VIPs: []inventory.VIP{{Kind: "cluster-ip", Address: addr("10.96.0.20")},
				{Kind: "external-ip", Address: addr("198.51.100.4")}, {Kind: "load-balancer", Address: addr("198.51.100.5")}},
			Hostnames: []string{"lb.example"},
			Ports:     []inventory.ServicePort{{Name: "http", Protocol: "TCP", Port: 80, TargetPort: "http", NodePort: 30080}},
			Created:   Epoch()},
		inventory.Entrance{Cluster: "blue", Kind: inventory.EntranceIngress, Namespace: "shop", Name: "web", Class: "nginx",
			Addresses: []netip.Addr{addr("198.51.100.7")}, Hostnames: []string{"web.example"}, Ports: []uint16{80, 443}, Services: []string{"shop/frontend"}},
		inventory.Event{Cluster: "blue", UID: "uid-event-1", Type: "Warning", Reason: "Unhealthy", Message: "Readiness probe failed", Source: "kubelet",
			Kind: "Pod", Namespace: "shop", Name: "cart-7f6b-bbbbb", ObjectUID: "uid-cart-1", Count: 3, First: Epoch(), Last: Epoch().Add(time.Minute)},
		inventory.Service{Cluster: "blue", Namespace: "shop", Name: "cart", UID: "uid-svc-2", Type: "ClusterIP",
			Selector: map[string]string{"app": "cart"}, VIPs: []inventory.VIP{{Kind: "cluster-ip", Address: addr("10.96.0.21")}},
			Ports: []inventory.ServicePort{{Protocol: "TCP", Port: 8080, TargetPort: "8080"}}, Created: Epoch()},
		member(frontend, "frontend", 8000), member(cart1, "cart", 8080), member(cart2, "cart", 8080),
		inventory.Member{Cluster: "blue", Namespace: "shop", Service: "cart", Address: addr("192.0.2.99"), Terminating: true},
		Attachment("uid-frontend-1", "leaf1", 3, "swp3"), Attachment("uid-cart-2", "leaf1", 3, "swp3"),
		Attachment("uid-cart-1", "leaf2", 3, "swp3"),
		inventory.Attachment{Cluster: "blue", PodUID: "uid-agent-1", Switch: "leaf1", Port: 3, PortName: "swp3",
			Since: Epoch(), How: inventory.ByNodeAddress, Confidence: 50, Conflict: "172.16.1.11 is 02:00:00:00:09:09's, too, at leaf2/swp9"},
	}
}

func node(name, ip, cidr string) inventory.Node {
	return inventory.Node{Cluster: "blue", Name: name, Labels: map[string]string{"kubernetes.io/hostname": name},
		Addresses: []netip.Addr{netip.MustParseAddr(ip)}, PodCIDRs: []netip.Prefix{netip.MustParsePrefix(cidr)},
		Overlay: inventory.Overlay{Addresses: []netip.Addr{netip.MustParseAddr(ip)}, VNIs: []uint32{1},
			Inner: []netip.Addr{netip.MustParsePrefix(cidr).Addr()}},
		Ready: true, Unschedulable: name == "worker2", Problems: []string{"DiskPressure"}, Created: Epoch()}
}

func fabric() []inventory.Fact {
	facts := []inventory.Fact{
		inventory.Switch{Name: "leaf1", DeviceID: 1, Address: "127.0.0.1:9559", Role: "leaf", State: "ready", ElectionID: 2, PrimaryID: 2},
		inventory.FlowCache{Switch: "leaf1", CountingSince: Epoch(), ReadOuts: 3, ReadOut: Epoch().Add(time.Minute), ReadOutTook: 1500 * time.Millisecond,
			ClockZero: Epoch().Add(-time.Hour), ClockError: 250 * time.Microsecond, ClockMeasured: Epoch().Add(4 * time.Minute)},
		inventory.Switch{Name: "leaf2", DeviceID: 2, Address: "127.0.0.1:9560", Role: "leaf", State: "ready"},
		inventory.Switch{Name: "spine1", DeviceID: 3, Address: "127.0.0.1:9561", Role: "spine", State: "unreachable",
			Message: "dial: connection refused"},
		link("leaf1", "swp1", 1, "spine1", "swp1", 1), link("spine1", "swp1", 1, "leaf1", "swp1", 1),
		link("leaf2", "swp1", 1, "spine1", "swp2", 2),
		inventory.LinkLoss{A: ref("leaf1", "swp1", 1), B: ref("spine1", "swp1", 1), Packets: 1200},
		inventory.LinkLoss{A: ref("leaf2", "swp1", 1), B: ref("spine1", "swp2", 2), Packets: 70000, Lost: 120, Lossy: true,
			Since: Epoch().Add(time.Minute), Recent: inventory.LossShare{Packets: 10000, Lost: 110}},
		inventory.Endpoint{Switch: "leaf1", Port: "swp3", Number: 3, Address: netip.MustParseAddr("172.16.1.11"), MAC: "02:00:00:00:01:0b"},
		inventory.Endpoint{Switch: "leaf2", Port: "swp3", Number: 3, Address: netip.MustParseAddr("172.16.2.12"), MAC: "02:00:00:00:02:0c"},
	}
	for _, p := range []struct {
		inventory.Port
		packets, bytes uint64
	}{
		{inventory.Port{Switch: "leaf1", Number: 1, Name: "swp1", Peer: "spine1"}, 900, 90000},
		{inventory.Port{Switch: "leaf1", Number: 3, Name: "swp3", Peer: "worker1", Admin: "up", Oper: "up", Changed: Epoch().Add(-time.Hour)}, 1234567, 987654321},
		{inventory.Port{Switch: "leaf2", Number: 1, Name: "swp1", Admin: "up", Oper: "up"}, 10, 1000},
		{inventory.Port{Switch: "leaf2", Number: 3, Name: "swp3", Peer: "worker2", Admin: "up", Oper: "up"}, 20, 2000},
		{inventory.Port{Switch: "spine1", Number: 1, Name: "swp1", Unknown: "the switch does not tell: it serves no gNMI"}, 30, 3000},
	} {
		facts = append(facts, p.Port, inventory.Accounting{Switch: p.Switch, Port: p.Name, Number: p.Number,
			PortPackets: p.packets, PortBytes: p.bytes, RecordPackets: p.packets - 5, RecordBytes: p.bytes - 500,
			BucketPackets: 5, BucketBytes: 500, Buckets: inventory.Buckets{Fragment: inventory.Bucket{Packets: 2, Bytes: 250},
				LLDP: inventory.Bucket{Packets: 3, Bytes: 250}}})
	}
	return append(facts, inventory.Port{Switch: "spine1", Number: 2, Name: "swp2"}, lossy())
}

// lossy is the accounting of a port whose reports were lost at two times.
func lossy() inventory.Accounting {
	at := func(seconds int) time.Time { return Epoch().Add(time.Duration(seconds) * time.Second) }
	return inventory.Accounting{Switch: "spine1", Port: "swp2", Number: 2, PortPackets: 40, PortBytes: 4000,
		RecordPackets: 30, RecordBytes: 3000, BucketPackets: 3, BucketBytes: 250, Buckets: inventory.Buckets{LLDP: inventory.Bucket{Packets: 3, Bytes: 250}},
		ResiduePackets: 7, ResidueBytes: 750, MissingPackets: 5, MissingBytes: 500, Losses: []inventory.Loss{
			{Number: 1, Since: at(60), Until: at(75), Packets: 5, Bytes: 500, Settled: true, Generations: 3, Gaps: []inventory.SlotGap{
				{Slot: 12, First: 4, Last: 5, Generations: 2, Seen: at(71)},
				{Slot: 4711, First: 9, Last: 9, Generations: 1, Seen: at(72), Conversation: "974cc835817fb5b7"}}},
			{Number: 2, Since: at(90), Until: at(99), Packets: 2, Bytes: 250, Generations: 1, Gaps: []inventory.SlotGap{
				{Slot: 8, First: 65535, Last: 65535, Generations: 1, Seen: at(98)}}},
		}}
}

func ref(sw, port string, number uint32) inventory.PortRef {
	return inventory.PortRef{Switch: sw, Port: port, Number: number}
}

func link(a, ap string, an uint32, b, bp string, bn uint32) inventory.Link {
	return inventory.Link{A: ref(a, ap, an), B: ref(b, bp, bn)}
}

func segment(a, out, b, in string, packets, lost uint64) flow.Segment {
	return flow.Segment{Switch: a, Out: []inventory.PortRef{{Switch: a, Port: out}}, In: []inventory.PortRef{{Switch: b, Port: in}},
		Packets: packets, Lost: lost, Final: true}
}

// crossing is a segment that is a cable which loses packets.
func crossing(s flow.Segment) flow.Segment {
	s.Cables = []flow.LossyCable{{Out: s.Out[0], In: s.In[0], Since: Epoch().Add(time.Minute), LossShare: inventory.LossShare{Packets: 10000, Lost: 110}}}
	return s
}

// conversations are the frontend's call of the cart through the overlay, a ping from
// outside, a question by ARP, and an encrypted tunnel inside of another.
func conversations() []flow.Conversation {
	addr := netip.MustParseAddr
	tunnel := func(src, dst string) flow.Outer {
		return flow.Outer{Kind: flow.VXLAN, VNI: 1, Src: addr(src), Dst: addr(dst)}
	}
	hop := func(sw, port string, n uint32, o flow.Outer, packets, bytes uint64) flow.Hop {
		out := map[string][]string{"leaf1 swp3": {"swp1"}, "spine1 swp1": {"swp2"}, "spine1 swp2": {"swp1"}, "leaf2 swp3": {"swp1"}}[sw+" "+port]
		return flow.Hop{Switch: sw, Port: port, Number: n, Out: out, Outer: o, Counters: flow.Counters{Packets: packets, Bytes: bytes},
			First: Epoch(), Last: Epoch().Add(2 * time.Minute)}
	}
	shaken := func(h flow.Hop) flow.Hop {
		h.Flags, h.SYNs, h.LastSYN, h.FirstACK, h.Incomplete = flow.SYN|flow.ACK, 1, Epoch(), Epoch().Add(550*time.Microsecond), true
		return h
	}
	there, back := tunnel("172.16.1.11", "172.16.2.12"), tunnel("172.16.2.12", "172.16.1.11")
	unknown := segment("leaf2", "swp1", "spine1", "swp2", 0, 0)
	unknown.Final, unknown.Incomplete = false, true
	return append(translated(hop, back, unknown), []flow.Conversation{{
		ID: "c0ffee", Protocol: flow.TCP,
		Client: flow.End{Address: addr("10.244.1.5"), Port: 40001, Identity: flow.Identity{Cluster: "blue", Namespace: "shop",
			Pod: "frontend-5d9c-aaaaa", PodUID: "uid-frontend-1", Service: "shop/frontend", Node: "worker1", Switch: "leaf1", Port: "swp3"}},
		Server: flow.End{Address: addr("10.244.2.7"), Port: 8080, Identity: flow.Identity{Cluster: "blue", Namespace: "shop",
			Pod: "cart-7f6b-bbbbb", PodUID: "uid-cart-1", Service: "shop/cart", Node: "worker2", Switch: "leaf2", Port: "swp3"}},
		Forward: flow.Counters{Packets: 12, Bytes: 3456}, Reverse: flow.Counters{Packets: 10, Bytes: 2345678},
		ForwardHops: []flow.Hop{shaken(hop("leaf1", "swp3", 3, there, 12, 3456)), hop("spine1", "swp1", 1, there, 12, 3456),
			hop("leaf2", "swp1", 1, there, 12, 3456)},
		ReverseHops: []flow.Hop{hop("leaf2", "swp3", 3, back, 10, 2345678), hop("spine1", "swp2", 2, back, 10, 2345678),
			hop("leaf1", "swp1", 1, back, 10, 2345678)},
		Handshake: &flow.Handshake{State: flow.Established, Switch: "leaf1", SYNs: 1, SYNACKs: 1,
			ServerRTT: 400 * time.Microsecond, ClientRTT: 150 * time.Microsecond},
		ForwardSegments: []flow.Segment{segment("leaf1", "swp1", "spine1", "swp1", 12, 0), segment("spine1", "swp2", "leaf2", "swp1", 12, 0)},
		ReverseSegments: []flow.Segment{crossing(segment("leaf2", "swp1", "spine1", "swp2", 12, 2)), segment("spine1", "swp1", "leaf1", "swp1", 10, 0)},
		ForwardFlags:    flow.SYN | flow.ACK | flow.FIN, ReverseFlags: flow.SYN | flow.ACK,
		First: Epoch(), Last: Epoch().Add(2 * time.Minute),
	}, {
		ID: "f00d", Protocol: flow.ICMP, ICMPType: 8 << 8,
		Client:  flow.End{Address: addr("203.0.113.9"), Port: 77, Identity: flow.Identity{Why: "outside every cluster", Switch: "leaf1", Port: "swp3"}},
		Server:  flow.End{Address: addr("172.16.2.12"), Identity: flow.Identity{Cluster: "blue", Node: "worker2"}},
		Forward: flow.Counters{Packets: 3, Bytes: 294}, Reverse: flow.Counters{Packets: 3, Bytes: 294},
		ForwardHops: []flow.Hop{hop("leaf1", "swp3", 3, flow.Outer{}, 3, 294)},
		First:       Epoch(), Last: Epoch().Add(time.Minute),
	}, {
		ID: "a4b", Protocol: flow.ARP,
		Client: flow.End{Address: addr("172.16.1.11"), Identity: flow.Identity{Cluster: "blue", Node: "worker1"}},
		Server: flow.End{Address: addr("172.16.1.1"), Identity: flow.Identity{Why: "not a host"}}, Forward: flow.Counters{Packets: 1, Bytes: 60},
		ForwardHops: []flow.Hop{hop("leaf1", "swp3", 3, flow.Outer{}, 1, 60)},
		First:       Epoch(), Last: Epoch(),
	}, {
		ID: "e5b", Protocol: flow.ESP, Opaque: flow.OpaqueESP,
		Client:  flow.End{Address: addr("203.0.113.9"), Identity: flow.Identity{Why: "outside every cluster", Switch: "leaf1", Port: "swp3"}},
		Server:  flow.End{Address: addr("198.51.100.1"), Identity: flow.Identity{Why: "outside every cluster"}},
		Forward: flow.Counters{Packets: 2, Bytes: 300},
		ForwardHops: []flow.Hop{hop("leaf1", "swp3", 3,
			flow.Outer{Kind: flow.InGRE, VNI: 7, Src: addr("203.0.113.1"), Dst: addr("198.51.100.2")}, 2, 300)},
		First: Epoch(), Last: Epoch().Add(time.Second),
	}}...)
}

// translated are the two legs of a connection to the load balancer's address of the frontend, and
// a question by UDP of which the other leg is a guess, and gone.
func translated(hop func(string, string, uint32, flow.Outer, uint64, uint64) flow.Hop, tunnel flow.Outer, unknown flow.Segment) []flow.Conversation {
	addr := netip.MustParseAddr
	client := flow.End{Address: addr("203.0.113.9"), Port: 50000, Identity: flow.Identity{Why: "outside every cluster", Switch: "leaf2", Port: "swp4"}}
	service := flow.End{Address: addr("198.51.100.5"), Port: 80, Identity: flow.Identity{Cluster: "blue", Service: "shop/frontend", Why: "virtual address"}}
	node := flow.End{Address: addr("10.244.2.0"), Port: 61000, Identity: flow.Identity{Cluster: "blue", Node: "worker2", Switch: "leaf2", Port: "swp3"}}
	pod := flow.End{Address: addr("10.244.1.5"), Port: 8000, Identity: flow.Identity{Cluster: "blue", Namespace: "shop", Pod: "frontend-5d9c-aaaaa",
		PodUID: "uid-frontend-1", Service: "shop/frontend", Node: "worker1", Switch: "leaf1", Port: "swp3"}}
	front := flow.Conversation{ID: "1e6f", Protocol: flow.TCP, Client: client, Server: service, Forward: flow.Counters{Packets: 6, Bytes: 600},
		ForwardHops: []flow.Hop{hop("leaf2", "swp4", 4, flow.Outer{}, 6, 600)}, First: Epoch(), Last: Epoch().Add(time.Second),
		Legs: []flow.Leg{{ID: "1e6b", Side: flow.Back, Exact: true, Candidates: 1, End: pod}}}
	back := flow.Conversation{ID: "1e6b", Protocol: flow.TCP, Client: node, Server: pod, Forward: flow.Counters{Packets: 6, Bytes: 900},
		ForwardHops: []flow.Hop{hop("leaf2", "swp3", 3, tunnel, 6, 900), hop("spine1", "swp2", 2, tunnel, 6, 900)},
		First:       Epoch(), Last: Epoch().Add(time.Second), ForwardSegments: []flow.Segment{unknown},
		Legs: []flow.Leg{{ID: "1e6f", Side: flow.Front, Exact: true, Candidates: 1, End: client}}}
	guess := flow.Conversation{ID: "1e60", Protocol: flow.UDP, Client: client, Server: service, Forward: flow.Counters{Packets: 1, Bytes: 100},
		ForwardHops: []flow.Hop{hop("leaf2", "swp4", 4, flow.Outer{}, 1, 100)}, First: Epoch(), Last: Epoch(),
		Legs: []flow.Leg{{ID: "90ee", Side: flow.Back, Candidates: 2, Reason: "only by service, node and time", End: pod}}}
	return []flow.Conversation{front, back, guess}
}
