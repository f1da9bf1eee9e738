package correlate

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var t0 = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(seconds int) time.Time { return t0.Add(time.Duration(seconds) * time.Second) }

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// world is a sink and a source in one: a list of changes, all of which it delivers.
type world struct {
	before []inventory.Fact // that the view has

	mu      sync.Mutex // guards all below
	changes []inventory.Change
}

func (w *world) Record(changes ...inventory.Change) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changes = append(w.changes, changes...)
}

func (w *world) take() []inventory.Change {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.changes
	w.changes = nil
	return out
}

func (w *world) All(k inventory.Kind) func(func(inventory.Entry) bool) {
	return func(yield func(inventory.Entry) bool) {
		for _, f := range w.before {
			if f.Ref().Kind == k && !yield(inventory.Entry{Fact: f, Event: at(0), Commit: at(0)}) {
				return
			}
		}
	}
}
func (w *world) Subscribe() (inventory.Lister, Feed) { return w, w }
func (w *world) Next(ctx context.Context) ([]inventory.Update, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}
func (w *world) Close() {}

func start(t *testing.T) (*Correlator, *world) {
	t.Helper()
	return startWith(t)
}

// startWith starts with what an earlier run has left.
func startWith(t *testing.T, before ...inventory.Fact) (*Correlator, *world) {
	t.Helper()
	w := &world{before: before}
	c, err := New(DefaultConfig(), Deps{Sink: w, Source: w, Now: func() time.Time { return at(200) }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	<-c.ready
	return c, w
}

func became(c *Correlator, f inventory.Fact, when time.Time) {
	c.follow([]inventory.Update{{Ref: f.Ref(), Entry: inventory.Entry{Fact: f, Event: when, Commit: when}}})
}

func ended(c *Correlator, r inventory.Ref, when time.Time) {
	c.follow([]inventory.Update{{Ref: r, Entry: inventory.Entry{Event: when, Commit: when}}})
}

func pod(name, node, ip string, created time.Time) inventory.Pod {
	return inventory.Pod{Cluster: "blue", Namespace: "shop", Name: name, UID: "uid-" + name, Node: node,
		IPs: []netip.Addr{addr(ip)}, Phase: "Running", Created: created}
}

// fabric is two leaves and a spine, a node behind each leaf, and one service.
func fabric(c *Correlator) {
	for _, l := range [][4]string{
		{"leaf1", "up", "spine1", "p1"}, {"leaf2", "up", "spine1", "p2"},
		{"spine1", "p1", "leaf1", "up"}, {"spine1", "p2", "leaf2", "up"},
	} {
		became(c, inventory.Link{A: inventory.PortRef{Switch: l[0], Port: l[1]}, B: inventory.PortRef{Switch: l[2], Port: l[3]}}, at(0))
	}
	for i, name := range []string{"worker1", "worker2"} {
		address := netip.AddrFrom4([4]byte{10, 1, byte(i + 1), 11})
		became(c, inventory.Node{Cluster: "blue", Name: name, Addresses: []netip.Addr{address}}, at(0))
		became(c, inventory.Endpoint{Switch: "leaf" + name[6:], Port: "host", Number: 3, Address: address, MAC: "02:00:00:00:00:01"}, at(1))
	}
	became(c, inventory.Service{Cluster: "blue", Namespace: "shop", Name: "catalog",
		VIPs:  []inventory.VIP{{Kind: "cluster-ip", Address: addr("10.96.0.20")}},
		Ports: []inventory.ServicePort{{Protocol: "TCP", Port: 80, TargetPort: "http", NodePort: 30080}}}, at(0))
}

func member(p inventory.Pod) inventory.Member {
	return inventory.Member{Cluster: "blue", Namespace: "shop", Service: "catalog", Address: p.IPs[0], PodUID: p.UID, Pod: p.Name,
		Ports: []inventory.MemberPort{{Protocol: "TCP", Port: 8080}}, Ready: true}
}

func talk(client, server string, first, last time.Time) flow.Conversation {
	hop := func(sw, port, src, dst string, packets uint64, when time.Time) flow.Hop {
		return flow.Hop{Switch: sw, Port: port, Number: 3, Outer: flow.Outer{Kind: flow.VXLAN, VNI: 1, Src: addr(src), Dst: addr(dst)},
			Counters: flow.Counters{Packets: packets, Bytes: packets * 100}, First: when, Last: last}
	}
	w1, w2 := "10.1.1.11", "10.1.2.11"
	return flow.Conversation{ID: client + server + first.String(), Protocol: flow.TCP,
		Client: flow.End{Address: addr(client), Port: 40000}, Server: flow.End{Address: addr(server), Port: 8080},
		// Out of order, as clocks that disagree would have it.
		ForwardHops: []flow.Hop{hop("leaf2", "up", w1, w2, 4, first), hop("leaf1", "host", w1, w2, 5, first.Add(2)), hop("spine1", "p1", w1, w2, 5, first.Add(3))},
		ReverseHops: []flow.Hop{hop("leaf2", "host", w2, w1, 7, first), hop("spine1", "p2", w2, w1, 7, first), hop("leaf1", "up", w2, w1, 7, first)},
		First:       first, Last: last}
}

func record(c *Correlator, w *world, conv flow.Conversation) (flow.Conversation, []inventory.Attachment) {
	w.take()
	c.Record(inventory.Became(conv, conv.Last))
	var attached []inventory.Attachment
	for _, ch := range w.take() {
		switch f := ch.Fact.(type) {
		case flow.Conversation:
			conv = f
		case inventory.Attachment:
			attached = append(attached, f)
		}
	}
	return conv, attached
}

func TestConversationBetweenPods(t *testing.T) {
	c, w := start(t)
	fabric(c)
	client, server := pod("frontend-1", "worker1", "10.244.1.5", at(0)), pod("catalog-1", "worker2", "10.244.2.7", at(0))
	became(c, client, at(2))
	became(c, server, at(2))
	became(c, member(server), at(3))

	got, attached := record(c, w, talk("10.244.1.5", "10.244.2.7", at(10), at(20)))
	if id := got.Client.Identity; id.Pod != "frontend-1" || id.Node != "worker1" || id.Switch != "leaf1" || id.Port != "host" || id.Why != "" {
		t.Errorf("client is %+v", id)
	}
	if id := got.Server.Identity; id.Pod != "catalog-1" || id.Service != "shop/catalog" || id.Switch != "leaf2" || id.Cluster != "blue" {
		t.Errorf("server is %+v", id)
	}
	var path []string
	for _, h := range got.ForwardHops {
		path = append(path, h.Switch)
	}
	if !slices.Equal(path, []string{"leaf1", "spine1", "leaf2"}) {
		t.Errorf("path %v", path)
	}
	if got.Forward.Packets != 5 || got.Reverse.Packets != 7 {
		t.Errorf("%d packets forward and %d back, want those where they entered: 5 and 7", got.Forward.Packets, got.Reverse.Packets)
	}
	if len(attached) != 2 || attached[0].How != inventory.ByBoth || attached[0].Confidence != 100 {
		t.Errorf("attachments %+v, want both pods confirmed by their own address", attached)
	}
}

func TestAnAddressPassesToAnotherPod(t *testing.T) {
	c, w := start(t)
	fabric(c)
	old, young := pod("old", "worker1", "10.244.1.5", at(0)), pod("young", "worker1", "10.244.1.5", at(100))
	became(c, pod("peer", "worker2", "10.244.2.7", at(0)), at(0))
	became(c, old, at(1))
	running, _ := record(c, w, talk("10.244.1.5", "10.244.2.7", at(10), at(80)))
	ended(c, old.Ref(), at(95))
	became(c, young, at(101))

	late := running
	late.Last = at(94)
	if got, _ := record(c, w, late); got.Client.Identity.Pod != "old" {
		t.Errorf("the last counters of the old pod's conversation went to %q", got.Client.Identity.Pod)
	}
	if got, _ := record(c, w, talk("10.244.1.5", "10.244.2.7", at(20), at(60))); got.Client.Identity.Pod != "old" {
		t.Errorf("a conversation of then, known late, went to %q", got.Client.Identity.Pod)
	}
	if got, _ := record(c, w, talk("10.244.1.5", "10.244.2.7", at(110), at(120))); got.Client.Identity.Pod != "young" {
		t.Errorf("a conversation of now went to %q", got.Client.Identity.Pod)
	}
}

func TestAddressesOfTwoClusters(t *testing.T) {
	c, w := start(t)
	fabric(c)
	blue := pod("blue-pod", "worker1", "10.244.1.5", at(0))
	green := blue
	green.Cluster, green.Name, green.UID, green.Node = "green", "green-pod", "uid-green", "worker9"
	became(c, blue, at(0))
	became(c, green, at(0))
	if got, _ := record(c, w, talk("10.244.1.5", "10.244.2.7", at(10), at(20))); got.Client.Identity.Pod != "blue-pod" {
		t.Errorf("the outer address is blue's worker1, the pod is %q", got.Client.Identity.Pod)
	}
}

func TestNodePortAndStrangers(t *testing.T) {
	c, w := start(t)
	fabric(c)
	became(c, inventory.Endpoint{Switch: "border1", Port: "wan", Address: addr("10.1.9.100")}, at(0))
	conv := flow.Conversation{ID: "x", Protocol: flow.TCP, Client: flow.End{Address: addr("10.1.9.100"), Port: 41000},
		Server: flow.End{Address: addr("10.1.1.11"), Port: 30080}, First: at(5), Last: at(6)}
	got, _ := record(c, w, conv)
	if id := got.Server.Identity; id.Node != "worker1" || id.Service != "shop/catalog" {
		t.Errorf("server is %+v", id)
	}
	if id := got.Client.Identity; id.Switch != "border1" || id.Why == "" {
		t.Errorf("client is %+v, want a place and why it has no name", id)
	}
}

func TestAttachmentsFollowPodsAndEndpoints(t *testing.T) {
	c, w := start(t)
	fabric(c)
	p := pod("p", "worker1", "10.244.1.5", at(10))
	w.take()
	became(c, p, at(11))
	changes := w.take()
	if len(changes) != 1 {
		t.Fatalf("changes %+v", changes)
	}
	a := changes[0].Fact.(inventory.Attachment)
	if a.Switch != "leaf1" || a.PortName != "host" || a.How != inventory.ByNodeAddress || !a.Since.Equal(at(11)) {
		t.Errorf("attachment %+v", a)
	}
	// The node's address is learned elsewhere: both until the old entry ends, then one.
	moved := inventory.Endpoint{Switch: "leaf2", Port: "host2", Number: 4, Address: addr("10.1.1.11")}
	became(c, moved, at(50))
	if changes = w.take(); len(changes) != 1 || changes[0].Fact.(inventory.Attachment).Switch != "leaf2" {
		t.Errorf("changes %+v", changes)
	}
	ended(c, inventory.Endpoint{Switch: "leaf1", Port: "host", Address: addr("10.1.1.11")}.Ref(), at(51))
	if changes = w.take(); len(changes) != 1 || changes[0].Fact != nil || changes[0].Ref != a.Ref() {
		t.Errorf("changes %+v", changes)
	}
	ended(c, p.Ref(), at(60))
	if changes = w.take(); len(changes) != 1 || changes[0].Fact != nil || !changes[0].Event.Equal(at(60)) {
		t.Errorf("changes %+v", changes)
	}
}

// When it turns out that the other end began, each end keeps who it was.
func TestEndsKeepTheirIdentitiesWhenTheyTurn(t *testing.T) {
	c, w := start(t)
	fabric(c)
	web := pod("web", "worker1", "10.244.1.2", at(2))
	became(c, web, at(2))
	conv := talk("10.244.1.2", "10.244.9.9", at(10), at(12))
	if got, _ := record(c, w, conv); got.Client.Identity.Pod != "web" || got.Server.Identity.Pod != "" {
		t.Fatalf("client %+v, server %+v", got.Client.Identity, got.Server.Identity)
	}
	conv.Client, conv.Server = conv.Server, conv.Client
	conv.ForwardHops, conv.ReverseHops = conv.ReverseHops, conv.ForwardHops
	ended(c, web.Ref(), at(13)) // so that only what was known before tells
	c.index.forget(at(1000))
	if got, _ := record(c, w, conv); got.Server.Identity.Pod != "web" || got.Client.Identity.Pod != "" {
		t.Errorf("client %+v, server %+v", got.Client.Identity, got.Server.Identity)
	}
}
