package track

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// stored is a state of a sink that a later tracker finds.
type stored map[inventory.Ref]inventory.Fact

func (s *sink) stored() stored {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.facts)
}

// All implements inventory.Lister.
func (s stored) All(k inventory.Kind) func(func(inventory.Entry) bool) {
	return func(yield func(inventory.Entry) bool) {
		for r, f := range s {
			if r.Kind == k && !yield(inventory.Entry{Fact: f}) {
				return
			}
		}
	}
}

// run runs a tracker that finds before, until stop.
func run(t *testing.T, before inventory.Lister, registry *prometheus.Registry) (tracker *Tracker, s *sink, stop func()) {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Slots, cfg.EpochBits = 8, 20
	s = &sink{facts: map[inventory.Ref]inventory.Fact{}}
	deps := Deps{Sink: s, Before: before, Log: slog.New(slog.DiscardHandler),
		PortName: func(_ string, n uint32) string { return fmt.Sprintf("eth%d", n) }}
	if registry != nil {
		deps.Registerer = registry
	}
	tracker, err := New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- tracker.Run(ctx) }()
	return tracker, s, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// hopOf is the only hop of one direction of the only conversation.
func hopOf(t *testing.T, s *sink) (id string, h flow.Hop) {
	t.Helper()
	all := s.conversations()
	if len(all) != 1 || len(all[0].ForwardHops) != 1 {
		t.Fatalf("%+v, want one conversation over one hop", all)
	}
	return all[0].ID, all[0].ForwardHops[0]
}

// A tracker that is killed has recorded what it had published. The next one goes on there,
// whatever the switch counted meanwhile, and whether its slots are still the same.
func TestTheNextTrackerGoesOnWhereTheRecordsEnd(t *testing.T) {
	for name, change := range map[string]func(c *cache){
		"nothing happens":    func(*cache) {},
		"the flow goes on":   func(c *cache) { c.model.packet(tcp(1, "10.0.0.1", "10.0.0.2", 40000, 80), 100) },
		"the slot was freed": func(c *cache) { c.model.read(0, true) },
		"another conversation": func(c *cache) {
			c.model.packet(tcp(2, "10.0.0.3", "10.0.0.4", 40001, 80), 100)
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			key := tcp(1, "10.0.0.1", "10.0.0.2", 40000, 80)
			first, s, stop := run(t, nil, nil)
			c := newCache(t.Context(), "leaf1", first, time.Hour)
			if err := first.Connected(c.ctx, c, true); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			for range 30 {
				c.packet(key, 100, 0)
				time.Sleep(100 * time.Millisecond)
			}
			time.Sleep(1500 * time.Millisecond)
			before := s.stored()
			id, hop := hopOf(t, s)
			if hop.Live == nil || hop.Live.Counters != hop.Counters {
				t.Errorf("%s: live %+v of %+v", name, hop.Live, hop.Counters)
			}
			for range 30 { // published, and never recorded
				c.packet(key, 100, 0)
				time.Sleep(100 * time.Millisecond)
			}
			stop()
			c.mu.Lock()
			change(c)
			c.model.reports = nil
			c.mu.Unlock()

			second, s, stop := run(t, before, nil)
			defer stop()
			c.t = second
			if err := second.Connected(c.ctx, c, false); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
			c.packet(key, 100, 0)
			time.Sleep(10 * time.Second)
			seen := map[flow.Key]flow.Counters{}
			for _, v := range s.conversations() {
				for _, h := range v.ForwardHops {
					seen[flow.Key{IngressPort: h.Number, Outer: h.Outer, Tuple: v.Tuple()}] = h.Counters
				}
				if v.Client.Port == 40000 && v.ID != id {
					t.Errorf("%s: conversation %s became %s", name, id, v.ID)
				}
			}
			lost := uint64(0)
			if name == "the slot was freed" {
				lost = c.model.truth[key].Packets - seen[key].Packets
			}
			for k, want := range c.model.truth {
				if k == key {
					want = want.Sub(flow.Counters{Packets: lost, Bytes: 100 * lost})
				}
				if seen[k] != want {
					t.Errorf("%s: %+v of %+v, want %+v", name, seen[k], k.Tuple, want)
				}
			}
			if a := s.accounting(t, 1); a.ResiduePackets != int64(lost) || a.ResidueBytes != 100*int64(lost) || a.BasePackets != 0 {
				t.Errorf("%s: %+v, want a residue of %d", name, a, lost)
			}
		})
	}
}

// Registers that begin anew are told by their name: their counters are new ones, whatever they
// say, and what the old ones had is lost and told of.
func TestRegistersThatBeganAnew(t *testing.T) {
	for name, again := range map[string]struct {
		fresh       bool
		incarnation uint64
		packets     int // that the new registers have when the switch is connected
		base        int64
	}{
		"pushed by this controller":   {fresh: true},
		"not named by anybody":        {packets: 5},
		"another's, with less":        {incarnation: 77, packets: 5, base: 0},
		"another's, with more":        {incarnation: 77, packets: 500, base: 0},
		"another's, and told to them": {incarnation: 77, packets: 0, base: 1000},
	} {
		synctest.Test(t, func(t *testing.T) {
			registry := prometheus.NewRegistry()
			tracker, s, stop := run(t, nil, registry)
			defer stop()
			c := newCache(t.Context(), "leaf1", tracker, time.Hour)
			if err := tracker.Connected(c.ctx, c, true); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			key := tcp(1, "10.0.0.1", "10.0.0.2", 40000, 80)
			for range 30 {
				c.packet(key, 100, 0)
			}
			time.Sleep(1500 * time.Millisecond)
			c.mu.Lock()
			c.model.packet(key, 100) // nobody will hear of these two
			c.model.packet(key, 100)
			c.mu.Unlock()
			time.Sleep(1500 * time.Millisecond)
			if err := tracker.Disconnected(c.ctx, c.name); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			_, hop := hopOf(t, s)
			counted := hop.Packets

			c.mu.Lock()
			*c.model = model{slots: make([]modelSlot, 8), truth: map[flow.Key]flow.Counters{}}
			c.incarnation, c.zero = again.incarnation, time.Now()
			for range again.packets {
				c.model.packet(key, 100)
			}
			c.model.reports = nil
			if again.base > 0 {
				c.model.truth[tcp(1, "10.9.9.9", "10.0.0.2", 1, 80)] = flow.Counters{Packets: uint64(again.base), Bytes: uint64(100 * again.base)}
			}
			c.mu.Unlock()
			if err := tracker.Connected(c.ctx, c, again.fresh); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Second)
			c.packet(key, 100, 0)
			time.Sleep(10 * time.Second)
			_, hop = hopOf(t, s)
			if want := counted + uint64(again.packets) + 1; hop.Packets != want || !hop.Incomplete {
				t.Errorf("%s: %d packets, incomplete %t, want %d and true", name, hop.Packets, hop.Incomplete, want)
			}
			a := s.accounting(t, 1)
			if a.ResiduePackets != 0 || a.BasePackets != again.base || a.RecordPackets != uint64(again.packets)+1 {
				t.Errorf("%s: %+v, want base %d and residue 0", name, a, again.base)
			}
			if got := testutil.ToFloat64(tracker.metrics.lost.WithLabelValues("leaf1")); got != float64(32-counted) {
				t.Errorf("%s: %v packets lost, want %d", name, got, 32-counted)
			}
			if got := testutil.ToFloat64(tracker.metrics.incarnations.WithLabelValues("leaf1")); got != 1 {
				t.Errorf("%s: %v new incarnations, want 1", name, got)
			}
		})
	}
}

// What came while another controller was primary is read out with the rest, but for what that
// one took out of the cache: that is the residue.
func TestAnotherControllerForAWhile(t *testing.T) {
	world(t, func(tracker *Tracker, c *cache, s *sink) {
		if err := tracker.Connected(c.ctx, c, true); err != nil {
			t.Fatal(err)
		}
		key, other := tcp(1, "10.0.0.1", "10.0.0.2", 40000, 80), tcp(1, "10.0.0.1", "10.0.0.2", 40001, 80)
		time.Sleep(time.Second)
		for range 10 {
			c.packet(key, 100, 0)
		}
		if err := tracker.Disconnected(c.ctx, c.name); err != nil {
			t.Fatal(err)
		}
		c.mu.Lock()
		for range 5 {
			c.model.packet(key, 100)
			c.model.packet(other, 100)
		}
		c.model.read(1, true)
		c.model.reports = nil
		c.mu.Unlock()
		if err := tracker.Connected(c.ctx, c, false); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if _, h := hopOf(t, s); h.Packets != 15 {
			t.Errorf("%d packets, want 15", h.Packets)
		}
		if a := s.accounting(t, 1); a.ResiduePackets != 5 || a.ResidueBytes != 500 {
			t.Errorf("%+v, want the five packets of the other flow", a)
		}
		f, ok := s.stored()[inventory.FlowCache{Switch: "leaf1"}.Ref()].(inventory.FlowCache)
		if !ok || f.ReadOuts != 3 || f.CountingSince.IsZero() || f.ClockError <= 0 || f.ClockError > 500*time.Microsecond ||
			time.Since(f.ClockMeasured) > 3*time.Second {
			t.Errorf("%+v, want a full read-out for each connection and one to look for what is missing, and a clock that was measured just now", f)
		}
		if off := f.ClockZero.Sub(c.zero); off.Abs() > f.ClockError {
			t.Errorf("the clock is off by %s and said to be off by no more than %s", off, f.ClockError)
		}
	})
}
