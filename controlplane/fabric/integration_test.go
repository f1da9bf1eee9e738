package fabric

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/p4rt"
	"github.com/fabricscope/fabricscope/p4src"
)

// books keep the facts of a run, and what one switch's digests say.
type books struct {
	mu      sync.Mutex // guards the fields below
	facts   map[inventory.Ref]inventory.Fact
	fresh   []bool
	digests []p4rt.DigestList
}

func (b *books) Record(changes ...inventory.Change) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range changes {
		b.facts[c.Ref] = c.Fact
	}
}

func (b *books) Connected(_ context.Context, _ *p4rt.Session, fresh bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fresh = append(b.fresh, fresh)
}

func (b *books) Digests(_ *p4rt.Session, l p4rt.DigestList) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.digests = append(b.digests, l)
}

func (b *books) PacketIn(*p4rt.Session, p4rt.PacketIn) {}
func (b *books) Disconnected(*p4rt.Session, error)     {}
func (b *books) look(f func(b *books) bool) func() bool {
	return func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return f(b)
	}
}

func (b *books) count(k inventory.Kind) (n int) {
	for r, f := range b.facts {
		if r.Kind == k && f != nil {
			n++
		}
	}
	return n
}

// eventually polls until ok holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in 20 s: %s", what)
		}
	}
}

// station is a host at a softswitch: it answers ARP and counts the echo requests it gets.
type station struct {
	sw   *softSwitch
	port uint32
	addr netip.Addr
	mac  mac

	mu      sync.Mutex       // guards the fields below
	gateway mac              // as its ARP answer said
	seen    map[uint16]uint8 // TTL by sequence number
	expired []netip.Addr     // who said that a packet's TTL ended
}

func newStation(sw *softSwitch, port uint32, a string, m mac) *station {
	s := &station{sw: sw, port: port, addr: addr(a), mac: m, seen: map[uint16]uint8{}}
	sw.plug(port, s.receive)
	return s
}

// receive runs on the switch's goroutine.
func (s *station) receive(frame []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a, err := decodeARP(frame); err == nil && a.target == s.addr {
		if a.reply {
			s.gateway = a.senderMAC
			return
		}
		reply, _ := arp{reply: true, sender: s.addr, senderMAC: s.mac, target: a.sender, targetMAC: a.senderMAC}.encode(s.mac, a.senderMAC)
		s.sw.receive(s.port, reply)
		return
	}
	if dst, ok := destination(frame); ok && dst == s.addr && mac(frame[:6]) == s.mac {
		ip := frame[ethernetLen:]
		if ip[ipv4Len] == 11 {
			s.expired = append(s.expired, netip.AddrFrom4([4]byte(ip[12:16])))
			return
		}
		if checksum(ip[:ipv4Len]) == 0 {
			s.seen[binary.BigEndian.Uint16(ip[ipv4Len+6:])] = ip[8]
		}
	}
}

// resolve asks for the gateway's MAC address, as hosts do: until there is an answer.
func (s *station) resolve(t *testing.T, gateway string) mac {
	t.Helper()
	q, err := arp{sender: s.addr, senderMAC: s.mac, target: addr(gateway)}.encode(s.mac, broadcastMAC)
	if err != nil {
		t.Fatal(err)
	}
	s.sw.receive(s.port, q)
	var m mac
	eventually(t, "the gateway answers ARP", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		m = s.gateway
		return m != mac{}
	})
	return m
}

func (s *station) heardOf() []netip.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.expired)
}

func (s *station) ttl(seq uint16) uint8 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[seq]
}

// fabricOverSoftswitch runs leaves and a spine with their sessions; the functions stop the
// daemon's side.
func fabricOverSoftswitch(t *testing.T, cfg Config, switches map[string]*softSwitch, b *books) (stop func()) {
	t.Helper()
	info, err := p4src.P4Info()
	if err != nil {
		t.Fatal(err)
	}
	program, err := p4rt.NewProgram(info, p4src.DeviceConfig())
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	f, err := New(cfg, Deps{Log: log, Sink: b, Registerer: prometheus.NewRegistry(), Before: view{b.snapshot()}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = f.Run(ctx) })
	for _, s := range cfg.Switches {
		c := p4rt.DefaultConfig()
		c.Name, c.Address, c.DeviceID, c.FabricRole = s.Name, switches[s.Name].address, s.DeviceID, s.Role
		c.DigestMaxDelay = 10 * time.Millisecond
		subs := []p4rt.Subscriber{f.Subscriber()}
		if s.Name == "leaf1" {
			subs = append(subs, p4rt.Subscriber{Name: "books", Handler: b, Digests: true})
		}
		session, err := p4rt.New(c, p4rt.Deps{Log: log, Program: program, Sink: b, Subscribers: subs})
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() { _ = session.Run(ctx) })
	}
	return sync.OnceFunc(func() { cancel(); wg.Wait() })
}

func (b *books) snapshot() map[inventory.Ref]inventory.Fact {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := map[inventory.Ref]inventory.Fact{}
	for r, f := range b.facts {
		if f != nil && r.Kind != inventory.KindSwitch {
			out[r] = f
		}
	}
	return out
}

// TestFabricOverSoftswitch takes frames from a host through two leaves and a spine, all of
// them running the compiled P4 program, to another host; then it restarts the daemon.
func TestFabricOverSoftswitch(t *testing.T) {
	cfg := DefaultConfig()
	cfg.LLDPInterval, cfg.LLDPHold = 100*time.Millisecond, 2*time.Second
	switches := map[string]*softSwitch{}
	for i, name := range []string{"leaf1", "leaf2", "spine1"} {
		s := Switch{Name: name, DeviceID: uint64(i + 1), Role: name[:len(name)-1], Ports: []Port{{1, "eth1", ""}, {2, "eth2", ""}},
			Loopback: netip.AddrFrom4([4]byte{10, 255, 0, byte(i + 1)})}
		if s.Role == "leaf" {
			s.Gateways = []Gateway{{netip.MustParsePrefix(fmt.Sprintf("10.1.%d.1/24", i+1)), []uint32{2}}}
		}
		cfg.Switches = append(cfg.Switches, s)
		switches[name] = newSoftSwitch(t, s.DeviceID, "127.0.0.1:0")
	}
	cable(switches["leaf1"], 1, switches["spine1"], 1)
	cable(switches["leaf2"], 1, switches["spine1"], 2)
	a := newStation(switches["leaf1"], 2, "10.1.1.5", macA)
	z := newStation(switches["leaf2"], 2, "10.1.2.5", macB)
	b := &books{facts: map[inventory.Ref]inventory.Fact{}}

	start := time.Now()
	stop := fabricOverSoftswitch(t, cfg, switches, b)
	defer stop()
	eventually(t, "4 links", b.look(func(b *books) bool { return b.count(inventory.KindLink) == 4 }))
	t.Logf("links after %s", time.Since(start).Round(time.Millisecond))
	gateway := a.resolve(t, "10.1.1.1")
	if gateway != systemMAC(1) {
		t.Errorf("gateway at %s", gateway)
	}
	// Until the neighbour is known packets are lost, as any host that pings sees.
	seq := uint16(0)
	send := func() bool {
		seq++
		frame := ping(t, macA, gateway, "10.1.1.5", "10.1.2.5")
		binary.BigEndian.PutUint16(frame[ethernetLen+ipv4Len+6:], seq)
		a.sw.receive(2, frame)
		time.Sleep(5 * time.Millisecond)
		return z.ttl(seq) != 0
	}
	eventually(t, "a packet gets through", send)
	t.Logf("the first packet through after %s, number %d", time.Since(start).Round(time.Millisecond), seq)
	if got := z.ttl(seq); got != 7-3 {
		t.Errorf("TTL %d behind three switches, want 4", got)
	}
	// The switches on the way tell of packets whose TTL ends there.
	for i, want := range []string{"10.255.0.1", "10.255.0.3", "10.255.0.2"} {
		short := ping(t, macA, gateway, "10.1.1.5", "10.1.2.5")
		short[ethernetLen+8] = byte(i + 1)
		setChecksum(short[ethernetLen:ethernetLen+ipv4Len], 10)
		a.sw.receive(2, short)
		eventually(t, "word of "+want, func() bool { return slices.Contains(a.heardOf(), addr(want)) })
	}
	// A ping to the far gateway comes back.
	frame := ping(t, macA, gateway, "10.1.1.5", "10.1.2.1")
	binary.BigEndian.PutUint16(frame[ethernetLen+ipv4Len+6:], 60000)
	frame[ethernetLen+ipv4Len+2], frame[ethernetLen+ipv4Len+3] = 0, 0
	setChecksum(frame[ethernetLen+ipv4Len:], 2)
	a.sw.receive(2, frame)
	eventually(t, "the far gateway's echo reply", func() bool { return a.ttl(60000) == 64-2 })
	eventually(t, "both endpoints", b.look(func(b *books) bool { return b.count(inventory.KindEndpoint) == 2 }))
	eventually(t, "digests of leaf1", b.look(func(b *books) bool {
		return slices.ContainsFunc(b.digests, func(l p4rt.DigestList) bool { return l.Layout.Name == p4src.DigestFlow })
	}))

	// The spine ends and another one with nothing in it takes its place.
	spine := switches["spine1"]
	spine.stop()
	switches["spine1"] = newSoftSwitch(t, 3, spine.address)
	cable(switches["leaf1"], 1, switches["spine1"], 1)
	cable(switches["leaf2"], 1, switches["spine1"], 2)
	eventually(t, "a packet through the new spine", send)

	// The daemon ends and starts again; packets go through all the time.
	stop()
	if !send() {
		eventually(t, "a packet without the daemon", send)
	}
	defer fabricOverSoftswitch(t, cfg, switches, b)()
	eventually(t, "connected again", b.look(func(b *books) bool { return len(b.fresh) == 2 }))
	for range 20 {
		sent := seq + 1
		if send(); z.ttl(sent) == 0 {
			eventually(t, "a packet on its way", func() bool { return z.ttl(sent) != 0 })
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if diff := cmp.Diff([]bool{true, false}, b.fresh); diff != "" {
		t.Error("the pipeline is pushed once:", diff)
	}
}
