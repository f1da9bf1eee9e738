package gnmi

import (
	"sync"
	"sync/atomic"
	"time"
)

// A member that has crowdedFrom changes to read is asked every crowdedEvery further ones whether it is stuck: what waits
// for one is merged. So is more than maxTake, of one that is only slow.
const (
	crowdedFrom  = 1024
	crowdedEvery = 256
	stuckAfter   = 250 * time.Millisecond
)

// member is a subscriber's place in the log of its group. Its goroutine reads; the hub wakes it.
type member struct {
	hub     *hub
	group   *group
	apart   bool          // whether every change is wanted by itself
	wake    chan struct{} // holds one when there may be something to read
	crowded chan struct{} // holds one when the log has much that was not read
	gone    chan struct{} // closed when the subscription has to end
	why     error         // set before gone is closed
	end     sync.Once     // of gone

	mu      sync.Mutex
	at      *link   // guarded by mu; the last link that was read or merged
	backlog backlog // guarded by mu; what comes before the link after at; nil for nothing

	read   atomic.Uint64 // the number of at
	merged atomic.Int64  // objects in backlog
}

func newMember(h *hub, g *group) *member {
	m := &member{hub: h, group: g, wake: make(chan struct{}, 1), crowded: make(chan struct{}, 1), gone: make(chan struct{}), at: g.newest}
	m.read.Store(g.newest.number)
	return m
}

// batch is what a member takes at once: what was merged, or else changes as they came.
type batch struct {
	merged []*waiting
	links  []*link
}

func (b batch) empty() bool { return len(b.merged)+len(b.links) == 0 }

// leave makes the subscription end with an error.
func (m *member) leave(why error) {
	m.end.Do(func() {
		m.why = why
		close(m.gone)
	})
}

// take gives up to limit changes that the member has not read, or what was merged of those before; it does not wait.
func (m *member) take(limit int) batch {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.backlog) > 0 {
		return batch{merged: m.takeBacklog()}
	}
	var b batch
	for len(b.links) < limit {
		next := m.at.next.Load()
		if next == nil {
			break
		}
		m.at = next
		b.links = append(b.links, next)
	}
	m.read.Store(m.at.number)
	return b
}

// takeAll gives everything that the member has not read.
func (m *member) takeAll() batch {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.backlog) > 0 {
		m.moveAll()
		return batch{merged: m.takeBacklog()}
	}
	var b batch
	for next := m.at.next.Load(); next != nil; next = next.next.Load() {
		m.at = next
		b.links = append(b.links, next)
	}
	m.read.Store(m.at.number)
	return b
}

// takeBacklog gives what was merged. m.mu is held.
func (m *member) takeBacklog() []*waiting {
	merged := m.backlog.ordered()
	m.backlog = nil
	m.count()
	return merged
}

// merge moves what was not read out of the log, and sends the member away when that is too much. stuck says whether it
// takes nothing now.
func (m *member) merge(stuck bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.apart || !stuck && m.backlog == nil && m.group.unread(m.at) <= maxTake {
		return
	}
	m.moveAll()
	switch n := m.merged.Load(); {
	case n > int64(m.hub.behind):
		m.leave(errBehind(m.hub.behind))
	case m.hub.crowds(n):
		m.leave(errCrowd(backlogs * m.hub.behind))
	}
}

// moveAll merges what is in the log. m.mu is held.
func (m *member) moveAll() {
	if m.backlog == nil {
		m.backlog = backlog{}
	}
	for next := m.at.next.Load(); next != nil; next = next.next.Load() {
		m.backlog.add(next.Update)
		m.at = next
	}
	m.read.Store(m.at.number)
	m.count()
}

// count says how much is merged. m.mu is held.
func (m *member) count() {
	n := int64(len(m.backlog))
	had := m.merged.Swap(n)
	m.hub.merged.Add(n - had)
	switch {
	case had == 0 && n > 0:
		m.hub.merging.Add(1)
	case had > 0 && n == 0:
		m.hub.merging.Add(-1)
	}
}

// drop forgets what the member has not read.
func (m *member) drop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.backlog = nil
	m.count()
}
