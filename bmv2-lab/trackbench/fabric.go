package main

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/correlate"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// The fabric: leaves that are cabled to every spine, nodes behind the leaves, pods on the nodes.
// Numbers are such that a million flows fill most of what the caches of the switches can hold.
const (
	leaves       = 7
	spines       = 2
	switches     = leaves + spines // leaves come first
	nodesPerLeaf = 20
	podsPerNode  = 40
	nodes        = leaves * nodesPerLeaf
	pods         = nodes * podsPerNode
	services     = 1000
	slots        = 1 << 17 // of a switch's cache: as many as two ways of 16 bits address
	firstUplink  = 101     // a leaf's port to the first spine
)

func switchName(sw int) string {
	if sw < leaves {
		return fmt.Sprintf("leaf%d", sw+1)
	}
	return fmt.Sprintf("spine%d", sw-leaves+1)
}

func leafOf(pod int) int { return pod / podsPerNode / nodesPerLeaf }

// hostPort is the leaf's port that a pod's node is behind.
func hostPort(pod int) uint32 { return uint32(pod/podsPerNode%nodesPerLeaf) + 1 }

func nodeAddress(node int) netip.Addr {
	return netip.AddrFrom4([4]byte{172, 16, byte(node >> 8), byte(node)})
}

func podAddress(pod int) netip.Addr {
	node := pod / podsPerNode
	return netip.AddrFrom4([4]byte{10, byte(64 + node>>8), byte(node), byte(2 + pod%podsPerNode)})
}

// facts are what the Kubernetes API and the fabric say.
func facts() []inventory.Fact {
	created := time.Now().Add(-time.Hour)
	var out []inventory.Fact
	port := func(sw int, n uint32) inventory.PortRef {
		return inventory.PortRef{Switch: switchName(sw), Port: inventory.PortName(n), Number: n}
	}
	for leaf := range leaves {
		for spine := range spines {
			a, b := port(leaf, firstUplink+uint32(spine)), port(leaves+spine, uint32(leaf)+1)
			out = append(out, inventory.Link{A: a, B: b}, inventory.Link{A: b, B: a})
		}
	}
	for node := range nodes {
		at := port(node/nodesPerLeaf, uint32(node%nodesPerLeaf)+1)
		out = append(out,
			inventory.Node{Cluster: "blue", Name: fmt.Sprintf("worker%d", node), Addresses: []netip.Addr{nodeAddress(node)}, Created: created},
			inventory.Endpoint{Switch: at.Switch, Port: at.Port, Number: at.Number, Address: nodeAddress(node), MAC: "02:00:00:00:00:01"})
	}
	for service := range services {
		out = append(out, inventory.Service{Cluster: "blue", Namespace: "shop", Name: fmt.Sprintf("service%d", service), Created: created})
	}
	for pod := range pods {
		p := inventory.Pod{Cluster: "blue", Namespace: "shop", Name: fmt.Sprintf("pod%d", pod), UID: fmt.Sprintf("uid-%d", pod),
			Node: fmt.Sprintf("worker%d", pod/podsPerNode), IPs: []netip.Addr{podAddress(pod)}, Phase: "Running", Created: created}
		out = append(out, p, inventory.Member{Cluster: "blue", Namespace: "shop", Service: fmt.Sprintf("service%d", pod%services),
			Address: p.IPs[0], PodUID: p.UID, Pod: p.Name, Ports: []inventory.MemberPort{{Protocol: "TCP", Port: 8080}}, Ready: true})
	}
	return out
}

// source gives the facts to the correlator. Nothing changes afterwards.
type source []inventory.Fact

func (s source) Subscribe() (inventory.Lister, correlate.Feed) { return s, s }

func (s source) All(k inventory.Kind) func(func(inventory.Entry) bool) {
	return func(yield func(inventory.Entry) bool) {
		for _, f := range s {
			if f.Ref().Kind == k && !yield(inventory.Entry{Fact: f, Event: time.Now().Add(-time.Hour)}) {
				return
			}
		}
	}
}

func (s source) Next(ctx context.Context) ([]inventory.Update, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (s source) Close() {}
