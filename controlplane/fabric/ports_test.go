package fabric

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/portstate"
)

// ports gives the facts of ports that were recorded, with their event times.
func (n *network) ports() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]string(nil), n.portHistory...)
}

// allUp has switches say that all of their ports are up since a time.
func (n *network) allUp(since time.Time) {
	for name, sw := range n.fabric.nodes {
		var states []portstate.State
		for _, p := range sw.cfg.Ports {
			states = append(states, portstate.State{Number: p.Number, Name: "veth" + p.Name, Admin: portstate.Up, Oper: portstate.Up, At: since})
		}
		n.fabric.PortStates(name, states, true)
	}
	synctest.Wait()
}

func down(number uint32, at time.Time) []portstate.State {
	return []portstate.State{{Number: number, Admin: portstate.Up, Oper: portstate.Down, At: at}}
}

func TestLinksGoWithTheirPortAndComeBackWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, DefaultConfig(), 2, 2)
		a := n.host("leaf1", 3, "10.1.1.5", macA)
		defer n.run()()
		n.connectAll()
		n.allUp(time.Now())
		after(time.Second)
		hear(t, n, "leaf1", 3, a)
		if got := n.routesTo("leaf2", "10.1.1.0/24"); got != "1 2" {
			t.Fatalf("leaf2 reaches leaf1 over %q", got)
		}
		at := time.Now().Add(-5 * time.Millisecond)
		n.fabric.PortStates("leaf1", down(1, at), false)
		// Frames that were under way bring the links not back.
		hello, _ := announcement{"spine1", "eth1", 6 * time.Second}.encode(systemMAC(101))
		n.receive(inventory.PortRef{Switch: "leaf1", Number: 1}, hello)
		hello, _ = announcement{"leaf1", "eth1", 6 * time.Second}.encode(systemMAC(1))
		n.receive(inventory.PortRef{Switch: "spine1", Number: 1}, hello)
		after(housekeeping)
		if diff := cmp.Diff([]string{"leaf1/eth2>spine2/eth1", "leaf2/eth1>spine1/eth2", "leaf2/eth2>spine2/eth2",
			"spine1/eth2>leaf2/eth1", "spine2/eth1>leaf1/eth2", "spine2/eth2>leaf2/eth2"}, n.refs(inventory.KindLink)); diff != "" {
			t.Error("links:", diff)
		}
		if got := n.routesTo("leaf2", "10.1.1.0/24"); got != "2" {
			t.Errorf("leaf2 reaches leaf1 over %q", got)
		}
		n.fabric.PortStates("leaf1", []portstate.State{{Number: 1, Admin: portstate.Up, Oper: portstate.Up, At: time.Now()}}, false)
		after(2 * n.fabric.cfg.LLDPInterval)
		if got := len(n.refs(inventory.KindLink)); got != 8 {
			t.Errorf("%d links after the port came back", got)
		}
	})
}

// A host behind a port that went down is asked for at once, and gone when it does not answer.
func TestHostsBehindAPortThatIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := DefaultConfig()
		n := newNetwork(t, cfg, 1, 1)
		a := n.host("leaf1", 3, "10.1.1.5", macA)
		defer n.run()()
		n.connectAll()
		n.allUp(time.Now())
		hear(t, n, "leaf1", 3, a)
		n.silence(a)
		n.fabric.PortStates("leaf1", down(3, time.Now()), false)
		after(time.Duration(cfg.NeighbourTries)*cfg.NeighbourRetry + 2*housekeeping)
		if got := n.refs(inventory.KindEndpoint); len(got) != 0 {
			t.Errorf("%v", got)
		}
	})
}

func TestPortsHaveAHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, DefaultConfig(), 1, 0)
		cfg := n.fabric.cfg
		stop := n.run()
		synctest.Wait()
		start := time.Now()
		want := []string{}
		expect := func(what string, more ...string) {
			t.Helper()
			synctest.Wait()
			want = append(want, more...)
			if diff := cmp.Diff(want, n.ports()); diff != "" {
				t.Fatal(what+":", diff)
			}
		}
		at := func(port int, says string, d time.Duration) string {
			return fmt.Sprintf("leaf1/eth%d %s %v", port, says, d)
		}
		expect("at first", at(1, notAsked, 0), at(2, notAsked, 0), at(3, notAsked, 0), at(4, notAsked, 0))
		n.fabric.PortsUnknown("leaf1", start.Add(-time.Hour), "mute")
		expect("the reason becomes known", at(1, "mute", 0), at(2, "mute", 0), at(3, "mute", 0), at(4, "mute", 0))
		after(10 * time.Second)
		up := func(number uint32, name string, at time.Time) portstate.State {
			return portstate.State{Number: number, Name: name, Admin: portstate.Up, Oper: portstate.Up, At: at}
		}
		// Port 1 is up for longer than the daemon runs, 2 since it does, 3 is known by its name, and 4 not at all.
		n.fabric.PortStates("leaf1", []portstate.State{up(1, "a", start.Add(-time.Hour)), up(2, "b", start.Add(4*time.Second)), up(77, "eth3", time.Time{})}, true)
		expect("the switch tells", at(1, "up", 0), at(2, "up", 4*time.Second), at(3, "up", 10*time.Second), at(4, noSuchPort, 0))
		n.fabric.PortStates("leaf1", down(1, time.Now().Add(-time.Second)), false)
		expect("down", at(1, "down", 9*time.Second))
		n.fabric.PortStates("leaf1", []portstate.State{up(1, "a", start)}, false)
		expect("by a clock that went back", at(1, "up", 10*time.Second))
		n.fabric.PortStates("leaf1", []portstate.State{up(1, "a", start)}, false)
		expect("nothing new")
		after(10 * time.Second)
		n.fabric.PortsUnknown("leaf1", time.Now().Add(-2*time.Second), "gone")
		expect("the switch is gone", at(1, "gone", 18*time.Second), at(2, "gone", 18*time.Second), at(3, "gone", 18*time.Second), at(4, "gone", 0))
		after(10 * time.Second)
		n.fabric.PortStates("leaf1", []portstate.State{up(1, "a", start), {Number: 2, Oper: portstate.Down, At: start.Add(20 * time.Second)},
			up(3, "c", start.Add(time.Hour)), {Number: 4}}, true)
		expect("it is back: what did not change meanwhile was known all along", at(1, "up", 18*time.Second), at(2, "down", 20*time.Second),
			at(3, "up", 30*time.Second), at(4, saysUnknown, 0))

		stop()
		n.mu.Lock()
		before := view{n.facts}
		n.mu.Unlock()
		n.restart(cfg, before)
		defer n.run()()
		synctest.Wait()
		n.mu.Lock()
		n.portHistory = nil
		n.mu.Unlock()
		want = nil
		after(time.Second)
		n.fabric.PortStates("leaf1", []portstate.State{up(1, "a", start), {Number: 2, Oper: portstate.Down, At: start.Add(20 * time.Second)}}, false)
		expect("another daemon")
	})
}

// A host behind a LAG is heard at either port, and does not move for that; it does when it says so, when its port is down,
// and when it does not answer there.
func TestAHostBehindALAG(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := DefaultConfig()
		n := newNetwork(t, cfg, 1, 1)
		leaf := n.fabric.nodes["leaf1"]
		for _, number := range []uint32{3, 4} {
			p := leaf.ports[number]
			p.Peer = "worker1"
			leaf.ports[number] = p
		}
		a := n.host("leaf1", 3, "10.1.1.5", macA)
		n.host("leaf1", 4, "10.1.1.5", macA)
		defer n.run()()
		n.connectAll()
		n.allUp(time.Now())
		after(time.Second)
		says := func(port uint32, m arp) {
			m.sender, m.senderMAC = a.addr, a.mac
			frame, err := m.encode(a.mac, broadcastMAC)
			if err != nil {
				t.Fatal(err)
			}
			n.receive(inventory.PortRef{Switch: "leaf1", Number: port}, frame)
			synctest.Wait()
		}
		asks, announces := arp{target: addr("10.1.1.1")}, arp{target: a.addr}
		at := func(what, port string) {
			t.Helper()
			if diff := cmp.Diff([]string{"leaf1/" + port + "/10.1.1.5"}, n.refs(inventory.KindEndpoint)); diff != "" {
				t.Error(what+":", diff)
			}
		}
		says(3, asks)
		told := len(n.told())
		for range 10 {
			says(4, asks)
			after(cfg.NeighbourProbe / 3)
			says(3, asks)
			after(cfg.NeighbourProbe)
		}
		at("it asks at either port", "eth3")
		if more := n.told()[told:]; len(more) != 0 {
			t.Errorf("it moved: %v", more)
		}
		says(4, announces)
		at("it fails over", "eth4")
		n.fabric.PortStates("leaf1", down(4, time.Now()), false)
		synctest.Wait()
		says(3, asks)
		at("its port went down", "eth3")
		n.fabric.PortsUnknown("leaf1", time.Now(), "mute")
		n.silence(a) // at its port; the other one works, and nobody knows
		after(cfg.NeighbourProbe + cfg.NeighbourRetry/2)
		says(4, asks)
		at("it does not answer at its port", "eth4")
	})
}
