package history_test

import (
	"math"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fabricscope/fabricscope/controlplane/history"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// TestClockSteps puts the clock forward by a month and back: nothing that goes on ends, nothing that is kept goes, and what is
// recorded is in its order.
func TestClockSteps(t *testing.T) {
	cfg := config(t)
	c := &clock{t: epoch}
	var steady atomic.Int64
	steady.Store(math.MaxInt64)
	d := deps(t)
	d.Now, d.Steady = c.now, func() time.Duration { return time.Duration(steady.Load()) }
	s, stop := start(t, cfg, d)
	s.Record(inventory.Became(pod(1, "Pending"), epoch), inventory.Became(pod(2, "Pending"), epoch), inventory.Became(conversation(1, 1, epoch), epoch))
	s.Record(inventory.Ended(pod(2, "").Ref(), epoch))
	flush(t, s)
	for n, step := range []time.Duration{40 * 24 * time.Hour, -41 * 24 * time.Hour} {
		s.Record(inventory.Became(conversation(1, uint64(2*n)+2, c.now()), c.now()))
		c.add(step)
		steady.Store(0)
		history.Expire(s)
		history.Sweep(s)
		if live := all(s.Now()); len(live) != 2 {
			t.Errorf("just after a step of %v there are %d facts, want the pod and the conversation", step, len(live))
		}
		if n := history.Rows(t, s, "life"); n != 2 {
			t.Errorf("just after a step of %v the lives of %d pods are kept, want 2", step, n)
		}
		s.Record(inventory.Became(conversation(1, uint64(2*n)+3, c.now()), c.now()), inventory.Became(pod(1, []string{"Running", "Failed"}[n]), c.now()))
		c.add(cfg.Linger - time.Second)
		steady.Store(int64(cfg.Linger))
		history.Expire(s)
		if live := all(s.Now()); len(live) != 2 {
			t.Errorf("%v after a step of %v there are %d facts, want the pod and the conversation", cfg.Linger, step, len(live))
		}
		c.add(2 * time.Second)
		history.Expire(s)
		if live := all(s.Now()); len(live) != 1 {
			t.Errorf("when the conversation is quiet there are %d facts, want the pod", len(live))
		}
	}
	flush(t, s)
	newest := all(at(t, s, history.LastCommit(s), history.ByCommit))
	if got := newest[pod(1, "").Ref()].Fact; !cmp.Equal(got, inventory.Fact(pod(1, "Failed")), equal...) {
		t.Errorf("what was known last: %v", got)
	}
	live := all(s.Now())
	stop()
	s, _ = start(t, cfg, d)
	if diff := cmp.Diff(live, all(s.Now()), equal...); diff != "" {
		t.Errorf("after a restart (-want +got):\n%s", diff)
	}
}
