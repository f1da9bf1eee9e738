package history_test

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fabricscope/fabricscope/controlplane/history"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// TestReplay records random changes and replays random stretches: what Next gives must lead from the state at the
// beginning to that at the end, and be the changes that were made, in their order.
func TestReplay(t *testing.T) {
	r, cfg, d, c := random(t)
	s, _ := start(t, cfg, d)
	_, feed := s.Follow()
	for range 300 {
		c.add(time.Duration(r.IntN(3000)-500) * time.Millisecond)
		recordRandomly(s, r, c.now())
	}
	var written log
	for _, u := range drain(t, feed) {
		if u.Ref.Kind == inventory.KindPod {
			written = append(written, u)
		}
	}
	span := int64(c.now().Sub(epoch))
	for range 40 {
		from, until := epoch.Add(time.Duration(r.Int64N(span))), epoch.Add(time.Duration(r.Int64N(span)))
		if r.IntN(3) == 0 { // just where something changed
			from = written[r.IntN(len(written))].Commit
		}
		if until.Before(from) {
			from, until = until, from
		}
		checkReplay(t, s, from, until, written)
	}
}

func checkReplay(t *testing.T, s *history.Store, from, until time.Time, written log) {
	t.Helper()
	replay, err := s.Replay(t.Context(), from, until)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := replay.Close(); err != nil {
			t.Error(err)
		}
	}()
	state := all(replay.View())
	if diff := cmp.Diff(all(at(t, s, from.Add(-1), history.ByCommit)), state, equal...); diff != "" {
		t.Fatalf("the state before %v (-want +got):\n%s", from, diff)
	}
	var pods log
	for {
		updates, err := replay.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range updates {
			if diff := cmp.Diff(state[u.Ref], u.Before, equal...); diff != "" {
				t.Fatalf("before the update of %v (-want +got):\n%s", u.Ref, diff)
			}
			if state[u.Ref] = u.Entry; u.Fact == nil {
				delete(state, u.Ref)
			}
			if u.Ref.Kind == inventory.KindPod {
				pods = append(pods, u)
			}
		}
		if diff := cmp.Diff(all(replay.View()), state, equal...); diff != "" {
			t.Fatalf("the view after an update (-want +got):\n%s", diff)
		}
	}
	if diff := cmp.Diff(all(at(t, s, until.Add(-1), history.ByCommit)), state, equal...); diff != "" {
		t.Errorf("the state before %v (-want +got):\n%s", until, diff)
	}
	var want log
	for _, u := range written {
		if !u.Commit.Before(from) && u.Commit.Before(until) {
			want = append(want, u)
		}
	}
	if len(want) != len(pods) {
		t.Fatalf("%d changes of pods from %v until %v, want %d", len(pods), from, until, len(want))
	}
	// The changes of one commit come in no certain order.
	byCommit := func(l log) map[time.Time]map[inventory.Ref]inventory.Entry {
		m := map[time.Time]map[inventory.Ref]inventory.Entry{}
		for _, u := range l {
			if m[u.Commit] == nil {
				m[u.Commit] = map[inventory.Ref]inventory.Entry{}
			}
			m[u.Commit][u.Ref] = u.Entry
		}
		return m
	}
	if diff := cmp.Diff(byCommit(want), byCommit(pods), equal...); diff != "" {
		t.Errorf("changes from %v until %v (-want +got):\n%s", from, until, diff)
	}
}

func TestReplayErrors(t *testing.T) {
	s, stop := start(t, config(t), deps(t))
	if _, err := s.Replay(cancelled(t), epoch, epoch.Add(time.Hour)); err == nil {
		t.Error("a replay for nobody")
	}
	stop()
	if _, err := s.Replay(t.Context(), epoch, epoch.Add(time.Hour)); !errors.Is(err, history.ErrClosed) {
		t.Errorf("replay of a closed store: %v", err)
	}
}

// TestFollowKeepsChangesApart wants every update of one object, each with what was before it, and the state that goes with them.
func TestFollowKeepsChangesApart(t *testing.T) {
	s, _ := start(t, config(t), deps(t))
	_, feed := s.Follow()
	defer feed.Close()
	phases := []string{"Pending", "Running", "Unknown"}
	for _, p := range phases {
		s.Record(inventory.Became(pod(1, p), epoch))
	}
	s.Record(inventory.Ended(pod(1, "").Ref(), epoch))
	updates, v, err := feed.NextView(cancelled(t))
	if err != nil || len(updates) != len(phases)+1 {
		t.Fatalf("%d updates, %v", len(updates), err)
	}
	var before inventory.Entry
	for i, u := range updates {
		if diff := cmp.Diff(before, u.Before, equal...); diff != "" {
			t.Errorf("before update %d (-want +got):\n%s", i, diff)
		}
		before = u.Entry
	}
	if v.Version() != updates[len(phases)].Version {
		t.Errorf("the view is of version %d", v.Version())
	}
}

func TestViewFrom(t *testing.T) {
	s, _ := start(t, config(t), deps(t))
	member := func(cluster, service, uid string) inventory.Member {
		return inventory.Member{Cluster: cluster, Namespace: "shop", Service: service, PodUID: uid}
	}
	for _, m := range []inventory.Member{member("blue", "cart", "1"), member("blue", "cart", "2"),
		member("blue", "carts", "3"), member("green", "cart", "4"), member("blue", "b", "5")} {
		s.Record(inventory.Became(m, epoch))
	}
	got := ""
	for e := range s.Now().From(inventory.KindMember, "blue", "shop/cart/") {
		got += e.Fact.(inventory.Member).PodUID
	}
	if got != "123" {
		t.Errorf("members %q", got)
	}
}
