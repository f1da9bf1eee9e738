package history_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/history"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

func TestMain(m *testing.M) {
	recordUntilKilled()
	goleak.VerifyTestMain(m)
}

func config(t testing.TB) history.Config {
	cfg := history.DefaultConfig()
	cfg.Dir = filepath.Join(t.TempDir(), "history")
	return cfg
}

func deps(t testing.TB) history.Deps {
	return history.Deps{Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
}

// start opens a store and runs it until the returned function, or the end of the test,
// stops it.
func start(t testing.TB, cfg history.Config, d history.Deps) (*history.Store, func()) {
	t.Helper()
	s, err := history.New(cfg, d)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stopped := false
	stop := func() {
		t.Helper()
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	}
	t.Cleanup(stop)
	return s, stop
}

func flush(t testing.TB, s *history.Store) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := s.Flush(ctx); err != nil {
		t.Fatal(err)
	}
}

func at(t testing.TB, s *history.Store, when time.Time, axis history.Axis, wants ...history.Want) inventory.View {
	t.Helper()
	v, err := s.At(context.Background(), when, axis, wants...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func pod(n int, phase string) inventory.Pod {
	return inventory.Pod{
		Cluster: "blue", Namespace: "shop", Name: fmt.Sprintf("cart-%d", n), UID: fmt.Sprintf("uid-%d", n),
		Labels: map[string]string{"app": "cart", "tier": "back"}, Phase: phase,
		IPs: []netip.Addr{netip.AddrFrom4([4]byte{10, 244, byte(n >> 8), byte(n)})}, Created: epoch,
	}
}

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func conversation(n int, packets uint64, last time.Time) flow.Conversation {
	return flow.Conversation{
		ID: fmt.Sprintf("c%d", n), Protocol: flow.TCP,
		Client:  flow.End{Address: netip.MustParseAddr("10.244.1.2"), Port: 40000, Identity: flow.Identity{Pod: "web", Cluster: "blue"}},
		Server:  flow.End{Address: netip.MustParseAddr("10.244.2.3"), Port: 80, Identity: flow.Identity{Service: "shop/cart"}},
		Forward: flow.Counters{Packets: packets, Bytes: 100 * packets},
		ForwardHops: []flow.Hop{{Switch: "leaf1", Port: "w1", Number: 1,
			Outer:    flow.Outer{Kind: flow.VXLAN, VNI: 1, Src: netip.MustParseAddr("10.0.1.1"), Dst: netip.MustParseAddr("10.0.2.1")},
			Counters: flow.Counters{Packets: packets, Bytes: 100 * packets}, First: epoch, Last: last}},
		Handshake: &flow.Handshake{State: flow.Established, ServerRTT: time.Millisecond},
		First:     epoch, Last: last,
	}
}

func all(v inventory.View) map[inventory.Ref]inventory.Entry {
	entries := map[inventory.Ref]inventory.Entry{}
	for _, k := range kinds {
		for e := range v.All(k) {
			entries[e.Fact.Ref()] = e
		}
	}
	return entries
}

var kinds = []inventory.Kind{
	inventory.KindCluster, inventory.KindNamespace, inventory.KindNode, inventory.KindPod, inventory.KindService,
	inventory.KindMember, inventory.KindAttachment, inventory.KindSwitch, inventory.KindPort, inventory.KindLink,
	inventory.KindEndpoint, inventory.KindAccounting, inventory.KindConversation,
}

// everyKind is one fact of each kind.
func everyKind() []inventory.Fact {
	address := netip.MustParseAddr("fd00::1")
	return []inventory.Fact{
		inventory.Cluster{Name: "blue", Server: "https://127.0.0.1:6443", State: "synced"},
		inventory.Namespace{Cluster: "blue", Name: "shop", Labels: map[string]string{"a": "b"}},
		inventory.Node{Cluster: "blue", Name: "w1", Addresses: []netip.Addr{address},
			PodCIDRs: []netip.Prefix{netip.MustParsePrefix("10.244.1.0/24")}, Ready: true, Created: epoch},
		pod(1, "Running"),
		inventory.Service{Cluster: "blue", Namespace: "shop", Name: "cart", UID: "s1", Type: "ClusterIP",
			VIPs:  []inventory.VIP{{Kind: "cluster-ip", Address: address}},
			Ports: []inventory.ServicePort{{Protocol: "TCP", Port: 80, TargetPort: "http"}}, Created: epoch},
		inventory.Member{Cluster: "blue", Namespace: "shop", Service: "cart", Address: address, PodUID: "uid-1",
			Ports: []inventory.MemberPort{{Protocol: "TCP", Port: 8080}}, Ready: true, Serving: true},
		inventory.Attachment{Cluster: "blue", PodUID: "uid-1", Switch: "leaf1", Port: 1, PortName: "w1", Since: epoch,
			How: inventory.ByBoth, Confidence: 100},
		inventory.Switch{Name: "leaf1", DeviceID: 1, Address: "127.0.0.1:9559", Role: "leaf", State: "ready"},
		inventory.Port{Switch: "leaf1", Number: 1, Name: "w1", Peer: "worker1"},
		inventory.Link{A: inventory.PortRef{Switch: "leaf1", Port: "s1", Number: 9}, B: inventory.PortRef{Switch: "spine1", Port: "l1", Number: 1}},
		inventory.Endpoint{Switch: "leaf1", Port: "w1", Number: 1, Address: address, MAC: "02:00:00:00:00:01"},
		inventory.Accounting{Switch: "leaf1", Port: "w1", PortPackets: 1 << 60, ResiduePackets: -1},
		conversation(1, 5, epoch.Add(time.Second)),
	}
}
