package access_test

import (
	"net/netip"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest/shop"
)

// canaries are names, identifiers and addresses of the other tenant, and of nodes.
func canaries() []string {
	return []string{"rival", "10.66.66.", "172.16.1.11", "203.0.113.9", "uid-cart"}
}

// rivals are the other tenant's objects, and one of our own that talks with them.
func rivals() []inventory.Fact {
	addr := netip.MustParseAddr
	mine := inventory.Pod{Cluster: "blue", Namespace: "mine", Name: "mine-1", UID: "uid-mine", IPs: []netip.Addr{addr("10.55.55.5")}, Phase: "Running"}
	other := inventory.Pod{Cluster: "blue", Namespace: "rival", Name: "rival-1", UID: "uid-rival", IPs: []netip.Addr{addr("10.66.66.6")}, Phase: "Running"}
	end := func(p inventory.Pod) flow.End {
		return flow.End{Address: p.IPs[0], Port: 80, Identity: flow.Identity{Cluster: "blue", Namespace: p.Namespace, Pod: p.Name, PodUID: p.UID,
			Service: p.Namespace + "/svc,rival/other", Node: "worker1", Switch: "leaf1", Port: "swp3", Why: "was rival/rival-2 before"}}
	}
	hops := []flow.Hop{{Switch: "leaf1", Port: "swp3", Number: 3, Outer: flow.Outer{Kind: flow.VXLAN, Src: addr("172.16.1.11"), Dst: addr("172.16.2.12")},
		Counters: flow.Counters{Packets: 1, Bytes: 100}, First: shop.Epoch(), Last: shop.Epoch()}}
	talk := func(id string, a, b inventory.Pod) flow.Conversation {
		return flow.Conversation{ID: id, Protocol: flow.TCP, Client: end(a), Server: end(b), ForwardHops: hops, Forward: flow.Counters{Packets: 1, Bytes: 100},
			First: shop.Epoch(), Last: shop.Epoch(), Legs: []flow.Leg{{ID: "1e6", Side: flow.Front, Candidates: 2, Reason: "or rival/rival-1", End: end(other)}}}
	}
	facts := []inventory.Fact{
		inventory.LinkLoss{A: inventory.PortRef{Switch: "rival-leaf", Port: "1"}, B: inventory.PortRef{Switch: "leaf2", Port: "1"}, Lossy: true},
		inventory.Service{Cluster: "blue", Namespace: "mine", Name: "svc", UID: "uid-mine-svc", Type: "ClusterIP", VIPs: []inventory.VIP{{Kind: "cluster-ip", Address: addr("10.55.55.6")}}},
		inventory.Service{Cluster: "blue", Namespace: "rival", Name: "svc", UID: "uid-rival-svc", Type: "ClusterIP", VIPs: []inventory.VIP{{Kind: "cluster-ip", Address: addr("10.66.66.7")}}},
		inventory.Member{Cluster: "blue", Namespace: "mine", Service: "svc", Address: mine.IPs[0], PodUID: mine.UID, Pod: mine.Name, Ready: true},
		inventory.Member{Cluster: "blue", Namespace: "rival", Service: "svc", Address: other.IPs[0], PodUID: other.UID, Pod: other.Name, Ready: true},
		inventory.Namespace{Cluster: "blue", Name: "rival"}, inventory.Namespace{Cluster: "blue", Name: "mine"}, mine, other,
		inventory.Attachment{Cluster: "blue", Namespace: "mine", PodUID: "uid-mine", Switch: "leaf1", PortName: "swp3", Since: shop.Epoch(), Conflict: "rival's"},
		inventory.Attachment{Cluster: "blue", Namespace: "rival", PodUID: "uid-rival", Switch: "leaf1", PortName: "swp3", Since: shop.Epoch()},
		inventory.Entrance{Cluster: "blue", Kind: inventory.EntranceGateway, Namespace: "mine", Name: "gate", Services: []string{"mine/svc", "rival/svc"}},
		inventory.Event{Cluster: "blue", UID: "uid-rival-event", Type: "Normal", Kind: "Pod", Namespace: "rival", Name: "rival-1"},
		inventory.Pod{Cluster: "green", Namespace: "mine", Name: "rival-green", UID: "uid-rival-green", Phase: "Running"},
		talk("aaaa", mine, other), talk("bbbb", other, mine), talk("cccc", other, other),
	}
	return append(append(facts, asked()...), found()...)
}

// asked are edges between the two, each way, and of either alone.
func asked() []inventory.Fact {
	service := func(namespace, name string) flow.Party {
		return flow.Party{Cluster: "blue", Namespace: namespace, Kind: flow.PartyService, Name: name}
	}
	workload := func(namespace string) flow.Party {
		return flow.Party{Cluster: "blue", Namespace: namespace, Kind: "Deployment", Name: namespace + "-1"}
	}
	node, outside := flow.Party{Cluster: "blue", Kind: flow.PartyNode, Name: "rival-node"}, flow.Party{Kind: flow.PartyOutside}
	var edges []inventory.Fact
	for id, parties := range map[string][2]flow.Party{
		"e-mine":         {workload("mine"), service("mine", "svc")},
		"e-to-rival":     {workload("mine"), service("rival", "svc")},
		"e-from-rival":   {workload("rival"), service("mine", "svc")},
		"e-rival":        {workload("rival"), service("rival", "svc")},
		"e-from-node":    {node, service("mine", "svc")},
		"e-from-outside": {outside, service("mine", "svc")},
		"e-node-rival":   {node, service("rival", "svc")},
		"e-both":         {workload("mine"), service("rival", "svc,mine/svc")},
	} {
		edges = append(edges, flow.Edge{ID: id, Client: parties[0], Server: parties[1], Protocol: flow.TCP, Port: 80, First: shop.Epoch(), Last: shop.Epoch()})
	}
	return edges
}

// found are findings of either, and of what is nobody's.
func found() []inventory.Fact {
	var findings []inventory.Fact
	for kind, subjects := range map[string][]inventory.Subject{
		"unanswered-port": {{Kind: "service", Cluster: "blue", Name: "mine/svc:80"}, {Kind: "service", Cluster: "blue", Name: "mine/svc,rival/svc:80"},
			{Kind: "service", Cluster: "blue", Name: "rival/svc:80"}, {Kind: "pod", Cluster: "blue", Name: "mine/mine-1:81"},
			{Kind: "pod", Cluster: "blue", Name: "rival/rival-1:81"}, {Kind: "pod", Cluster: "green", Name: "mine/rival-green:81"},
			{Kind: "node", Cluster: "blue", Name: "rival-node:22"}, {Kind: "address", Name: "10.66.66.6:80"}},
		"no-endpoints":      {{Kind: "service", Cluster: "blue", Name: "mine/svc"}, {Kind: "service", Cluster: "blue", Name: "rival/svc"}},
		"lossy-link":        {{Kind: "link", Name: "rival-leaf/1>leaf2/1"}},
		"location-conflict": {{Kind: "pod", Cluster: "blue", Name: "uid-rival@leaf1/swp3"}},
		"api-gap":           {{Kind: "cluster", Cluster: "blue", Name: "blue"}},
		"something-new":     {{Kind: "pod", Cluster: "blue", Name: "mine/rival-in-the-text"}},
	} {
		for _, s := range subjects {
			findings = append(findings, inventory.Finding{ID: kind + ":" + s.Kind + ":" + s.Cluster + "/" + s.Name, Kind: kind, Severity: inventory.Minor,
				Subject: s, Since: shop.Epoch(), Evidence: 3, Text: s.Kind + " " + s.Name + " is not well"})
		}
	}
	return findings
}
