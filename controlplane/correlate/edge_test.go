package correlate

import (
	"testing"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
)

// asked is a conversation of a workload with a service.
func asked(id, workload, service string, packets uint64, state flow.HandshakeState) *flow.Conversation {
	return &flow.Conversation{ID: id, Protocol: flow.TCP, First: t0, Last: t0.Add(time.Second), Forward: flow.Counters{Packets: packets, Bytes: 100 * packets},
		Client:    flow.End{Identity: flow.Identity{Cluster: "blue", Namespace: "shop", PodUID: "p", Workload: workload}},
		Server:    flow.End{Port: 80, Identity: flow.Identity{Cluster: "blue", Service: service}},
		Handshake: &flow.Handshake{State: state, SYNs: 2, ServerRTT: 2 * time.Millisecond}}
}

// TestEdges adds up conversations as they change, and moves what turns out to be another's.
func TestEdges(t *testing.T) {
	edges := newEdges(2, time.Minute, forEver, newEdgeMetrics())
	web, job := "Deployment/web", "Job/import"
	for _, c := range []*flow.Conversation{
		asked("a", web, "shop/cart", 1, flow.SYNSent), asked("a", web, "shop/cart", 5, flow.Established),
		asked("b", web, "shop/cart", 2, flow.Refused),
		asked("c", web, "shop/cart", 7, flow.Unanswered), asked("c", job, "shop/cart", 8, flow.Unanswered), // it is known better
		asked("d", "Deployment/late", "shop/cart", 1, flow.Established), // there is no room
		asked("e", web, "", 1, flow.Established),
	} {
		edges.take(c)
	}
	back := asked("f", "", "shop/cart", 5, flow.Established)
	back.Legs = []flow.Leg{{Side: flow.Front}}
	edges.take(back) // counted in front of the translation
	got := map[string]flow.EdgeCounts{}
	for _, ch := range edges.look(t0.Add(time.Minute)) {
		e := ch.Fact.(flow.Edge)
		got[e.Client.Kind+"/"+e.Client.Name] = e.EdgeCounts
	}
	both := [flow.HandshakeBuckets]uint64{1: 2}
	want := map[string]flow.EdgeCounts{
		web: {Forward: flow.Counters{Packets: 7, Bytes: 700}, Connections: 2, Refused: 1, Retransmitted: 2, Handshakes: 2, ServerTime: 4 * time.Millisecond, Buckets: both},
		job: {Forward: flow.Counters{Packets: 8, Bytes: 800}, Connections: 1, Unanswered: 1, Retransmitted: 1, Handshakes: 1, ServerTime: 2 * time.Millisecond,
			Buckets: [flow.HandshakeBuckets]uint64{1: 1}},
	}
	if len(got) != len(want) || got[web] != want[web] || got[job] != want[job] {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if again := edges.look(t0.Add(2 * time.Minute)); len(again) != 0 {
		t.Errorf("nothing changed, and %d edges are told", len(again))
	}
	if ends := edges.look(t0.Add(2 * time.Hour)); len(ends) != 2 || ends[0].Fact != nil || len(edges.byKey) != 0 {
		t.Errorf("%d edges end after two hours, %d are left", len(ends), len(edges.byKey))
	}
}

// TestEdgesAfterARestart: what was recorded is not counted again.
func TestEdgesAfterARestart(t *testing.T) {
	before, after := newEdges(10, time.Minute, forEver, newEdgeMetrics()), newEdges(10, time.Minute, forEver, newEdgeMetrics())
	c := asked("a", "Deployment/web", "shop/cart", 5, flow.Established)
	before.take(c)
	for _, ch := range before.look(t0.Add(time.Minute)) {
		after.load(ch.Fact.(flow.Edge))
	}
	after.known(c)
	after.take(asked("a", "Deployment/web", "shop/cart", 9, flow.Established))
	for _, ch := range after.look(t0.Add(2 * time.Minute)) {
		if e := ch.Fact.(flow.Edge); e.Forward.Packets != 9 || e.Connections != 1 {
			t.Errorf("%+v", e.EdgeCounts)
		}
	}
}

// TestEdgesThatAreAlwaysBusy are recorded every ten seconds when they are new, and every minute after an hour.
func TestEdgesThatAreAlwaysBusy(t *testing.T) {
	edges, records := newEdges(10, time.Minute, forEver, newEdgeMetrics()), map[int]int{}
	for second := range 2 * 3600 {
		now := t0.Add(time.Duration(second) * time.Second)
		c := asked("a", "Deployment/web", "shop/cart", uint64(second), flow.Established)
		c.Last = now
		edges.take(c)
		records[second/600] += len(edges.look(now))
	}
	if records[0] != 60 || records[11] != 10 {
		t.Errorf("%d records in the first ten minutes and %d in the last, want 60 and 10", records[0], records[11])
	}
}
