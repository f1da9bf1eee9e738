package track

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fabricscope/fabricscope/controlplane/flow"
)

// A ring keeps what a list of snapshots does, but what is too far from the newest.
func TestRingKeepsTheNewestSnapshots(t *testing.T) {
	for seed := range uint64(100) {
		random := rand.New(rand.NewPCG(seed, 1))
		var r ring
		var want flow.Snapshots
		to, packets := uint32(1<<20), random.Uint64N(1<<60)
		for range 200 {
			s := flow.Snapshot{From: to, To: to, Packets: packets}
			switch random.IntN(10) {
			case 0: // of before: adds nothing
				s.To -= random.Uint32N(3)
				s.From = s.To
			case 3: // of none
				s.From = s.To + 1
			case 1: // of many epochs
				to += 1 + random.Uint32N(1<<18)
				s.To = to
			case 2:
				packets += 1 << (28 + random.IntN(8))
				s.Packets = packets
			}
			to += 1 + random.Uint32N(2)
			packets += random.Uint64N(1 << 20)
			r.keep(s)
			want = want.With(s)
			check(t, r.snapshots(nil), want)
		}
	}
}

// check holds snapshots to those that they should be: the newest of them, each as far as it is kept.
func check(t *testing.T, got, want flow.Snapshots) {
	t.Helper()
	for i, w := range slices.Backward(want) {
		if newest := want[len(want)-1]; newest.Packets-w.Packets >= 1<<32 || newest.To-w.To >= 1<<16 {
			want = want[i+1:]
			break
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%+v, want %+v", got, want)
	}
	for i, w := range want {
		w.From = max(w.From, w.To-min(w.To, 1<<16-1))
		if got[i] != w {
			t.Fatalf("%+v, want %+v", got[i], w)
		}
	}
}
