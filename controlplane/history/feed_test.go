package history_test

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fabricscope/fabricscope/controlplane/history"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

func cancelled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// TestFeedsMissNothing has writers and subscribers come and go; each subscriber, by its view and feed alone,
// ends with the state of the store.
func TestFeedsMissNothing(t *testing.T) {
	s, stop := start(t, config(t), deps(t))
	var writers, readers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 7))
			for range 500 {
				p := pod(r.IntN(200), []string{"Pending", "Running", "Unknown"}[r.IntN(3)])
				if r.IntN(4) == 0 {
					s.Record(inventory.Ended(p.Ref(), time.Now()))
				} else {
					s.Record(inventory.Became(p, time.Now()))
				}
			}
		})
	}
	for n := range 8 {
		readers.Go(func() {
			time.Sleep(time.Duration(n) * 5 * time.Millisecond) // spreads the beginnings; nothing depends on it
			v, feed := s.Subscribe()
			defer feed.Close()
			got, version := all(v), v.Version()
			for {
				updates, err := feed.Next(context.Background())
				if errors.Is(err, history.ErrClosed) {
					break
				}
				for _, u := range updates {
					if u.Version <= version {
						t.Errorf("version %d after %d", u.Version, version)
					}
					version = u.Version
					if _, known := got[u.Ref]; !known && u.Fact == nil {
						t.Errorf("the end of %v, which the reader never saw", u.Ref)
					}
					got[u.Ref] = u.Entry
					if u.Fact == nil {
						delete(got, u.Ref)
					}
				}
			}
			if diff := cmp.Diff(all(s.Now()), got, equal...); diff != "" {
				t.Errorf("reader %d (-store +reader):\n%s", n, diff)
			}
		})
	}
	writers.Wait()
	stop()
	readers.Wait()
}

func TestFeedMerges(t *testing.T) {
	s, _ := start(t, config(t), deps(t))
	s.Record(inventory.Became(pod(1, "Pending"), epoch), inventory.Became(pod(2, "Pending"), epoch))
	_, feed := s.Subscribe()
	defer feed.Close()
	became := func(n int, phase string) { s.Record(inventory.Became(pod(n, phase), epoch)) }
	ended := func(n int) { s.Record(inventory.Ended(pod(n, "").Ref(), epoch)) }

	became(1, "Running")
	became(3, "Pending") // comes and goes unseen
	ended(1)
	became(1, "Pending") // lives again: both its end and its new state count
	became(1, "Unknown")
	ended(3)
	became(2, "Running")
	became(2, "Unknown")
	ended(2)
	became(4, "Pending")
	became(4, "Running")

	var got []string
	for _, u := range drain(t, feed) {
		text := u.Ref.ID + " ended"
		if p, ok := u.Fact.(inventory.Pod); ok {
			text = u.Ref.ID + " " + p.Phase
		}
		got = append(got, text)
	}
	want := []string{"uid-1 ended", "uid-1 Unknown", "uid-2 ended", "uid-4 Running"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	feed.Close()
	feed.Close()
	if _, err := feed.Next(context.Background()); !errors.Is(err, history.ErrClosed) {
		t.Errorf("next after close: %v", err)
	}
}

// TestViewStays takes views while the state changes below them.
func TestViewStays(t *testing.T) {
	s, _ := start(t, config(t), deps(t))
	type kept struct {
		view inventory.View
		want map[inventory.Ref]inventory.Entry
	}
	var views []kept
	plain := map[inventory.Ref]inventory.Entry{}
	r := rand.New(rand.NewPCG(3, 3))
	for i := range 1000 {
		p := pod(r.IntN(100), []string{"Pending", "Running"}[r.IntN(2)])
		if r.IntN(3) == 0 {
			s.Record(inventory.Ended(p.Ref(), epoch))
			delete(plain, p.Ref())
		} else {
			s.Record(inventory.Became(p, epoch))
			plain[p.Ref()] = inventory.Entry{Fact: p}
		}
		if i%100 == 0 {
			views = append(views, kept{s.Now(), maps.Clone(plain)})
		}
	}
	for _, k := range views {
		var last inventory.Ref
		n := 0
		for e := range k.view.All(inventory.KindPod) {
			ref := e.Fact.Ref()
			if last.Compare(ref) >= 0 {
				t.Fatalf("%v after %v", ref, last)
			}
			if got, ok := k.view.Get(ref); !ok || !cmp.Equal(got.Fact, k.want[ref].Fact, equal...) {
				t.Fatalf("%v: %v, want %v", ref, got.Fact, k.want[ref].Fact)
			}
			last = ref
			n++
		}
		if n != len(k.want) {
			t.Fatalf("view of version %d has %d pods, want %d", k.view.Version(), n, len(k.want))
		}
	}
}
