package history_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fabricscope/fabricscope/controlplane/history"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// wishes are questions about some of what recordService and recordRandomly record.
func wishes(r *rand.Rand) []history.Want {
	uid := fmt.Sprint("uid-", r.IntN(13))
	name := fmt.Sprint("shop/svc", r.IntN(4))
	all := []history.Want{
		{Kind: inventory.KindPod, Cluster: "blue", ID: uid, Exact: true},
		{Kind: inventory.KindAttachment, Cluster: "blue", ID: uid + "/"},
		{Kind: inventory.KindMember, Cluster: "blue", ID: name + "/"},
		{Kind: inventory.KindMember, Cluster: "blue", ID: name + "/192.0.2.9/", Exact: true},
		{Kind: inventory.KindMember, Cluster: "blue", Pod: uid},
		{Kind: inventory.KindMember, Cluster: "blue", ID: name + "/", Pod: uid},
		{Kind: inventory.KindService, Cluster: "blue", ID: name, Exact: true},
		{Kind: inventory.KindService, Cluster: "blue"},
		{Kind: inventory.KindPod, Anywhere: true, ID: "uid-1"},
		{Kind: inventory.KindPod, Cluster: "green"},
		{Kind: inventory.KindConversation, ID: "c1", Exact: true},
		{Kind: inventory.KindConversation},
	}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:1+r.IntN(4)]
}

// granted says what of everything is wished for.
func granted(wants []history.Want, ref inventory.Ref) bool {
	return slices.ContainsFunc(wants, func(w history.Want) bool {
		return w.Kind == ref.Kind && (w.Anywhere || w.Cluster == ref.Cluster) &&
			(w.ID == ref.ID || !w.Exact && strings.HasPrefix(ref.ID, w.ID)) && (w.Pod == "" || strings.HasSuffix(ref.ID, "/"+w.Pod))
	})
}

// TestWants compares what is asked of some objects with what everything says of them, at instants and in stretches of time.
func TestWants(t *testing.T) {
	r, cfg, d, c := random(t)
	s, _ := start(t, cfg, d)
	for range 300 {
		c.add(time.Duration(r.IntN(3000)) * time.Millisecond)
		recordService(s, r, c.now())
		recordRandomly(s, r, c.now())
	}
	instant := func() time.Time { return epoch.Add(time.Duration(r.Int64N(int64(c.now().Sub(epoch))))) }
	for n := range 60 {
		when, axis, wants := instant(), history.Axis(n%2), wishes(r)
		want := all(at(t, s, when, axis))
		maps.DeleteFunc(want, func(ref inventory.Ref, _ inventory.Entry) bool { return !granted(wants, ref) })
		v, err := s.At(t.Context(), when, axis, wants...)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, all(v), equal...); diff != "" {
			t.Fatalf("%+v at %v by %v (-want +got):\n%s", wants, when, axis, diff)
		}
	}
	for range 15 {
		from, until, wants := instant(), instant(), wishes(r)
		if until.Before(from) {
			from, until = until, from
		}
		want, got := replayed(t, s, from, until, wants, nil), replayed(t, s, from, until, wants, wants)
		if diff := cmp.Diff(want, got, equal...); diff != "" {
			t.Fatalf("%+v from %v until %v (-want +got):\n%s", wants, from, until, diff)
		}
	}
}

// change is what became of an object, and when that was known.
type change struct {
	ref    inventory.Ref
	commit time.Time
}

// replayed gives the state that a replay of what is asked for begins with, as changes at its beginning, and the changes that
// follow, as far as they are wanted.
func replayed(t *testing.T, s *history.Store, from, until time.Time, wants, asked []history.Want) map[change]inventory.Entry {
	t.Helper()
	replay, err := s.Replay(t.Context(), from, until, asked...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = replay.Close() }()
	changes := map[change]inventory.Entry{}
	for ref, e := range all(replay.View()) {
		if granted(wants, ref) {
			changes[change{ref, from.Add(-1)}] = e
		}
	}
	for {
		updates, err := replay.Next()
		if errors.Is(err, io.EOF) {
			return changes
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range updates {
			if granted(wants, u.Ref) {
				changes[change{u.Ref, u.Commit}] = u.Entry
			}
		}
	}
}
