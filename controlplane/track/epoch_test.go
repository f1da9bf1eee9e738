package track

import (
	"context"
	"testing"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
)

// TestSwitchesAreComparedAtTheSameMoment sends a flow past two switches whose clocks are days
// apart, loses every tenth packet between them, and compares their newest snapshots for the
// same epoch with the truth.
func TestSwitchesAreComparedAtTheSameMoment(t *testing.T) {
	tracking(t, func(ctx context.Context, tracker *Tracker, s *sink) {
		var caches []*cache
		for i, name := range []string{"leaf1", "spine1"} {
			c := newCache(ctx, name, tracker, time.Duration(1+76*i)*time.Hour)
			if err := tracker.Connected(ctx, c, true); err != nil {
				t.Fatal(err)
			}
			caches = append(caches, c)
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
			if lost, want := a.Packets-b, a.Packets/10; lost+1 < want || lost > want+1 {
				t.Errorf("epoch %d: %d of %d lost, want %d", a.To, lost, a.Packets, want)
			}
		}
		time.Sleep(15 * time.Second) // both are read out: once while not silent for long enough, perhaps
		final := snapshots(t, s)
		a, knownA := final["leaf1"].At(flow.OpenEpoch)
		b, knownB := final["spine1"].At(flow.OpenEpoch)
		if !knownA || !knownB || a != 500 || b != 450 {
			t.Errorf("at the end %+v and %+v, want 500 and 450", a, b)
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
