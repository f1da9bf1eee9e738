package gnmi

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// maxTake is how many changes a member takes out of its log at once, and apartUpTo how many of them it sends one by
// one: when more wait, those of one object are merged.
const (
	maxTake   = 16384
	apartUpTo = 4096
)

// group are subscribers who want the same changes. Its fields are guarded by the hub's mu, but for those that never
// change.
type group struct {
	key     string
	parts   []*part
	metrics *metrics
	members map[*member]struct{}
	newest  *link
	turn    uint64 // the hub's, of the last update that came
}

// link is a change in the log of a group. The log is a list that goes on from what a member read last; what all of
// them have read is nobody's any more.
type link struct {
	*change
	number uint64 // rises by one along the log
	bytes  int64  // of all changes up to this one
	next   atomic.Pointer[link]
	told   atomic.Pointer[told] // nil until somebody sends it
}

// told is a change as members send it who read every change by itself.
type told struct {
	once     sync.Once
	messages []encoded // set by once
}

// interests are where the group wants changes.
func (g *group) interests() []interest {
	seen := map[interest]bool{}
	var out []interest
	for _, p := range g.parts {
		for _, s := range p.selectors {
			for _, k := range s.kinds {
				for _, st := range s.wanted[k] {
					i := interest{kind: k.fact, cluster: st.cluster, any: st.anyCluster, id: st.id}
					if !seen[i] {
						seen[i] = true
						out = append(out, i)
					}
				}
			}
		}
	}
	return out
}

// add puts a change at the end of the log, and sends away who has more of it to read than the limits. The hub's mu is
// held.
func (g *group) add(c *change, behind uint64, behindBytes int64) {
	l := &link{change: c, number: g.newest.number + 1, bytes: g.newest.bytes + c.bytes()}
	g.newest.next.Store(l)
	g.newest = l
	for m := range g.members {
		read := m.read.Load()
		lag := l.number - read.number
		switch {
		case lag > behind:
			m.leave(errBehind(behind))
		case l.bytes-read.bytes > behindBytes:
			m.leave(errHeavy(behindBytes))
		}
		notify(m.wake)
		if lag >= crowdedFrom && l.number%crowdedEvery == 0 {
			notify(m.crowded)
		}
	}
}

// notify puts something into a channel that is to hold one.
func notify(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// unread is how many changes come after a link, at least.
func (g *group) unread(at *link) int {
	n := 0
	for l := at.next.Load(); l != nil && n <= maxTake; l = l.next.Load() {
		n++
	}
	return n
}

// encode gives the messages of a change for a group, the same for all of its members.
func (g *group) encode(l *link) []encoded {
	t := l.told.Load()
	if t == nil {
		l.told.CompareAndSwap(nil, new(told))
		t = l.told.Load()
	}
	t.once.Do(func() {
		for _, p := range g.parts {
			for _, m := range p.changes([]inventory.Update{l.Update}, 0) {
				t.messages = append(t.messages, encoded{bytes: m, shared: true})
			}
		}
	})
	return t.messages
}

// tell gives the messages of what a member took: what was merged, and changes one by one while they are few, else
// merged for each object.
func (g *group) tell(b batch, yield func(*encoded) error) error {
	now := time.Now()
	for i := range b.merged {
		err := g.tellMerged(&b.merged[i], now, yield)
		if b.merged[i] = (merged{}); err != nil { // nothing that was told is kept
			return err
		}
	}
	if len(b.links) <= apartUpTo {
		for _, l := range b.links {
			g.delayed(l.Commit, now)
			if err := yieldAll(g.encode(l), yield); err != nil {
				return err
			}
		}
		return nil
	}
	chains := map[inventory.Ref][]*link{}
	var order []inventory.Ref
	for _, l := range b.links {
		if _, ok := chains[l.Ref]; !ok {
			order = append(order, l.Ref)
		}
		chains[l.Ref] = append(chains[l.Ref], l)
	}
	for _, r := range order {
		g.delayed(chains[r][len(chains[r])-1].Commit, now)
		if err := g.tellChain(chains[r], yield); err != nil {
			return err
		}
	}
	return nil
}

// delayed notes how long a change waited.
func (g *group) delayed(known, now time.Time) {
	g.metrics.delay.Observe(max(now.Sub(known), 0).Seconds())
}

func (g *group) tellChain(chain []*link, yield func(*encoded) error) error {
	if len(chain) == 1 {
		return yieldAll(g.encode(chain[0]), yield)
	}
	g.metrics.merged.Add(float64(len(chain) - 1))
	updates := make([]inventory.Update, len(chain))
	for i, l := range chain {
		updates[i] = l.Update
	}
	for _, p := range g.parts {
		for _, m := range p.changes(updates, 0) {
			if err := yield(&encoded{bytes: m}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (g *group) tellMerged(m *merged, now time.Time, yield func(*encoded) error) error {
	g.delayed(m.newest().Commit, now)
	g.metrics.merged.Add(float64(m.left))
	chain := m.chain()
	for _, p := range g.parts {
		for _, message := range p.changes(chain, m.left) {
			if err := yield(&encoded{bytes: message}); err != nil {
				return err
			}
		}
	}
	return nil
}

func yieldAll(messages []encoded, yield func(*encoded) error) error {
	for i := range messages {
		if err := yield(&messages[i]); err != nil {
			return err
		}
	}
	return nil
}
