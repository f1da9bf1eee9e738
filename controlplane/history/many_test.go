package history_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fabricscope/fabricscope/controlplane/history"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// TestPastOfMany compares the past of more objects than are read in one piece with the plain list of changes, in whole and by
// kinds: what is there, in which order, and that each is found by its name.
func TestPastOfMany(t *testing.T) {
	r, cfg, d, c := random(t)
	s, _ := start(t, cfg, d)
	_, feed := s.Subscribe()
	var written log
	for range 20 {
		c.add(time.Duration(1+r.IntN(3000)) * time.Millisecond)
		var changes []inventory.Change
		for _, n := range r.Perm(2000)[:200] {
			p := pod(n, []string{"Pending", "Running"}[r.IntN(2)])
			p.Cluster = []string{"blue", "blu"}[n%2]
			m := inventory.Member{Cluster: p.Cluster, Namespace: "shop", Service: fmt.Sprint("svc", n%7), Address: netip.MustParseAddr("10.0.0.1"), PodUID: p.UID, Ready: r.IntN(2) == 0}
			became := []inventory.Change{inventory.Became(p, c.now()), inventory.Became(m, c.now())}
			if r.IntN(4) == 0 {
				became = []inventory.Change{inventory.Ended(p.Ref(), c.now()), inventory.Ended(m.Ref(), c.now())}
			}
			changes = append(changes, became...)
		}
		s.Record(changes...)
		written = append(written, drain(t, feed)...) // one call at a time, or the feed would merge
	}
	for n := range 6 {
		when, axis := epoch.Add(time.Duration(r.Int64N(int64(c.now().Sub(epoch))))), history.Axis(n%2)
		asked := [][]inventory.Kind{nil, {inventory.KindPod}, {inventory.KindMember, inventory.KindCluster}}[n%3]
		want := written.at(when, axis, cfg.Linger)
		maps.DeleteFunc(want, func(r inventory.Ref, _ inventory.Entry) bool { return asked != nil && !slices.Contains(asked, r.Kind) })
		v, err := s.At(t.Context(), when, axis, history.AllOf(asked...)...)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, all(v), equal...); diff != "" {
			t.Fatalf("%v at %v by %v (-want +got):\n%s", asked, when, axis, diff)
		}
		inOrder(t, v, want)
	}
}

// inOrder checks the order of a view, and that it finds everything.
func inOrder(t *testing.T, v inventory.View, want map[inventory.Ref]inventory.Entry) {
	t.Helper()
	for _, k := range kinds {
		var refs []inventory.Ref
		for e := range v.All(k) {
			refs = append(refs, e.Fact.Ref())
		}
		if !slices.IsSortedFunc(refs, inventory.Ref.Compare) {
			t.Fatalf("what is of kind %v is in another order than its references", k)
		}
	}
	for ref := range want {
		if _, ok := v.Get(ref); !ok {
			t.Fatalf("%v is not found", ref)
		}
	}
}
