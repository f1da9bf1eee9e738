package correlate

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// Confidence in percent, by how an attachment is known. A node's own address at a port says
// where its pods are while the node is not multi-homed; a pod's own address says it of the
// one pod, but an address can be forged or stale; both together leave no doubt. Where the two
// speak for different ports, neither is worth much.
const (
	confidenceInner    = 80
	confidenceNode     = 90
	confidenceBoth     = 100
	confidenceConflict = 50
)

// stale is for how long a pod's address may not have been seen at one port, while it was at others, before the
// port counts as left.
const stale = 30 * time.Second

// attachments keeps where every pod sits.
type attachments struct {
	index *index
	inner map[inventory.Ref]map[place]sighting     // pods by where their own address entered
	known map[inventory.Ref][]inventory.Attachment // by pod
}

// sighting is when an address was seen at a port.
type sighting struct{ first, last time.Time }

type place struct {
	sw     string
	port   string
	number uint32
}

func newAttachments(x *index) *attachments {
	return &attachments{index: x, inner: map[inventory.Ref]map[place]sighting{}, known: map[inventory.Ref][]inventory.Attachment{}}
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
		a.sighted(pod, place{f.Switch, f.PortName, f.Port}, f.Since, f.Since)
	}
}

// saw notes that a pod's own address entered the fabric at a port from a time to another.
func (a *attachments) saw(pod inventory.Ref, p place, from, to time.Time) []inventory.Change {
	if _, lives := a.index.pods[pod]; !lives || !a.sighted(pod, p, from, to) {
		return nil
	}
	return a.pod(pod, to)
}

// sighted says whether it is news: a port where the pod was not seen yet, or that others are left for.
func (a *attachments) sighted(pod inventory.Ref, p place, from, to time.Time) (news bool) {
	if a.inner[pod] == nil {
		a.inner[pod] = map[place]sighting{}
	}
	s, known := a.inner[pod][p]
	if !known {
		s.first = from
	}
	if to.After(s.last) {
		s.last = to
	}
	a.inner[pod][p] = s
	for other, o := range a.inner[pod] {
		if o.last.Add(stale).Before(s.last) {
			delete(a.inner[pod], other)
			news = true
		}
	}
	return news || !known
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
	for n := range want {
		w := &want[n]
		i := slices.IndexFunc(a.known[r], func(k inventory.Attachment) bool { return k.Ref() == w.Ref() })
		if i < 0 {
			changes = append(changes, inventory.Became(*w, w.Since))
			continue
		}
		// What speaks for a place may come anew; the pod sits there as long as there was always something.
		if since := a.known[r][i].Since; since.Before(w.Since) {
			w.Since = since
		}
		if a.known[r][i] != *w {
			changes = append(changes, inventory.Became(*w, at))
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
	node := a.index.nodePlaces(a.index.nodeOfPod(p))
	inner := a.inner[r]
	astray := maps.Clone(inner) // where the pod was seen and its node was not
	maps.DeleteFunc(astray, func(at place, _ sighting) bool { _, known := node[at]; return known })
	var out []inventory.Attachment
	add := func(at place, since time.Time, how string, confidence uint8, conflict string) {
		if p.placed.After(since) {
			since = p.placed
		}
		if conflict != "" {
			confidence = confidenceConflict
		}
		out = append(out, inventory.Attachment{Cluster: p.Cluster, Namespace: p.Namespace, PodUID: p.UID, Switch: at.sw, Port: at.number,
			PortName: at.port, Since: since.UTC(), How: how, Confidence: confidence, Conflict: conflict})
	}
	for at, since := range node {
		twice := a.index.twice(a.index.nodeOfPod(p), at)
		switch _, both := inner[at]; {
		case both:
			add(at, since, inventory.ByBoth, confidenceBoth, twice)
		case twice != "":
			add(at, since, inventory.ByNodeAddress, confidenceNode, twice)
		default:
			add(at, since, inventory.ByNodeAddress, confidenceNode, elsewhere(a.index, astray, at, "packets of the pod enter at"))
		}
	}
	for at, s := range astray {
		add(at, s.first, inventory.ByInnerAddress, confidenceInner, elsewhere(a.index, node, at, "the node's address is at"))
	}
	slices.SortFunc(out, func(a, b inventory.Attachment) int { return a.Ref().Compare(b.Ref()) })
	return out
}

// elsewhere tells of evidence that speaks for other ports than at, none of which has the same
// neighbour: the ports of a LAG do not contradict each other.
func elsewhere[T any](x *index, evidence map[place]T, at place, what string) string {
	if len(evidence) == 0 {
		return ""
	}
	var others []string
	for other := range evidence {
		if x.together(at, other) {
			return ""
		}
		others = append(others, other.sw+"/"+other.port)
	}
	slices.Sort(others)
	return what + " " + strings.Join(others, ", ")
}

// together says whether two ports lead to the same machine, as configured.
func (x *index) together(a, b place) bool {
	peer := x.peers[portKey{a.sw, a.port}]
	return a == b || peer != "" && peer == x.peers[portKey{b.sw, b.port}]
}

// twice tells of another machine that has an address which a node has at a port.
func (x *index) twice(n node, at place) string {
	for _, address := range n.outer() {
		here, there := inventory.Endpoint{}, []inventory.Endpoint{}
		for _, r := range x.seenAt[address] {
			f := x.endpoints[r].Fact.(inventory.Endpoint)
			if f.Switch == at.sw && f.Port == at.port {
				here = f
			} else if !x.together(at, place{f.Switch, f.Port, f.Number}) {
				there = append(there, f)
			}
		}
		for _, f := range there {
			if here.MAC != "" && f.MAC != "" && f.MAC != here.MAC {
				return fmt.Sprintf("%s is %s's, too, at %s/%s", address, f.MAC, f.Switch, f.Port)
			}
		}
	}
	return ""
}

// nodePlaces are the ports at which addresses of a node were learned, and since when.
func (x *index) nodePlaces(n node) map[place]time.Time {
	out := map[place]time.Time{}
	for _, address := range n.outer() {
		for _, r := range x.seenAt[address] {
			e := x.endpoints[r]
			f := e.Fact.(inventory.Endpoint)
			at := place{f.Switch, f.Port, f.Number}
			if since, ok := out[at]; !ok || e.Event.Before(since) {
				out[at] = e.Event
			}
		}
	}
	return out
}
