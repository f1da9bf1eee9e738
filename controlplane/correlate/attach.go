package correlate

import (
	"net/netip"
	"slices"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// Confidence in percent, by how an attachment is known. A node's own address at a port says
// where its pods are while the node is not multi-homed; a pod's own address says it of the
// one pod, but an address can be forged or stale; both together leave no doubt.
const (
	confidenceInner = 80
	confidenceNode  = 90
	confidenceBoth  = 100
)

// attachments keeps where every pod sits.
type attachments struct {
	index *index
	inner map[inventory.Ref]map[place]time.Time    // pods by where their own address entered, since when
	known map[inventory.Ref][]inventory.Attachment // by pod
}

type place struct {
	sw     string
	port   string
	number uint32
}

func newAttachments(x *index) *attachments {
	return &attachments{index: x, inner: map[inventory.Ref]map[place]time.Time{}, known: map[inventory.Ref][]inventory.Attachment{}}
}

// update brings the attachments up to a change that the index has taken already.
func (a *attachments) update(r inventory.Ref, e inventory.Entry) []inventory.Change {
	switch r.Kind {
	case inventory.KindPod:
		if e.Fact == nil {
			delete(a.inner, r)
		}
		return a.pod(r, e.Event)
	case inventory.KindNode:
		return a.podsOf(func(p *podSpan) bool { return p.Cluster == r.Cluster && p.Node == r.ID }, e.Event)
	case inventory.KindEndpoint:
		return a.podsOf(func(p *podSpan) bool { return p.Node != "" }, e.Event)
	}
	return nil
}

// load takes an attachment that an earlier run established.
func (a *attachments) load(f inventory.Attachment) {
	pod := inventory.Ref{Kind: inventory.KindPod, Cluster: f.Cluster, ID: f.PodUID}
	a.known[pod] = append(a.known[pod], f)
	if f.How != inventory.ByNodeAddress {
		a.sighted(pod, place{f.Switch, f.PortName, f.Port}, f.Since)
	}
}

// saw notes that a pod's own address entered the fabric at a port.
func (a *attachments) saw(pod inventory.Ref, p place, at time.Time) []inventory.Change {
	if _, lives := a.index.pods[pod]; !lives || !a.sighted(pod, p, at) {
		return nil
	}
	return a.pod(pod, at)
}

func (a *attachments) sighted(pod inventory.Ref, p place, at time.Time) (news bool) {
	if a.inner[pod] == nil {
		a.inner[pod] = map[place]time.Time{}
	}
	if _, ok := a.inner[pod][p]; ok {
		return false
	}
	a.inner[pod][p] = at
	return true
}

func (a *attachments) podsOf(match func(*podSpan) bool, at time.Time) []inventory.Change {
	var changes []inventory.Change
	for r, p := range a.index.pods {
		if match(p) {
			changes = append(changes, a.pod(r, at)...)
		}
	}
	return changes
}

// pod compares where a pod sits with what was said before, as of at.
func (a *attachments) pod(r inventory.Ref, at time.Time) []inventory.Change {
	want := a.places(r)
	var changes []inventory.Change
	for _, w := range want {
		i := slices.IndexFunc(a.known[r], func(k inventory.Attachment) bool { return k.Ref() == w.Ref() })
		switch {
		case i < 0:
			changes = append(changes, inventory.Became(w, w.Since))
		case a.known[r][i] != w:
			changes = append(changes, inventory.Became(w, at))
		}
	}
	for _, k := range a.known[r] {
		if !slices.ContainsFunc(want, func(w inventory.Attachment) bool { return k.Ref() == w.Ref() }) {
			changes = append(changes, inventory.Ended(k.Ref(), at))
		}
	}
	if len(want) == 0 {
		delete(a.known, r)
	} else {
		a.known[r] = want
	}
	return changes
}

// places says where a pod sits now, by its node's addresses and by its own.
func (a *attachments) places(r inventory.Ref) []inventory.Attachment {
	p, lives := a.index.pods[r]
	if !lives {
		return nil
	}
	var out []inventory.Attachment
	node := a.index.nodes[inventory.Ref{Kind: inventory.KindNode, Cluster: p.Cluster, ID: p.Node}]
	add := func(at place, since time.Time, how string, confidence uint8) {
		if p.from.After(since) {
			since = p.from
		}
		out = append(out, inventory.Attachment{Cluster: p.Cluster, PodUID: p.UID, Switch: at.sw, Port: at.number,
			PortName: at.port, Since: since.UTC(), How: how, Confidence: confidence})
	}
	for at, since := range a.nodePlaces(node.Addresses) {
		if _, both := a.inner[r][at]; both {
			add(at, since, inventory.ByBoth, confidenceBoth)
		} else {
			add(at, since, inventory.ByNodeAddress, confidenceNode)
		}
	}
	if len(out) == 0 {
		for at, since := range a.inner[r] {
			add(at, since, inventory.ByInnerAddress, confidenceInner)
		}
	}
	slices.SortFunc(out, func(a, b inventory.Attachment) int { return a.Ref().Compare(b.Ref()) })
	return out
}

// nodePlaces are the ports at which addresses were learned, and since when.
func (a *attachments) nodePlaces(addresses []netip.Addr) map[place]time.Time {
	out := map[place]time.Time{}
	for _, address := range addresses {
		for _, r := range a.index.seenAt[address] {
			e := a.index.endpoints[r]
			f := e.Fact.(inventory.Endpoint)
			at := place{f.Switch, f.Port, f.Number}
			if since, ok := out[at]; !ok || e.Event.Before(since) {
				out[at] = e.Event
			}
		}
	}
	return out
}
