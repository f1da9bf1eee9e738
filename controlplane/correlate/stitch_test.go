package correlate

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// The client outside asks worker1's node port of catalog; worker1 asks a pod on worker2.
const (
	outsideClient = "198.51.100.9"
	nodeAddress   = "10.1.1.11"
	tunnelAddress = "10.244.1.0" // worker1's, which it takes for what it translates
)

func conversationOf(protocol flow.Protocol, client, server flow.End, began time.Time) flow.Conversation {
	hop := flow.Hop{Switch: "leaf1", Port: "host", Number: 3, Counters: flow.Counters{Packets: 5, Bytes: 500}, First: began, Last: began.Add(time.Second)}
	return flow.Conversation{ID: fmt.Sprint(protocol, client.Address, client.Port, server.Address, began.UnixNano()), Protocol: protocol,
		Client: client, Server: server, ForwardHops: []flow.Hop{hop}, ReverseHops: []flow.Hop{hop}, First: began, Last: began.Add(time.Second)}
}

// synced gives a conversation of TCP its SYN and SYN-ACK.
func synced(c flow.Conversation, syn, answer uint32) flow.Conversation {
	c.ForwardHops[0].SYNs, c.ForwardHops[0].SynSeq, c.ForwardHops[0].LastSYN = 1, syn, c.First
	c.ReverseHops[0].SYNs, c.ReverseHops[0].SynSeq, c.ReverseHops[0].LastSYN = 1, answer, c.First.Add(time.Millisecond)
	return c
}

func toNodePort(protocol flow.Protocol, clientPort uint16, began time.Time) flow.Conversation {
	return conversationOf(protocol, flow.End{Address: addr(outsideClient), Port: clientPort}, flow.End{Address: addr(nodeAddress), Port: 30080}, began)
}

func toPod(protocol flow.Protocol, clientPort uint16, pod string, began time.Time) flow.Conversation {
	c := conversationOf(protocol, flow.End{Address: addr(tunnelAddress), Port: clientPort}, flow.End{Address: addr(pod), Port: 8080}, began)
	c.ForwardHops[0].Outer = flow.Outer{Kind: flow.VXLAN, VNI: 1, Src: addr(nodeAddress), Dst: addr("10.1.2.11")}
	return c
}

// translating is the fabric with a pod of catalog on worker2 and another one that is no member.
func translating(t *testing.T) (*Correlator, *world) {
	t.Helper()
	c, w := start(t)
	fabric(c)
	for i, name := range []string{"catalog-1", "catalog-2", "other-1"} {
		p := pod(name, "worker2", fmt.Sprintf("10.244.2.%d", 7+i), at(0))
		became(c, p, at(2))
		if m := member(p); name != "other-1" {
			m.Ports = append(m.Ports, inventory.MemberPort{Protocol: "UDP", Port: 8080})
			became(c, m, at(3))
		}
	}
	became(c, inventory.Service{Cluster: "blue", Namespace: "shop", Name: "catalog", Ports: []inventory.ServicePort{
		{Protocol: "TCP", Port: 80, TargetPort: "http", NodePort: 30080}, {Protocol: "UDP", Port: 80, TargetPort: "http", NodePort: 30080}}}, at(4))
	return c, w
}

// stitched records conversations one after the other, and gives the newest state of each.
func stitched(c *Correlator, w *world, list ...flow.Conversation) map[string]flow.Conversation {
	w.take()
	for _, conv := range list {
		c.Record(inventory.Became(conv, conv.Last))
	}
	newest := map[string]flow.Conversation{}
	for _, ch := range w.take() {
		if conv, ok := ch.Fact.(flow.Conversation); ok {
			newest[conv.ID] = conv
		}
	}
	return newest
}

func TestLegsOfTCPAreJoinedBySYN(t *testing.T) {
	c, w := translating(t)
	front := synced(toNodePort(flow.TCP, 50000, at(100)), 7, 8)
	other := synced(toNodePort(flow.TCP, 50001, at(100)), 9, 10)
	back := synced(toPod(flow.TCP, 41000, "10.244.2.7", at(100).Add(200*time.Microsecond)), 7, 8)
	now := stitched(c, w, front, other, back)
	got := now[front.ID].Legs
	if len(got) != 1 || !got[0].Exact || got[0].Candidates != 1 || got[0].ID != back.ID || got[0].Side != flow.Back || got[0].End.Identity.Pod != "catalog-1" {
		t.Errorf("front: %+v", got)
	}
	got = now[back.ID].Legs
	if len(got) != 1 || !got[0].Exact || got[0].ID != front.ID || got[0].Side != flow.Front || got[0].End.Address != addr(outsideClient) {
		t.Errorf("back: %+v", got)
	}
	if got := now[other.ID].Legs; len(got) != 0 {
		t.Errorf("another connection: %+v", got)
	}
	again := stitched(c, w, front)
	if len(again) != 1 || len(again[front.ID].Legs) != 1 {
		t.Errorf("published again: %+v", again)
	}
	if n := testutil.ToFloat64(c.stitcher.metrics.found.WithLabelValues("exact")); n != 1 {
		t.Errorf("%v connections were joined, want 1", n)
	}
}

func TestLegsThatAreNoneOrAGuess(t *testing.T) {
	began := at(100)
	front := synced(toNodePort(flow.TCP, 50000, began), 7, 8)
	for name, test := range map[string]struct {
		others     []flow.Conversation
		candidates int // 0: none
	}{
		"another SYN":       {[]flow.Conversation{synced(toPod(flow.TCP, 41000, "10.244.2.7", began), 6, 8)}, 0},
		"before the client": {[]flow.Conversation{synced(toPod(flow.TCP, 41000, "10.244.2.7", began.Add(-time.Second)), 7, 8)}, 0},
		"much later":        {[]flow.Conversation{synced(toPod(flow.TCP, 41000, "10.244.2.7", began.Add(2*time.Second)), 7, 8)}, 0},
		"no SYN was seen":   {[]flow.Conversation{toPod(flow.TCP, 41000, "10.244.2.7", began)}, 0},
		"no member":         {[]flow.Conversation{synced(toPod(flow.TCP, 41000, "10.244.2.9", began), 7, 8)}, 0},
		"two pods": {[]flow.Conversation{synced(toPod(flow.TCP, 41000, "10.244.2.7", began), 7, 8),
			synced(toPod(flow.TCP, 41000, "10.244.2.8", began.Add(time.Microsecond)), 7, 8)}, 2},
		"two pods, one with the answer": {[]flow.Conversation{synced(toPod(flow.TCP, 41000, "10.244.2.7", began), 7, 9),
			synced(toPod(flow.TCP, 41000, "10.244.2.8", began.Add(time.Microsecond)), 7, 8)}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			c, w := translating(t)
			now := stitched(c, w, append(test.others, front)...)
			legs := now[front.ID].Legs
			if refuted := now[test.others[0].ID].Legs; test.candidates == 1 && len(refuted) != 0 {
				t.Errorf("another answer: %+v", refuted)
			}
			switch {
			case test.candidates == 0:
				if len(legs) != 0 {
					t.Errorf("joined: %+v", legs)
				}
			case len(legs) != 1 || legs[0].Candidates != test.candidates || legs[0].Exact != (test.candidates == 1) || legs[0].Exact != (legs[0].Reason == ""):
				t.Errorf("joined: %+v", legs)
			}
		})
	}
}

// TestLegOfAServerThatLeft: the slice changed before the daemon saw the connection.
func TestLegOfAServerThatLeft(t *testing.T) {
	c, w := translating(t)
	became(c, inventory.Service{Cluster: "blue", Namespace: "shop", Name: "search",
		Ports: []inventory.ServicePort{{Protocol: "TCP", Port: 80, NodePort: 30081}}}, at(5))
	front := synced(toNodePort(flow.TCP, 50000, at(100)), 7, 8)
	front.Server.Port = 30081
	back := synced(toPod(flow.TCP, 41000, "10.244.2.7", at(100)), 7, 8)
	legs := stitched(c, w, front, back)[front.ID].Legs
	if len(legs) != 1 || legs[0].Exact || legs[0].Reason == "" {
		t.Errorf("joined with a server of another service: %+v", legs)
	}
}

func TestLegsOfUDPAreAGuess(t *testing.T) {
	c, w := translating(t)
	front := toNodePort(flow.UDP, 50000, at(100))
	near, far := toPod(flow.UDP, 41000, "10.244.2.7", at(100).Add(time.Millisecond)), toPod(flow.UDP, 41001, "10.244.2.8", at(100).Add(500*time.Millisecond))
	now := stitched(c, w, near, far, front)
	legs := now[front.ID].Legs
	if len(legs) != 1 || legs[0].Exact || legs[0].Candidates != 2 || legs[0].ID != near.ID || legs[0].Reason == "" {
		t.Errorf("front: %+v", legs)
	}
	if legs := now[near.ID].Legs; len(legs) != 1 || legs[0].ID != front.ID || legs[0].Side != flow.Front {
		t.Errorf("back: %+v", legs)
	}
	if legs := now[far.ID].Legs; len(legs) != 0 {
		t.Errorf("the other one: %+v", legs)
	}
}

// TestLegsAfterARestart: one of the two has ended and is not published again.
func TestLegsAfterARestart(t *testing.T) {
	for name, pair := range map[string][2]flow.Conversation{
		"TCP": {synced(toNodePort(flow.TCP, 50000, at(100)), 7, 8), synced(toPod(flow.TCP, 41000, "10.244.2.7", at(100).Add(time.Millisecond)), 7, 8)},
		"UDP": {toNodePort(flow.UDP, 50000, at(100)), toPod(flow.UDP, 41000, "10.244.2.7", at(100).Add(time.Millisecond))},
	} {
		c, w := translating(t)
		before := stitched(c, w, pair[0], pair[1])
		var facts []inventory.Fact
		for ref := range c.index.services {
			facts = append(facts, c.index.services[ref])
		}
		for _, m := range c.index.members {
			facts = append(facts, m)
		}
		for _, n := range []string{"worker1", "worker2"} {
			facts = append(facts, inventory.Node{Cluster: "blue", Name: n, Addresses: []netip.Addr{addr("10.1." + n[6:] + ".11")}})
		}
		for i, goesOn := range pair {
			c, w := startWith(t, append(facts, before[pair[0].ID], before[pair[1].ID])...)
			now := stitched(c, w, goesOn)
			if got, want := now[goesOn.ID].Legs, before[goesOn.ID].Legs; len(want) != 1 || len(got) != 1 || got[0].ID != want[0].ID || got[0].Exact != want[0].Exact {
				t.Errorf("%s, conversation %d: %+v, want %+v", name, i, got, want)
			}
			if other, again := now[pair[1-i].ID]; again && len(other.Legs) != 1 {
				t.Errorf("%s: the other one has become %+v", name, other.Legs)
			}
		}
	}
}

func TestLegsAreBounded(t *testing.T) {
	c, w := translating(t)
	c.stitcher.max = 10
	for i := range 100 {
		stitched(c, w, synced(toNodePort(flow.TCP, uint16(50000+i), at(100).Add(time.Duration(i))), 7, 8))
	}
	if n, g := len(c.stitcher.legs), len(c.stitcher.groups); n != 10 || g != 1 || len(c.stitcher.groups[legKey{protocol: flow.TCP, syn: 7}]) > sameSYN {
		t.Errorf("%d legs in %d groups are held", n, g)
	}
	if n := testutil.ToFloat64(c.stitcher.metrics.forgotten); n != 90 {
		t.Errorf("%v legs were counted as forgotten, want 90", n)
	}
	c.stitcher.forget(at(1000))
	if len(c.stitcher.legs) != 0 || len(c.stitcher.groups) != 0 || c.stitcher.recent.Len() != 0 {
		t.Errorf("left: %d legs, %d groups", len(c.stitcher.legs), len(c.stitcher.groups))
	}
}
