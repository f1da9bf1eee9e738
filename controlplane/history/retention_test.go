package history_test

import (
	"errors"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/fabricscope/fabricscope/controlplane/history"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// TestRetentionByBytes bounds a file that has grown: what ended longest ago goes, what is asked of that time is an error, and what is
// asked of later times is answered as by the plain list of changes.
func TestRetentionByBytes(t *testing.T) {
	r, cfg, d, c := random(t)
	s, stop := start(t, cfg, d)
	_, feed := s.Follow()
	for range 3000 {
		c.add(time.Duration(r.IntN(3000)) * time.Millisecond)
		recordMany(s, r, c.now())
	}
	written := log(drain(t, feed))
	live := all(s.Now())
	flush(t, s)
	_, _, full := history.Kept(t, s)
	stop()

	cfg.MaxBytes = full / 2
	s, stop = start(t, cfg, d)
	eventually(t, func() bool {
		_, _, used := history.Kept(t, s)
		return used <= cfg.MaxBytes
	})
	facts, flows, used := history.Kept(t, s)
	if used < cfg.MaxBytes*8/10 {
		t.Errorf("%d bytes are left of %d, where %d may be", used, full, cfg.MaxBytes)
	}
	if !facts.After(epoch) || !flows.After(epoch) {
		t.Errorf("facts are kept from %v on, flow records from %v on: not the oldest of both went", facts, flows)
	}
	if _, err := s.At(t.Context(), facts.Add(-1), history.ByEvent); !errors.Is(err, history.ErrBeforeRetention) {
		t.Errorf("of before %v: %v", facts, err)
	}
	if _, err := s.Replay(t.Context(), facts.Add(-time.Minute), c.now()); !errors.Is(err, history.ErrBeforeRetention) {
		t.Errorf("a stretch from before %v: %v", facts, err)
	}
	checkKept(t, s, r, written, facts, flows.Add(cfg.Linger), c.now())
	stop()

	checkNothingLeft(t, cfg, d, live)
}

// recordMany makes a random change to one of many pods, or to a conversation.
func recordMany(s *history.Store, r *rand.Rand, now time.Time) {
	event := now.Add(time.Duration(r.IntN(4)-3) * time.Second)
	p := pod(r.IntN(300), []string{"Pending", "Running"}[r.IntN(2)])
	switch r.IntN(8) {
	case 0, 1, 2:
		s.Record(inventory.Ended(p.Ref(), event))
	case 3:
		s.Record(inventory.Became(conversation(r.IntN(8), r.Uint64N(1000), now), event))
	default:
		s.Record(inventory.Became(p, event))
	}
}

// checkKept compares the past after the horizons with the list of changes.
func checkKept(t *testing.T, s *history.Store, r *rand.Rand, written log, facts, flows, now time.Time) {
	t.Helper()
	for n := range 60 {
		when, axis := facts.Add(time.Duration(r.Int64N(int64(now.Sub(facts))))), history.Axis(n%2)
		wants, want := []history.Want(nil), written.at(when, axis, 30*time.Second)
		if when.Before(flows) { // what was so is known, and of who spoke only some
			if _, err := s.At(t.Context(), when, axis); !errors.Is(err, history.ErrBeforeRetention) {
				t.Errorf("everything at %v, before %v: %v", when, flows, err)
			}
			wants = history.AllOf(inventory.KindPod)
			maps.DeleteFunc(want, func(ref inventory.Ref, _ inventory.Entry) bool { return ref.Kind != inventory.KindPod })
		}
		got := all(at(t, s, when, axis, wants...))
		if diff := cmp.Diff(want, got, equal...); diff != "" {
			t.Fatalf("at %v by %v (-want +got):\n%s", when, axis, diff)
		}
	}
}

// checkNothingLeft gives the file less room than what is so now takes.
func checkNothingLeft(t *testing.T, cfg history.Config, d history.Deps, live map[inventory.Ref]inventory.Entry) {
	t.Helper()
	cfg.MaxBytes = 1
	registry := prometheus.NewRegistry()
	d.Registerer = registry
	s, _ := start(t, cfg, d)
	eventually(t, func() bool {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "fabricscope_history_over_bound" {
				return f.GetMetric()[0].GetGauge().GetValue() == 1
			}
		}
		t.Fatal("no metric")
		return false
	})
	if n := history.Rows(t, s, "ended") + history.Rows(t, s, "flow_record"); n != 0 {
		t.Errorf("%d rows are left that might go", n)
	}
	if n, err := testutil.GatherAndCount(registry, "fabricscope_history_deleted_total"); err != nil || n == 0 {
		t.Errorf("%d counters of what was deleted, %v", n, err)
	}
	got := all(s.Now())
	for _, m := range []map[inventory.Ref]inventory.Entry{live, got} {
		maps.DeleteFunc(m, func(ref inventory.Ref, _ inventory.Entry) bool { return ref.Kind == inventory.KindConversation })
	}
	if diff := cmp.Diff(live, got, equal...); diff != "" {
		t.Errorf("what is so now (-want +got):\n%s", diff)
	}
}
