package fabric

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/p4src"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// after lets virtual time pass and everything in it happen.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// hear has a host announce itself.
func hear(t *testing.T, n *network, sw string, port uint32, h *testHost) {
	t.Helper()
	frame, err := arp{sender: h.addr, senderMAC: h.mac, target: h.addr}.encode(h.mac, broadcastMAC)
	if err != nil {
		t.Fatal(err)
	}
	n.receive(inventory.PortRef{Switch: sw, Number: port}, frame)
	synctest.Wait()
}

// routesTo gives the ports over which a switch reaches a prefix.
func (n *network) routesTo(sw, prefix string) string {
	entries := n.tables(sw)
	hops := map[uint64]uint64{}
	members := map[string]uint64{}
	var route string
	for _, e := range entries {
		switch e.Table {
		case p4src.TableNexthop:
			hops[e.Match[0].Value.Uint64()] = e.Param(p4src.ParamPort).Uint64()
		case p4src.TableECMPMember:
			members[fmt.Sprint(e.Match[0].Value.Uint64(), "/", e.Match[1].Value.Uint64())] = e.Param(p4src.ParamNexthop).Uint64()
		}
	}
	for _, e := range entries {
		if e.Table != p4src.TableIPv4Route || netip.PrefixFrom(e.Match[0].Value.Addr4(), e.Match[0].Prefix).String() != prefix {
			continue
		}
		switch e.Action {
		case p4src.ActionSetNexthop:
			route = fmt.Sprint(hops[e.Param(p4src.ParamNexthop).Uint64()])
		case p4src.ActionSetGroup:
			for i := range e.Param(p4src.ParamSize).Uint64() {
				route += fmt.Sprint(hops[members[fmt.Sprint(e.Param(p4src.ParamGroup).Uint64(), "/", i)]], " ")
			}
		default:
			route = e.Action
		}
	}
	return strings.TrimSpace(route)
}

func TestPacketsFindTheirWayThroughTheFabric(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, DefaultConfig(), 3, 2)
		a, b := n.host("leaf1", 3, "10.1.1.5", macA), n.host("leaf2", 4, "10.1.2.5", macB)
		defer n.run()()
		n.connectAll()
		after(300 * time.Millisecond)
		if got := len(n.refs(inventory.KindLink)); got != 12 {
			t.Fatalf("%d links, want 12: %v", got, n.refs(inventory.KindLink))
		}
		if got := n.routesTo("leaf1", "10.1.2.0/24"); got != "1 2" {
			t.Errorf("leaf1 reaches 10.1.2.0/24 over ports %q", got)
		}
		hear(t, n, "leaf1", 3, a)
		at := inventory.PortRef{Switch: "leaf1", Number: 3}
		// The first packet finds no neighbour at leaf2: it is lost, and leaf2 asks.
		n.receive(at, ping(t, macA, systemMAC(1), "10.1.1.5", "10.1.2.5"))
		after(time.Second)
		if got, asked := n.received(b), n.asked(b); len(got) != 0 || len(asked) != 1 || asked[0].sender != addr("10.1.2.1") || asked[0].senderMAC != systemMAC(2) {
			t.Fatalf("host b got %v, was asked %+v", got, asked)
		}
		n.receive(at, ping(t, macA, systemMAC(1), "10.1.1.5", "10.1.2.5"))
		n.receive(inventory.PortRef{Switch: "leaf2", Number: 4}, ping(t, macB, systemMAC(2), "10.1.2.5", "10.1.1.5"))
		// A ping to the other leaf's gateway is answered by that leaf, through the fabric.
		n.receive(at, ping(t, macA, systemMAC(1), "10.1.1.5", "10.1.2.1"))
		after(time.Second)
		if diff := cmp.Diff([]string{"10.1.2.5"}, n.received(b)); diff != "" {
			t.Error("host b got:", diff)
		}
		if diff := cmp.Diff([]string{"10.1.1.5", "10.1.1.5"}, n.received(a)); diff != "" {
			t.Error("host a got:", diff)
		}
		if diff := cmp.Diff([]string{"leaf1/eth3/10.1.1.5", "leaf2/eth4/10.1.2.5"}, n.refs(inventory.KindEndpoint)); diff != "" {
			t.Error("endpoints:", diff)
		}
	})
}

func TestLeafAnswersARPForItsHosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, DefaultConfig(), 1, 1)
		a := n.host("leaf1", 3, "10.1.1.5", macA)
		b := n.host("leaf1", 4, "10.1.1.6", macB)
		defer n.run()()
		n.connectAll()
		after(200 * time.Millisecond)
		ask := func(target string) []arp {
			n.asked(a)
			q, _ := arp{sender: a.addr, senderMAC: macA, target: addr(target)}.encode(macA, broadcastMAC)
			n.receive(inventory.PortRef{Switch: "leaf1", Number: 3}, q)
			synctest.Wait()
			return n.asked(a)
		}
		for _, target := range []string{"10.1.1.1", "10.1.1.6"} {
			want := arp{reply: true, sender: addr(target), senderMAC: systemMAC(1), target: a.addr, targetMAC: macA}
			if got := ask(target); len(got) != 1 || got[0] != want {
				t.Errorf("asked for %s: %+v, want %+v", target, got, want)
			}
		}
		if got := ask("10.1.1.5"); len(got) != 0 {
			t.Errorf("a host that asks for its own address is told it is taken: %+v", got)
		}
		// One host to another of the same leaf, through the leaf.
		hear(t, n, "leaf1", 4, b)
		n.receive(inventory.PortRef{Switch: "leaf1", Number: 3}, ping(t, macA, systemMAC(1), "10.1.1.5", "10.1.1.6"))
		after(time.Second)
		if got := n.received(b); len(got) != 1 {
			t.Errorf("host b got %v", got)
		}
	})
}

func TestRoutesFollowLinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, DefaultConfig(), 3, 2)
		defer n.run()()
		n.connectAll()
		after(time.Second)
		n.cut("leaf1", 1)
		after(n.fabric.cfg.LLDPHold + time.Second)
		for sw, want := range map[string]string{"leaf2": "2", "leaf3": "2", "spine1": "2 3", "spine2": "1"} {
			if got := n.routesTo(sw, "10.1.1.0/24"); got != want {
				t.Errorf("%s reaches leaf1 over %q, want %q", sw, got, want)
			}
		}
		if got := len(n.refs(inventory.KindLink)); got != 10 {
			t.Errorf("%d links, want 10", got)
		}
		writes := n.writes("leaf2")
		after(time.Minute)
		if more := n.writes("leaf2") - writes; more != 0 {
			t.Errorf("%d writes in a quiet minute", more)
		}
	})
}

// TestASwitchOutOfReach cuts the controller off, not the data plane.
func TestASwitchOutOfReach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, DefaultConfig(), 2, 2)
		a := n.host("leaf1", 3, "10.1.1.5", macA)
		defer n.run()()
		n.connectAll()
		after(time.Second)
		hear(t, n, "leaf1", 3, a)
		n.disconnect("spine1")
		n.disconnect("leaf1")
		after(time.Minute)
		if got := n.routesTo("leaf2", "10.1.1.0/24"); got != "1 2" {
			t.Errorf("leaf2 reaches leaf1 over %q, want both spines: nothing better is known", got)
		}
		if got := n.refs(inventory.KindLink); len(got) != 2 {
			t.Errorf("links %v, want the two between leaf2 and spine2", got)
		}
		n.connect("leaf1")
		after(time.Second)
		if got := n.routesTo("leaf2", "10.1.1.0/24"); got != "2" {
			t.Errorf("leaf2 reaches leaf1 over %q, want spine2, which is known to work", got)
		}
		if len(n.refs(inventory.KindEndpoint)) != 1 {
			t.Error("the endpoint is lost though its host answers")
		}
		n.connect("spine1")
		after(time.Second)
		if got := n.routesTo("leaf2", "10.1.1.0/24"); got != "1 2" {
			t.Errorf("leaf2 reaches leaf1 over %q", got)
		}
	})
}

func TestNeighboursMoveAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := DefaultConfig()
		n := newNetwork(t, cfg, 1, 1)
		a := n.host("leaf1", 3, "10.1.1.5", macA)
		defer n.run()()
		n.connectAll()
		after(time.Second)
		hear(t, n, "leaf1", 3, a)
		after(10 * cfg.NeighbourProbe)
		if diff := cmp.Diff([]string{"leaf1/eth3/10.1.1.5"}, n.refs(inventory.KindEndpoint)); diff != "" {
			t.Error("a host that answers must stay:", diff)
		}
		n.mu.Lock()
		delete(n.hosts, inventory.PortRef{Switch: "leaf1", Number: 3})
		n.mu.Unlock()
		moved := n.host("leaf1", 4, "10.1.1.5", macA)
		hear(t, n, "leaf1", 4, moved)
		if diff := cmp.Diff([]string{"leaf1/eth4/10.1.1.5"}, n.refs(inventory.KindEndpoint)); diff != "" {
			t.Error("after the move:", diff)
		}
		after(time.Second)
		if got := n.routesTo("leaf1", "10.1.1.5/32"); got != "4" {
			t.Errorf("the host is reached over %q", got)
		}
		n.silence(moved)
		start := time.Now()
		for len(n.refs(inventory.KindEndpoint)) > 0 && time.Since(start) < time.Minute {
			after(100 * time.Millisecond)
		}
		want := cfg.NeighbourProbe + time.Duration(cfg.NeighbourTries)*cfg.NeighbourRetry
		if took := time.Since(start); took < want-2*time.Second || took > want+time.Second {
			t.Errorf("a silent host was gone after %s, want about %s", took, want)
		}
		if got := n.routesTo("leaf1", "10.1.1.5/32"); got != "" {
			t.Errorf("a host that is gone is still routed over %q", got)
		}
	})
}

func TestGleanAsksOnceAnInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := DefaultConfig()
		cfg.MaxGlean = 2
		n := newNetwork(t, cfg, 1, 1)
		b := n.host("leaf1", 4, "10.1.1.6", macB)
		n.silence(b)
		defer n.run()()
		n.connectAll()
		after(200 * time.Millisecond)
		at := inventory.PortRef{Switch: "leaf1", Number: 3}
		for range 10 {
			n.receive(at, ping(t, macA, systemMAC(1), "10.1.1.5", "10.1.1.6"))
			after(100 * time.Millisecond)
		}
		if got := len(n.asked(b)); got != 2 {
			t.Errorf("%d questions in a second, want 2", got)
		}
		after(time.Second)
		n.asked(b)
		for i := range 5 {
			n.receive(at, ping(t, macA, systemMAC(1), "10.1.1.5", fmt.Sprintf("10.1.1.%d", 100+i)))
		}
		synctest.Wait()
		if got := len(n.asked(b)); got != 2 {
			t.Errorf("%d addresses under question at once, want 2", got)
		}
	})
}

func TestRestartDisturbsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := DefaultConfig()
		n := newNetwork(t, cfg, 3, 2)
		cfg = n.fabric.cfg
		a := n.host("leaf1", 3, "10.1.1.5", macA)
		b := n.host("leaf1", 4, "10.1.1.6", macB)
		stop := n.run()
		n.connectAll()
		after(time.Second)
		hear(t, n, "leaf1", 3, a)
		hear(t, n, "leaf1", 4, b)
		after(time.Second)
		stop()
		n.mu.Lock()
		before := view{maps.Clone(n.facts)}
		gone := inventory.Link{A: inventory.PortRef{Switch: "old", Port: "x", Number: 1}, B: inventory.PortRef{Switch: "leaf1", Port: "eth1", Number: 1}}
		before.facts[gone.Ref()], n.facts[gone.Ref()] = gone, gone
		b.silent = true
		n.history = nil
		for _, s := range n.sw {
			s.writes = 0
		}
		n.mu.Unlock()

		n.restart(cfg, before)
		defer n.run()()
		n.connectAll()
		after(2 * time.Second)
		for name := range n.sw {
			if writes := n.writes(name); writes != 0 {
				t.Errorf("%s: %d writes though nothing changed", name, writes)
			}
		}
		after(5 * time.Second)
		want := []string{"false link:old/x>leaf1/eth1", "false endpoint:leaf1/eth4/10.1.1.6"}
		if diff := cmp.Diff(want, n.told()); diff != "" {
			t.Error("facts:", diff)
		}
		after(time.Minute)
		if got := len(n.refs(inventory.KindLink)); got != 12 {
			t.Errorf("%d links", got)
		}
	})
}

func TestWritesAgainAfterAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, DefaultConfig(), 1, 1)
		n.refuse("leaf1", errors.New("table full"))
		defer n.run()()
		n.connectAll()
		after(3 * time.Second)
		n.refuse("leaf1", nil)
		after(2 * time.Second)
		if got := n.routesTo("leaf1", "10.1.1.0/24"); got != p4src.ActionPunt {
			t.Errorf("the subnet's route is %q", got)
		}
	})
}

func TestSwitchedOffListensOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := DefaultConfig()
		cfg.Enabled = false
		n := newNetwork(t, cfg, 1, 1)
		a := n.host("leaf1", 3, "10.1.1.5", macA)
		defer n.run()()
		n.connectAll()
		hear(t, n, "leaf1", 3, a)
		hello, err := announcement{"spine1", "eth1", 4 * time.Second}.encode(systemMAC(101))
		if err != nil {
			t.Fatal(err)
		}
		n.receive(inventory.PortRef{Switch: "leaf1", Number: 1}, hello)
		after(time.Second)
		if diff := cmp.Diff([]string{"spine1/eth1>leaf1/eth1"}, n.refs(inventory.KindLink)); diff != "" {
			t.Error("links:", diff)
		}
		for _, e := range n.tables("leaf1") {
			if e.Table != p4src.TableTunnelPort {
				t.Errorf("wrote %s", e)
			}
		}
		if len(n.refs(inventory.KindEndpoint)) != 0 || len(n.asked(a)) != 0 {
			t.Error("took part in ARP")
		}
		after(10 * time.Second)
		if len(n.refs(inventory.KindLink)) != 0 {
			t.Error("the link outlives its LLDP")
		}
	})
}
