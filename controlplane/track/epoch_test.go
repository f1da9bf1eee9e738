package track

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"context"
	"fmt"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// TestSwitchesAreComparedAtTheSameMoment sends a flow past two switches whose clocks are days
// apart, loses every tenth packet between them, and compares their newest snapshots for the
// same epoch with the truth.
func TestSwitchesAreComparedAtTheSameMoment(t *testing.T) {
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
		var caches []*cache
		for name, up := range map[string]time.Duration{"leaf1": time.Hour, "spine1": 77 * time.Hour} {
			c := &cache{name: name, t: tracker, ctx: ctx, zero: time.Now().Add(-up),
				model: &model{slots: make([]modelSlot, 8), truth: map[flow.Key]flow.Counters{}}}
			if err := tracker.Connected(ctx, c, true); err != nil {
				t.Fatal(err)
			}
			caches = append(caches, c)
		}
		if caches[0].name != "leaf1" {
			caches[0], caches[1] = caches[1], caches[0]
		}
		time.Sleep(time.Second)

		key := tcp(1, "10.0.0.1", "10.0.0.2", 40000, 80)
		for n := range 500 {
			caches[0].packet(key, 100, 0)
			if n%10 != 9 {
				caches[1].packet(key, 100, 0)
			}
			time.Sleep(10 * time.Millisecond)
		}
		running := snapshots(t, s)
		leaf, spine := running["leaf1"], running["spine1"]
		for _, to := range []int{len(leaf) - 1, len(leaf) - 2} {
			a := leaf[to]
			b, ok := spine.At(a.To)
			if !ok {
				t.Fatalf("no snapshot of spine1 for epoch %d: %+v", a.To, spine)
			}
			if lost, want := a.Packets-b.Packets, a.Packets/10; lost+1 < want || lost > want+1 {
				t.Errorf("epoch %d: %d of %d lost, want %d", a.To, lost, a.Packets, want)
			}
		}
		time.Sleep(10 * time.Second) // both are read out
		final := snapshots(t, s)
		a, knownA := final["leaf1"].At(openEpoch)
		b, knownB := final["spine1"].At(openEpoch)
		if !knownA || !knownB || a.Packets != 500 || b.Packets != 450 {
			t.Errorf("at the end %+v and %+v, want 500 and 450", a, b)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// snapshots are those of the one conversation, by switch.
func snapshots(t *testing.T, s *sink) map[string]flow.Snapshots {
	t.Helper()
	all := s.conversations()
	if len(all) != 1 {
		t.Fatalf("%d conversations", len(all))
	}
	by := map[string]flow.Snapshots{}
	for _, h := range all[0].ForwardHops {
		by[h.Switch] = h.Snapshots
	}
	return by
}
