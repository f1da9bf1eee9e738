package track

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cache is a switch with the model's flow cache, whose answers come back through the tracker.
type cache struct {
	name string
	t    *Tracker
	ctx  context.Context

	mu    sync.Mutex // guards model and lost
	model *model
	lost  int // answers that get lost on the way
	zero  time.Time

	incarnation uint64 // guarded by mu
}

func (c *cache) Name() string { return c.name }

func (c *cache) RequestSlot(_ context.Context, q SlotRequest) error {
	c.mu.Lock()
	c.model.now = uint64(time.Since(c.zero).Microseconds())
	s := &c.model.slots[q.Slot]
	known := q.Generation == s.generation && q.Packets == s.half.Counters.Packets
	r := c.model.read(q.Slot, q.Idle > 0 && known && c.model.now-s.half.Last >= uint64(q.Idle.Microseconds()))
	r.Incarnation = c.incarnation
	lost := c.lost > 0
	if lost {
		c.lost--
	}
	c.mu.Unlock()
	if lost {
		return nil
	}
	time.Sleep(200 * time.Microsecond)
	return c.t.Report(c.ctx, c.name, r, time.Now())
}

func (c *cache) SetClock(_ context.Context, offset uint64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.model.offset = offset
	return nil
}

func (c *cache) SetIncarnation(_ context.Context, name uint64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.incarnation == 0 {
		c.incarnation = name
	}
	return nil
}

func (c *cache) ReadCounters(context.Context) ([]PortCounters, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	byPort := map[uint32]flow.Counters{}
	for k, n := range c.model.truth {
		total := byPort[k.IngressPort]
		total.Add(n)
		byPort[k.IngressPort] = total
	}
	var out []PortCounters
	for port, n := range byPort {
		bucket := flow.Counters{Packets: 3, Bytes: 300}
		n.Add(bucket)
		out = append(out, PortCounters{Number: port, Total: n, Buckets: bucket})
	}
	return out, nil
}

// packet enters the switch; its digest is delivered at once.
func (c *cache) packet(k flow.Key, bytes uint64, flags uint8) {
	c.mu.Lock()
	c.model.now = uint64(time.Since(c.zero).Microseconds()) - 1000 // packet adds a millisecond
	c.model.packet(k, bytes)
	reports := c.model.reports
	c.model.reports = nil
	c.mu.Unlock()
	for _, r := range reports {
		r.New.TCPFlags |= flags
		if err := c.t.Report(c.ctx, c.name, r, time.Now()); err != nil {
			panic(err)
		}
	}
}

// sink keeps the newest state of everything.
type sink struct {
	mu    sync.Mutex
	facts map[inventory.Ref]inventory.Fact
}

func (s *sink) Record(changes ...inventory.Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range changes {
		s.facts[c.Ref] = c.Fact
	}
}

func (s *sink) conversations() (out []flow.Conversation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.facts {
		if c, ok := f.(flow.Conversation); ok {
			out = append(out, c)
		}
	}
	return out
}

func (s *sink) accounting(t *testing.T, port uint32) inventory.Accounting {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	name := fmt.Sprintf("eth%d", port)
	a, ok := s.facts[inventory.Accounting{Switch: "leaf1", Port: name}.Ref()].(inventory.Accounting)
	if !ok {
		t.Fatalf("no accounting of %s", name)
	}
	return a
}

// tracking runs a tracker for switches of 8 slots in a bubble of synthetic time.
func tracking(t *testing.T, test func(context.Context, *Tracker, *sink)) {
	synctest.Test(t, func(t *testing.T) {
		cfg := DefaultConfig()
		cfg.Slots, cfg.EpochBits = 8, 20
		s := &sink{facts: map[inventory.Ref]inventory.Fact{}}
		tracker, err := New(cfg, Deps{Sink: s, Log: slog.New(slog.DiscardHandler),
			PortName: func(_ string, n uint32) string { return fmt.Sprintf("eth%d", n) }})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- tracker.Run(ctx) }()
		test(ctx, tracker, s)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// newCache is a switch that has run for up.
func newCache(ctx context.Context, name string, t *Tracker, up time.Duration) *cache {
	return &cache{name: name, t: t, ctx: ctx, zero: time.Now().Add(-up),
		model: &model{slots: make([]modelSlot, 8), truth: map[flow.Key]flow.Counters{}}}
}

// world runs a tracker and one switch.
func world(t *testing.T, test func(*Tracker, *cache, *sink)) {
	tracking(t, func(ctx context.Context, tracker *Tracker, s *sink) {
		test(tracker, newCache(ctx, "leaf1", tracker, time.Hour), s)
	})
}

func tcp(port uint32, src, dst string, srcPort, dstPort uint16) flow.Key {
	return flow.Key{IngressPort: port, Tuple: flow.Tuple{Protocol: flow.TCP, Src: netip.MustParseAddr(src),
		Dst: netip.MustParseAddr(dst), SrcPort: srcPort, DstPort: dstPort}}
}

func TestSilentFlowsAreReadOutExactly(t *testing.T) {
	world(t, func(tracker *Tracker, c *cache, s *sink) {
		if err := tracker.Connected(c.ctx, c, true); err != nil {
			t.Fatal(err)
		}
		request, answer := tcp(1, "10.0.0.1", "10.0.0.2", 40000, 80), tcp(2, "10.0.0.2", "10.0.0.1", 80, 40000)
		for range 5 {
			c.packet(request, 100, 0)
			c.packet(answer, 1000, 0)
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(10 * time.Second)
		all := s.conversations()
		if len(all) != 1 {
			t.Fatalf("%d conversations, want both directions in one", len(all))
		}
		got := all[0]
		if got.Server.Port != 80 || got.Client.Address != netip.MustParseAddr("10.0.0.1") {
			t.Errorf("client %+v, server %+v", got.Client, got.Server)
		}
		if len(got.ForwardHops) != 1 || got.ForwardHops[0].Counters != (flow.Counters{Packets: 5, Bytes: 500}) ||
			len(got.ReverseHops) != 1 || got.ReverseHops[0].Counters != (flow.Counters{Packets: 5, Bytes: 5000}) {
			t.Errorf("hops %+v and %+v", got.ForwardHops, got.ReverseHops)
		}
		if d := time.Since(got.Last); d < 9*time.Second || d > 11*time.Second {
			t.Errorf("last packet %s ago, want 10 s", d)
		}
		a := s.accounting(t, 1)
		if a.ResiduePackets != 0 || a.ResidueBytes != 0 || a.RecordPackets != 5 || a.PortPackets != 8 || a.BasePackets != 0 {
			t.Errorf("%+v", a)
		}
	})
}

func TestLostAnswersAreAskedAgain(t *testing.T) {
	world(t, func(tracker *Tracker, c *cache, s *sink) {
		for range 4 { // before the controller is there
			c.model.packet(tcp(1, "10.0.0.1", "10.0.0.2", 40000, 80), 100)
		}
		c.model.reports, c.lost = nil, 6
		if err := tracker.Connected(c.ctx, c, false); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		all := s.conversations()
		if len(all) != 1 || all[0].ForwardHops[0].Packets != 4 {
			t.Errorf("conversations %+v, want the one that the cache held", all)
		}
	})
}

// What a switch counted before this controller came is not its residue.
func TestBaseOfASwitchThatRanBefore(t *testing.T) {
	world(t, func(tracker *Tracker, c *cache, s *sink) {
		old, key := tcp(1, "10.9.9.9", "10.0.0.2", 40000, 80), tcp(1, "10.0.0.1", "10.0.0.2", 40001, 80)
		c.model.truth[old] = flow.Counters{Packets: 1000, Bytes: 100000} // exported to another
		c.incarnation = 1
		if err := tracker.Connected(c.ctx, c, false); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		for range 7 {
			c.packet(key, 100, 0)
		}
		time.Sleep(10 * time.Second)
		if a := s.accounting(t, 1); a.BasePackets != 1000 || a.ResiduePackets != 0 || a.RecordPackets != 7 {
			t.Errorf("%+v", a)
		}
		c.mu.Lock()
		c.model.truth[old] = flow.Counters{Packets: 1002, Bytes: 100200} // nobody reports these
		c.mu.Unlock()
		time.Sleep(3 * time.Second)
		if a := s.accounting(t, 1); a.ResiduePackets != 2 || a.ResidueBytes != 200 {
			t.Errorf("%+v, want the two packets that nothing explains", a)
		}
	})
}

func TestConnectionComesAndGoes(t *testing.T) {
	world(t, func(tracker *Tracker, c *cache, s *sink) {
		key := tcp(1, "10.0.0.1", "10.0.0.2", 40000, 80)
		for range 3 {
			if err := tracker.Connected(c.ctx, c, false); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			c.packet(key, 100, 0)
			if err := tracker.Disconnected(c.ctx, c.name); err != nil {
				t.Fatal(err)
			}
			c.mu.Lock()
			c.model.packet(key, 100) // counted by the switch alone
			c.model.reports = nil
			c.mu.Unlock()
		}
		if err := tracker.Connected(c.ctx, c, false); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		all := s.conversations()
		if len(all) != 1 || all[0].ForwardHops[0].Packets != 6 {
			t.Errorf("%+v, want 6 packets of one conversation", all)
		}
	})
}

func TestPairsOfICMPAndARP(t *testing.T) {
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	for _, c := range []struct{ there, back flow.Tuple }{
		{flow.Tuple{Protocol: flow.ICMP, Src: b, Dst: a, SrcPort: 8 << 8, DstPort: 7}, flow.Tuple{Protocol: flow.ICMP, Src: a, Dst: b, SrcPort: 0, DstPort: 7}},
		{flow.Tuple{Protocol: flow.ICMPv6, Src: b, Dst: a, SrcPort: 128 << 8, DstPort: 7}, flow.Tuple{Protocol: flow.ICMPv6, Src: a, Dst: b, SrcPort: 129 << 8, DstPort: 7}},
		{flow.Tuple{Protocol: flow.ARP, Src: b, Dst: a, SrcPort: 1}, flow.Tuple{Protocol: flow.ARP, Src: a, Dst: b, SrcPort: 2}},
	} {
		there, reversed := pair(c.there)
		if there != c.there || reversed {
			t.Errorf("%+v became %+v", c.there, there)
		}
		if back, reversed := pair(c.back); back != c.there || !reversed {
			t.Errorf("%+v is paired with %+v, want %+v", c.back, back, c.there)
		}
	}
}

// The side whose SYN came first is the client, whatever the ports are and whatever the times of
// other switches say.
func TestClientIsWhoSentTheFirstSYN(t *testing.T) {
	t0 := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := func(us int) time.Time { return t0.Add(time.Duration(us) * time.Microsecond) }
	hops := func(list ...flow.Hop) []flow.Hop { return list }
	for name, c := range map[string]struct {
		srcPort, dstPort uint16
		a, b             []flow.Hop
		swapped          bool
	}{
		"both ports low, though a worse known clock turns the times round": {8080, 3861, hops(flow.Hop{Switch: "leaf1", First: at(500), Began: 300, SYNs: 1}),
			hops(flow.Hop{Switch: "leaf1", First: at(700), Began: 1<<32 - 100, SYNs: 1}, flow.Hop{Switch: "leaf2", First: at(900), SYNs: 1}), true},
		"a SYN against the ports": {8080, 40000, hops(flow.Hop{Switch: "leaf1", First: at(0), SYNs: 1}), nil, false},
		"no SYN, by the ports":    {8080, 40000, hops(flow.Hop{Switch: "leaf1", First: at(0)}), nil, true},
		"no SYN, by the times": {40001, 40000, hops(flow.Hop{Switch: "leaf1", First: at(300), Began: 300}),
			hops(flow.Hop{Switch: "leaf1", First: at(0)}), true},
		"no SYN, by times that are far apart": {40001, 40000, hops(flow.Hop{Switch: "leaf1", First: at(5e9), Began: 5e9 - 1<<32}),
			hops(flow.Hop{Switch: "leaf1", First: at(0), Began: 1 << 31}), true},
	} {
		tuple := flow.Tuple{Protocol: flow.TCP, SrcPort: c.srcPort, DstPort: c.dstPort}
		if got := swapped(tuple, c.a, c.b); got != c.swapped {
			t.Errorf("%s: swapped %t, want %t", name, got, c.swapped)
		}
	}
}
