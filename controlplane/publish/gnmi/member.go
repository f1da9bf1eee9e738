package gnmi

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
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
	backlog backlog // guarded by mu; what comes before the link after at
	telling backlog // guarded by mu; what was taken of backlog last, and may still be in memory

	read   atomic.Pointer[link] // at, for those who do not hold mu
	merged atomic.Int64         // objects in backlog
}

func newMember(h *hub, g *group) *member {
	m := &member{hub: h, group: g, wake: make(chan struct{}, 1), crowded: make(chan struct{}, 1), gone: make(chan struct{}),
		backlog: backlog{owed: &h.owed}, telling: backlog{owed: &h.owed}}
	m.move(g.newest)
	return m
}

// batch is what a member takes at once: what was merged, or else changes as they came.
type batch struct {
	merged []merged
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

// move says that everything up to a link was read or merged. m.mu is held.
func (m *member) move(to *link) {
	m.at = to
	m.read.Store(to)
}

// take gives up to limit changes that the member has not read, or everything when some of it was merged; it does not
// wait.
func (m *member) take(limit int) batch {
	if b, merged := m.takeLinks(limit); !merged {
		return b
	}
	b, _ := m.hub.now(m)
	return b
}

// takeLinks is take while nothing was merged.
func (m *member) takeLinks(limit int) (b batch, merged bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.backlog.objects) > 0 {
		return b, true
	}
	m.telling.drop()
	at := m.at
	for next := at.next.Load(); next != nil && len(b.links) < limit; next = next.next.Load() {
		at = next
		b.links = append(b.links, next)
	}
	m.move(at)
	return b, false
}

// takeAll gives everything that the member has not read. view is the state that the log leads to; the hub's mu is held.
func (m *member) takeAll(view inventory.View) batch {
	if b, merged := m.takeLinks(math.MaxInt); !merged {
		return b
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.moveAll()
	m.telling.drop()
	b := batch{merged: m.backlog.ordered(view)}
	m.telling, m.backlog = m.backlog, backlog{owed: &m.hub.owed}
	m.count()
	return b
}

// merge moves what was not read out of the log, and sends the member away when that is too much. stuck says whether it
// takes nothing now.
func (m *member) merge(stuck bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.apart || !stuck && len(m.backlog.objects) == 0 && m.group.unread(m.at) <= maxTake {
		return
	}
	m.moveAll()
	h := m.hub
	switch bytes := m.backlog.bytes + m.telling.bytes; {
	case m.merged.Load() > int64(h.behind):
		m.leave(errBehind(h.behind))
	case bytes > h.behindBytes:
		m.leave(errHeavy(h.behindBytes))
	case h.crowds(bytes):
		m.leave(errCrowd(backlogs * h.behindBytes))
	}
}

// moveAll merges what is in the log. m.mu is held.
func (m *member) moveAll() {
	at := m.at
	for next := at.next.Load(); next != nil; next = next.next.Load() {
		m.backlog.add(next.change)
		at = next
	}
	m.move(at)
	m.count()
}

// count says how much is merged. m.mu is held.
func (m *member) count() {
	n := int64(len(m.backlog.objects))
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
	m.backlog.drop()
	m.telling.drop()
	m.count()
}
