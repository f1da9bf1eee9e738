package kube

import (
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// told is a sink that remembers the last change of each fact, and in what order they came.
type told struct {
	mu      sync.Mutex
	now     map[inventory.Ref]inventory.Fact // guarded by mu
	resumed time.Time
	changes []inventory.Change // guarded by mu
}

func (t *told) Record(changes ...inventory.Change) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range changes {
		t.changes = append(t.changes, c)
		if delete(t.now, c.Ref); c.Fact != nil {
			t.now[c.Ref] = c.Fact
		}
	}
}

func (t *told) Replace(k inventory.Kind, _ string, facts []inventory.Fact, _ time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.DeleteFunc(t.now, func(r inventory.Ref, _ inventory.Fact) bool { return r.Kind == k })
	for _, f := range facts {
		t.now[f.Ref()] = f
	}
}

func (t *told) Retain(k inventory.Kind, _ string, there map[inventory.Ref]struct{}, _ time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.DeleteFunc(t.now, func(r inventory.Ref, _ inventory.Fact) bool {
		_, ok := there[r]
		return r.Kind == k && !ok
	})
}

func (t *told) Now() inventory.View { return t }
func (t *told) Resumed() time.Time  { return t.resumed }
func (t *told) Version() uint64     { return 0 }
func (t *told) All(inventory.Kind) func(func(inventory.Entry) bool) {
	return func(func(inventory.Entry) bool) {}
}
func (t *told) From(k inventory.Kind, _, _ string) func(func(inventory.Entry) bool) {
	return t.All(k)
}
func (t *told) Get(r inventory.Ref) (inventory.Entry, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f, ok := t.now[r]
	return inventory.Entry{Fact: f}, ok
}

func TestGap(t *testing.T) {
	at := func(seconds int) time.Time {
		return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(seconds) * time.Second)
	}
	ref := inventory.Gap{Cluster: "blue"}.Ref()
	cluster := inventory.Cluster{Name: "blue", State: synced}
	for name, c := range map[string]struct {
		known []inventory.Fact
		until time.Time
		play  func(*gap)
		begun time.Time // zero: no gap
		ended time.Time // zero: open
	}{
		"a cluster that was never known has nothing to miss": {play: func(g *gap) { g.begin(at(1), "x"); g.lost(); g.end(at(2)) }},
		"an outage after which the watch goes on is taken back": {
			play:  func(g *gap) { g.end(at(0)); g.begin(at(5), "x"); g.begin(at(6), "y"); g.end(at(9)) },
			begun: at(5), ended: at(5)},
		"one after which all is listed anew is a gap": {
			play:  func(g *gap) { g.end(at(0)); g.begin(at(5), "x"); g.lost(); g.end(at(9)) },
			begun: at(5), ended: at(9)},
		"the clock was set back in it": {
			play:  func(g *gap) { g.end(at(0)); g.begin(at(500), "x"); g.lost(); g.end(at(9)) },
			begun: at(500), ended: at(500).Add(1)},
		"while the daemon did not run": {known: []inventory.Fact{cluster}, until: at(3), play: func(g *gap) { g.end(at(100)) },
			begun: at(3), ended: at(100)},
		"the clock was set back meanwhile": {known: []inventory.Fact{cluster}, until: at(3600), play: func(g *gap) { g.end(at(100)) },
			begun: at(50), ended: at(100)},
		"a gap goes on over a restart": {known: []inventory.Fact{cluster, inventory.Gap{Cluster: "blue", Since: at(2)}}, until: at(30),
			play: func(g *gap) { g.begin(at(60), "x"); g.end(at(100)) }, ended: at(100)},
		"a cluster that was never synced before a restart": {known: []inventory.Fact{inventory.Cluster{Name: "blue", State: connecting}},
			until: at(3), play: func(g *gap) { g.end(at(100)) }},
	} {
		t.Run(name, func(t *testing.T) {
			sink := &told{now: map[inventory.Ref]inventory.Fact{}}
			for _, f := range c.known {
				sink.now[f.Ref()] = f
			}
			g := &gap{cluster: "blue", sink: sink, closed: prometheus.NewCounter(prometheus.CounterOpts{})}
			g.resume(c.until, at(50))
			c.play(g)
			var begun, ended time.Time
			for _, change := range sink.changes {
				if change.Ref != ref {
					continue
				}
				if change.Fact == nil {
					ended = change.Event
				} else {
					begun = change.Event
				}
			}
			if !begun.Equal(c.begun) || !ended.Equal(c.ended) {
				t.Errorf("from %v to %v, want %v to %v", begun, ended, c.begun, c.ended)
			}
		})
	}
}
