package correlate

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// A pod's address says nothing of its cluster: several may use the same. What does is the way of its packets:
// inside an overlay the outer address, which is a node's, and the VNI; without one the port where they
// enter the fabric, behind which a node is. Where neither is known, the cluster of the other end counts, since pod
// addresses mean nothing outside of their cluster. While one cluster is watched there is nothing to confuse, but others may be there
// that are not watched, or not any more: then what speaks against a pod counts all the same.

// evidence fills in what both directions of a conversation say of its ends.
func evidence(client, server *side, there, back *path) {
	ends := func(o flow.Outer) (from, to tunnelEnd) {
		return tunnelEnd{address: o.Src, vni: o.VNI, kind: o.Kind}, tunnelEnd{address: o.Dst, vni: o.VNI, kind: o.Kind}
	}
	if o, ok := there.outer(); ok {
		client.tunnel, server.tunnel = ends(o)
	} else if o, ok := back.outer(); ok {
		server.tunnel, client.tunnel = ends(o)
	}
	client.entered, server.entered = there.entrances(), back.entrances()
}

// tunnelEnd is one end of the overlay that packets travelled in; zero for none.
type tunnelEnd struct {
	address netip.Addr
	vni     uint32
	kind    flow.Encapsulation
}

// entrances are the ports by which packets of a direction entered the fabric.
func (p *path) entrances() []place {
	var at []place
	for i := range p.hops {
		h := &p.hops[i]
		if here := (place{h.Switch, h.Port, h.Number}); p.edge(i) && !slices.Contains(at, here) {
			at = append(at, here)
		}
	}
	return at
}

// nodesAt gives the nodes that an end of a tunnel can be. Of nodes with the same address, those are left
// whose cluster is not known to use other VNIs.
func (x *index) nodesAt(t tunnelEnd) []inventory.Ref {
	refs := x.nodeAt[t.address]
	if len(refs) < 2 || (t.kind != flow.VXLAN && t.kind != flow.Geneve) {
		return refs
	}
	if owner, ok := x.ownerOf(t.vni); ok {
		return slices.DeleteFunc(slices.Clone(refs), func(r inventory.Ref) bool { return r.Cluster != owner })
	}
	return slices.DeleteFunc(slices.Clone(refs), func(r inventory.Ref) bool {
		known := append(slices.Clone(x.clusters[r.Cluster].VNIs), x.nodes[r].Overlay.VNIs...)
		return len(known) > 0 && !slices.Contains(known, t.vni)
	})
}

// ownerOf is the cluster that a VNI was configured for.
func (x *index) ownerOf(vni uint32) (string, bool) {
	for name, c := range x.clusters {
		if slices.Contains(c.VNIs, vni) {
			return name, true
		}
	}
	return "", false
}

// narrow keeps the pods that a side can be, by the way of its packets. shown says that this way was
// known, so that it is not the address alone that tells.
func (x *index) narrow(spans []*podSpan, s side) (fit []*podSpan, shown bool) {
	keep := func(match func(*podSpan) bool) []*podSpan {
		return slices.DeleteFunc(slices.Clone(spans), func(p *podSpan) bool { return !match(p) })
	}
	if s.tunnel.address.IsValid() {
		if nodes := x.nodesAt(s.tunnel); len(nodes) > 0 {
			return keep(func(p *podSpan) bool {
				return slices.ContainsFunc(nodes, func(n inventory.Ref) bool { return p.Cluster == n.Cluster && (p.Node == "" || p.Node == n.ID) })
			}), true
		}
		if owner, ok := x.ownerOf(s.tunnel.vni); ok && s.tunnel.kind != flow.IPIP {
			return keep(func(p *podSpan) bool { return p.Cluster == owner }), true
		}
		if len(x.clusters) < 2 { // it is another's, of which nothing is known: the pod's packets have its node's address outside
			return keep(func(p *podSpan) bool { return x.nodeOfPod(p).Name == "" }), true
		}
		return spans, false
	}
	if len(s.entered) == 0 || len(x.clusters) < 2 {
		return spans, len(x.clusters) < 2
	}
	// The port decides, as far as it is known where nodes are.
	located := keep(func(p *podSpan) bool {
		return slices.ContainsFunc(s.entered, func(at place) bool { return x.nodeIsAt(p, at) })
	})
	if len(located) > 0 {
		return located, true
	}
	return keep(func(p *podSpan) bool { return !x.nodeIsSomewhere(p) }), false
}

// nodeIsAt says whether a pod's node was seen at a port, or at another one of the same machine: packets of a node with two
// uplinks come by both, and its address is learned at one.
func (x *index) nodeIsAt(p *podSpan, at place) bool {
	for other := range x.nodePlaces(x.nodeOfPod(p)) {
		if x.together(at, other) {
			return true
		}
	}
	return false
}

// strays says that packets without an overlay came in where the node of a pod is not, which is known to be elsewhere.
func (x *index) strays(p *podSpan, s side) bool {
	if s.tunnel.address.IsValid() || len(s.entered) == 0 || len(x.clusters) > 1 {
		return false
	}
	places := x.nodePlaces(x.nodeOfPod(p))
	for _, at := range s.entered {
		for other := range places {
			if x.together(at, other) {
				return false
			}
		}
	}
	return len(places) > 0
}

func (x *index) nodeIsSomewhere(p *podSpan) bool { return len(x.nodePlaces(x.nodeOfPod(p))) > 0 }

func (x *index) nodeOfPod(p *podSpan) node {
	return x.nodes[inventory.Ref{Kind: inventory.KindNode, Cluster: p.Cluster, ID: p.Node}]
}

// oneCluster leaves the pods of one cluster, that of the other end if there are several. ok is false, with
// the reason, when nothing tells which.
func (x *index) oneCluster(spans []*podSpan, s side, shown bool) (fit []*podSpan, why string, ok bool) {
	if len(x.clusters) < 2 || len(spans) == 0 {
		return spans, "", true
	}
	if s.peer != "" && !(shown && sameCluster(spans)) {
		spans = slices.DeleteFunc(slices.Clone(spans), func(p *podSpan) bool { return p.Cluster != s.peer })
		return spans, "", true
	}
	names := make([]string, len(spans))
	for i, p := range spans {
		names[i] = fmt.Sprintf("%s %s/%s", p.Cluster, p.Namespace, p.Name)
	}
	slices.Sort(names)
	switch {
	case !sameCluster(spans):
		return nil, "pods of several clusters have the address, and nothing tells which: " + strings.Join(slices.Compact(names), ", "), false
	case !shown:
		return nil, "nothing but the address speaks for " + strings.Join(slices.Compact(names), ", "), false
	}
	return spans, "", true
}

func sameCluster(spans []*podSpan) bool {
	return !slices.ContainsFunc(spans, func(p *podSpan) bool { return p.Cluster != spans[0].Cluster })
}
