package gnmi

import (
	"sync"
	"sync/atomic"

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
	inventory.Update
	number uint64 // rises by one along the log
	next   atomic.Pointer[link]

	once     sync.Once
	messages [][]byte // set by once; what members who read every change by itself send
}

// member is a subscriber's place in the log of its group. Its goroutine reads; the hub wakes it.
type member struct {
	group *group
	wake  chan struct{} // holds one when there may be something to read
	at    *link         // the last link that was read; the reader's own
	read  atomic.Uint64 // its number
	gone  chan struct{} // closed when the subscription has to end
	why   error         // set before gone is closed
	end   sync.Once     // of gone
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

// add puts a change at the end of the log, and sends away who has more than behind of it to read. The hub's mu is
// held.
func (g *group) add(u inventory.Update, behind uint64) {
	l := &link{Update: u, number: g.newest.number + 1}
	g.newest.next.Store(l)
	g.newest = l
	for m := range g.members {
		if l.number-m.read.Load() > behind {
			m.leave(errBehind(behind))
		}
		select {
		case m.wake <- struct{}{}:
		default:
		}
	}
}

// leave makes the subscription end with an error.
func (m *member) leave(why error) {
	m.end.Do(func() {
		m.why = why
		close(m.gone)
	})
}

// take gives up to limit changes that the member has not read; it does not wait.
func (m *member) take(limit int) []*link {
	var links []*link
	for len(links) < limit {
		next := m.at.next.Load()
		if next == nil {
			break
		}
		m.at = next
		links = append(links, next)
	}
	if len(links) > 0 {
		m.read.Store(m.at.number)
	}
	return links
}

// encode gives the messages of a change for a group, the same for all of its members.
func (g *group) encode(l *link) [][]byte {
	l.once.Do(func() {
		for _, p := range g.parts {
			l.messages = append(l.messages, p.changes([]inventory.Update{l.Update})...)
		}
	})
	return l.messages
}

// tell gives the messages of changes: one by one while they are few, else merged for each object.
func (g *group) tell(links []*link, yield func(*encoded) error) error {
	if len(links) <= apartUpTo {
		for _, l := range links {
			if err := yieldAll(g.encode(l), true, yield); err != nil {
				return err
			}
		}
		return nil
	}
	chains := map[inventory.Ref][]*link{}
	var order []inventory.Ref
	for _, l := range links {
		if _, ok := chains[l.Ref]; !ok {
			order = append(order, l.Ref)
		}
		chains[l.Ref] = append(chains[l.Ref], l)
	}
	for _, r := range order {
		if err := g.tellChain(chains[r], yield); err != nil {
			return err
		}
	}
	return nil
}

func (g *group) tellChain(chain []*link, yield func(*encoded) error) error {
	if len(chain) == 1 {
		return yieldAll(g.encode(chain[0]), true, yield)
	}
	g.metrics.merged.Add(float64(len(chain) - 1))
	updates := make([]inventory.Update, len(chain))
	for i, l := range chain {
		updates[i] = l.Update
	}
	for _, p := range g.parts {
		if err := yieldAll(p.changes(updates), false, yield); err != nil {
			return err
		}
	}
	return nil
}

func yieldAll(messages [][]byte, shared bool, yield func(*encoded) error) error {
	for _, m := range messages {
		if err := yield(&encoded{bytes: m, shared: shared}); err != nil {
			return err
		}
	}
	return nil
}
