package history

import (
	"time"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// Replace makes facts everything that there is of a kind in a cluster ("" for the fabric),
// as of at: what is new or different becomes so at that time, and what is missing ends,
// marked as having ended at some time up to then.
func (s *Store) Replace(kind inventory.Kind, cluster string, facts []inventory.Fact, at time.Time) {
	var items []item
	present := make(map[inventory.Ref]struct{}, len(facts))
	root := s.snapshot()
	for _, f := range facts {
		it := prepare(inventory.Became(f, at))
		present[it.ref] = struct{}{}
		if now, ok := root.find(it.ref); !ok || now.sum != it.sum { // of most of a long list nothing is to be done, nor kept
			items = append(items, it)
		}
	}
	s.metrics.unchanged.Add(float64(len(facts) - len(items)))
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.admit(len(items)) {
		return
	}
	commit := s.commitTime()
	s.retain(kind, cluster, present, at, commit)
	for _, it := range items {
		s.apply(it, commit)
	}
	s.nudge()
}

// Retain ends everything of a kind in a cluster that is not there, marked as having ended at some time up to at.
func (s *Store) Retain(kind inventory.Kind, cluster string, there map[inventory.Ref]struct{}, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.admit(0) {
		s.retain(kind, cluster, there, at, s.commitTime())
		s.nudge()
	}
}

// retain is Retain. s.mu is held.
func (s *Store) retain(kind inventory.Kind, cluster string, there map[inventory.Ref]struct{}, at, commit time.Time) {
	var missing []inventory.Ref
	s.current.root.ascend(inventory.Ref{Kind: kind, Cluster: cluster}, func(n *node) bool {
		if n.ref.Kind != kind || n.ref.Cluster != cluster {
			return false
		}
		if _, ok := there[n.ref]; !ok {
			missing = append(missing, n.ref)
		}
		return true
	})
	for _, r := range missing {
		s.apply(item{ref: r, Entry: inventory.Entry{Event: at}}, commit)
	}
}
