package records_test

import (
	"math"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/history/records"
)

// talk is a conversation over two hops that has counted n packets each way.
func talk(id string, n uint64) flow.Conversation {
	counters := flow.Counters{Packets: n, Bytes: 100 * n}
	hop := func(sw string) flow.Hop { return flow.Hop{Switch: sw, Port: "Ethernet1", Counters: counters} }
	return flow.Conversation{ID: id, Protocol: flow.TCP,
		Client:  flow.End{Address: netip.MustParseAddr("10.0.0.1"), Port: 40000, Identity: flow.Identity{Pod: "a"}},
		Server:  flow.End{Address: netip.MustParseAddr("10.0.0.2"), Port: 80, Identity: flow.Identity{Pod: "b"}},
		Forward: counters, Reverse: counters, ForwardHops: []flow.Hop{hop("leaf1"), hop("leaf2")}, ReverseHops: []flow.Hop{hop("leaf2")},
		First: epoch, Last: epoch.Add(time.Duration(n) * time.Second)}
}

// sums gives what the records of a conversation add up to: forward, at the second hop, and reverse.
func sums(t *testing.T, s *records.Store, id string) (forward, hop, reverse uint64, n int) {
	t.Helper()
	for _, r := range scan(t, s, records.Query{Conversation: id}) {
		n++
		forward += r.Forward.Packets
		reverse += r.Reverse.Packets
		for _, h := range r.Forward.Hops {
			if h.Switch == "leaf2" {
				hop += h.Packets
			}
		}
	}
	return forward, hop, reverse, n
}

func TestRecordsAddUp(t *testing.T) {
	cfg := config(t)
	c := newClock(epoch)
	s, stop := start(t, cfg, c.now)
	r := records.NewRecorder(s, nil)
	flush := func() {
		t.Helper()
		if err := r.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.set(c.now().Add(cfg.Interval))
	}
	check := func(when string, packets uint64, rows int) {
		t.Helper()
		if f, h, b, n := sums(t, s, "1"); f != packets || h != packets || b != packets || n != rows {
			t.Errorf("%s: %d, %d at the second hop, %d back, in %d records; want %d in %d", when, f, h, b, n, packets, rows)
		}
	}
	r.Observe(talk("1", 1))
	r.Observe(talk("1", 3))
	flush()
	check("first interval", 3, 1)
	r.Observe(talk("1", 3))
	flush()
	check("nothing new", 3, 1)
	r.Observe(talk("1", 10))
	flush()
	check("second record", 10, 2)

	stop()
	s, stop = start(t, cfg, c.now)
	r = records.NewRecorder(s, nil)
	r.Observe(talk("1", 12))
	flush()
	check("after a restart", 12, 3)
	if err := s.Cut(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop()
	s, _ = start(t, cfg, c.now)
	r = records.NewRecorder(s, nil)
	r.Observe(talk("1", 20))
	flush()
	check("after a restart with an empty log", 20, 4)

	swapped := talk("1", 25)
	swapped.Client, swapped.Server = swapped.Server, swapped.Client
	swapped.ForwardHops, swapped.ReverseHops = swapped.ReverseHops, swapped.ForwardHops
	r.Observe(swapped)
	flush()
	var packets uint64
	for _, x := range scan(t, s, records.Query{Conversation: "1"}) {
		packets += x.Forward.Packets + x.Reverse.Packets
	}
	if packets != 50 {
		t.Errorf("after client and server changed places: %d packets in both directions, want 50", packets)
	}
}

func TestVerdicts(t *testing.T) {
	cfg := config(t)
	s, _ := start(t, cfg, newClock(epoch).now)
	r := records.NewRecorder(s, nil)
	for id, c := range map[records.Verdict]func(*flow.Conversation){
		records.Answered:   func(*flow.Conversation) {},
		records.OneWay:     func(c *flow.Conversation) { c.Reverse, c.ReverseHops = flow.Counters{}, nil },
		records.Refused:    func(c *flow.Conversation) { c.Handshake = &flow.Handshake{State: flow.Refused} },
		records.Unanswered: func(c *flow.Conversation) { c.Handshake = &flow.Handshake{State: flow.Unanswered} },
		records.Lost:       func(c *flow.Conversation) { c.ForwardSegments = []flow.Segment{{Packets: 9, Lost: 3, Within: 1}} },
	} {
		conv := talk(string(id), 5)
		c(&conv)
		r.Observe(conv)
	}
	if err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, v := range records.Verdicts() {
		if got := scan(t, s, records.Query{Verdict: v}); len(got) != 1 || got[0].Conversation != string(v) {
			t.Errorf("%s: %v", v, got)
		}
	}
}

// TestRecordsAddUpWhenTheClockSteps puts the clock forward and back by hours, and cuts at once: what a conversation counted before
// is neither forgotten nor counted again.
func TestRecordsAddUpWhenTheClockSteps(t *testing.T) {
	cfg := config(t)
	cfg.Retention = time.Hour
	c := newClock(epoch)
	var steady atomic.Int64
	steady.Store(math.MaxInt64)
	s, _ := startWith(t, cfg, records.Deps{Now: c.now, Steady: func() time.Duration { return time.Duration(steady.Load()) }})
	r := records.NewRecorder(s, nil)
	for n, step := range []time.Duration{0, 3 * time.Hour, -5 * time.Hour} {
		if step != 0 {
			steady.Store(0)
		}
		c.set(c.now().Add(step))
		if err := s.Cut(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.Maintain(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.Observe(talk("1", uint64(10*n+10)))
		if err := r.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if f, h, b, _ := sums(t, s, "1"); f != uint64(10*n+10) || h != f || b != f {
			t.Errorf("after a step of %v: %d, %d at the second hop, %d back; want %d", step, f, h, b, 10*n+10)
		}
	}
}
