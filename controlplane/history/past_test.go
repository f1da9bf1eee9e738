package history_test

import (
	"context"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/history"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

var equal = []cmp.Option{cmpopts.EquateComparable(inventory.Ref{}, netip.Addr{}, netip.Prefix{})}

// clock is a clock that a test sets; it may go back.
type clock struct {
	mu sync.Mutex
	t  time.Time // guarded by mu
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// log is the plain list of every update that a store made, from its own feed.
type log []inventory.Update

// at is the definition of the past: of each object the last recorded change up to t.
func (l log) at(t time.Time, axis history.Axis, linger time.Duration) map[inventory.Ref]inventory.Entry {
	last := map[inventory.Ref]inventory.Entry{}
	for _, u := range l {
		when := u.Event
		if axis == history.ByCommit {
			when = u.Commit
		}
		c, isFlow := u.Fact.(flow.Conversation)
		switch {
		case when.After(t), u.Ref.Kind == inventory.KindConversation && (!isFlow || when.Before(t.Add(-linger))):
		case isFlow && c.Last.Before(t.Add(-linger)):
			delete(last, u.Ref)
		default:
			last[u.Ref] = u.Entry
		}
	}
	maps.DeleteFunc(last, func(_ inventory.Ref, e inventory.Entry) bool { return e.Fact == nil })
	return last
}

// random gives what a comparison with random changes begins with: where its choices come from, by a seed that the test's
// log tells, and a history's configuration and clock.
func random(t *testing.T) (*rand.Rand, history.Config, history.Deps, *clock) {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	cfg, d, c := config(t), deps(t), &clock{t: epoch}
	cfg.FlowInterval, cfg.Linger = 0, 30*time.Second
	d.Now = c.now
	return rand.New(rand.NewPCG(seed, 1)), cfg, d, c
}

// TestPast records random changes, some known late, under a clock that steps, with
// restarts between them, and compares the past with the plain list of changes.
func TestPast(t *testing.T) {
	r, cfg, d, c := random(t)
	var written log
	for range 3 {
		s, stop := start(t, cfg, d)
		_, feed := s.Subscribe()
		for range 150 {
			c.add(time.Duration(r.IntN(3000)-500) * time.Millisecond)
			recordRandomly(s, r, c.now())
			// One call at a time, or the feed would merge what the list needs whole.
			written = append(written, drain(t, feed)...)
		}
		for range 25 {
			when := epoch.Add(time.Duration(r.Int64N(int64(c.now().Sub(epoch)))))
			if r.IntN(3) == 0 {
				u := written[r.IntN(len(written))]
				when = []time.Time{u.Event, u.Commit}[r.IntN(2)]
			}
			for _, axis := range []history.Axis{history.ByEvent, history.ByCommit} {
				want, got := written.at(when, axis, cfg.Linger), all(at(t, s, when, axis))
				if diff := cmp.Diff(want, got, equal...); diff != "" {
					t.Fatalf("at %v by %v (-want +got):\n%s", when, axis, diff)
				}
			}
		}
		stop()
	}
}

func recordRandomly(s *history.Store, r *rand.Rand, now time.Time) {
	late := now.Add(-time.Duration(r.IntN(20)) * time.Second)
	event := []time.Time{now, late, {}}[r.IntN(3)]
	p := pod(r.IntN(12), []string{"Pending", "Running"}[r.IntN(2)])
	switch r.IntN(9) {
	case 8:
		s.Retain(inventory.KindPod, "blue", map[inventory.Ref]struct{}{p.Ref(): {}, pod(r.IntN(12), "").Ref(): {}}, now)
	case 0:
		s.Record(inventory.Ended(p.Ref(), event))
	case 1, 2:
		s.Record(inventory.Became(conversation(r.IntN(8), r.Uint64N(1000), late), event))
	case 3:
		s.Replace(inventory.KindPod, "blue", []inventory.Fact{p, pod(20+r.IntN(3), "Running")}, now)
	default:
		s.Record(inventory.Became(p, event))
	}
}

// drain takes what a feed has, without waiting.
func drain(t *testing.T, f *history.Feed) []inventory.Update {
	t.Helper()
	updates, err := f.Next(cancelled(t))
	if err != nil {
		return nil
	}
	return updates
}

func TestEveryDurableKindSurvivesRestart(t *testing.T) {
	cfg := config(t)
	facts := slices.DeleteFunc(everyKind(), func(f inventory.Fact) bool { return f.Ref().Kind == inventory.KindAccounting })
	d := deps(t)
	d.Now = func() time.Time { return epoch.Add(time.Minute) }
	s, stop := start(t, cfg, d)
	for _, f := range facts {
		s.Record(inventory.Became(f, epoch.Add(30*time.Second)))
	}
	before := all(s.Now())
	stop()

	s, _ = start(t, cfg, d)
	if len(before) != len(facts) {
		t.Fatalf("recorded %d kinds, %d live", len(facts), len(before))
	}
	if diff := cmp.Diff(before, all(s.Now()), equal...); diff != "" {
		t.Errorf("after restart (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(before, all(at(t, s, epoch.Add(time.Minute), history.ByEvent)), equal...); diff != "" {
		t.Errorf("the past (-before +after):\n%s", diff)
	}
	version := s.Now().Version()
	for _, f := range facts {
		s.Record(inventory.Became(f, epoch.Add(40*time.Second)))
	}
	if v := s.Now().Version(); v != version || v != uint64(len(facts)) {
		t.Errorf("recording the same again: version %d, before %d", v, version)
	}
	s.Replace(inventory.KindPod, "green", nil, epoch.Add(time.Hour))
	s.Record(inventory.Became(pod(30, "Running"), epoch.Add(time.Hour)))
	s.Retain(inventory.KindPod, "blue", map[inventory.Ref]struct{}{pod(30, "Running").Ref(): {}}, epoch.Add(time.Hour))
	if left := slices.Collect(s.Now().All(inventory.KindPod)); len(left) != 1 || left[0].Fact.Ref() != pod(30, "Running").Ref() {
		t.Errorf("of all pods one was to be retained: %v", left)
	}
	s.Replace(inventory.KindPod, "blue", nil, epoch.Add(time.Hour))
	if left := slices.Collect(s.Now().All(inventory.KindPod)); len(left) != 0 {
		t.Errorf("pods after the replacement with none: %v", left)
	}
}

// TestPastOfWhatWasRecordedBeforeRun asks before the writer begins: the answer must wait for it, not be empty.
func TestPastOfWhatWasRecordedBeforeRun(t *testing.T) {
	s, err := history.New(config(t), deps(t))
	if err != nil {
		t.Fatal(err)
	}
	s.Record(inventory.Became(pod(1, "Running"), epoch))
	if _, err := s.At(cancelled(t), epoch, history.ByEvent); err == nil {
		t.Error("an answer from before anything was written")
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	if got := all(at(t, s, epoch, history.ByEvent)); len(got) != 1 {
		t.Errorf("%d facts, want 1", len(got))
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
