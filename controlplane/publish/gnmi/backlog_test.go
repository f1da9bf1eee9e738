package gnmi

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// TestBacklogLeadsToTheSame has a client who takes random lives of an object from a backlog, now and then: it must always
// know the last state, have every life that it saw end deleted, and be told of no more values left out than there were.
func TestBacklogLeadsToTheSame(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	p := asked(t, "kubernetes")
	for range 1000 {
		chain := randomChain(r)
		if len(chain) == 0 {
			continue
		}
		slow, want := client{}, client{}
		if begin := chain[0].Before; begin.Fact != nil {
			for _, m := range p.changes([]inventory.Update{{Ref: chain[0].Ref, Entry: begin}}, 0) {
				slow.take(t, m)
				want.take(t, m)
			}
		}
		sum := new(owed)
		b, waits := backlog{owed: sum}, 0
		for i, u := range chain {
			u.Version = uint64(i + 1)
			b.add(&change{Update: u})
			waits++
			for _, m := range p.changes([]inventory.Update{u}, 0) {
				want.take(t, m)
			}
			if i < len(chain)-1 && r.IntN(3) > 0 {
				continue
			}
			for _, w := range b.ordered(only{entry: u.Entry}) {
				ended := w.end != nil
				for _, m := range p.changes(w.chain(), w.left) {
					n := slow.take(t, m)
					if ended && len(n.GetDelete()) == 0 {
						t.Fatalf("the end of %v is not told: %v", w.ref, n)
					}
					ended = false
					for _, up := range n.GetUpdate() {
						if int(up.GetDuplicates()) >= waits {
							t.Fatalf("%d values left out of %d", up.GetDuplicates(), waits)
						}
					}
				}
			}
			b.drop()
			if waits = 0; b.bytes != 0 || sum.all() != 0 || sum.alone.Load() != 0 {
				t.Fatalf("%d bytes of nothing, and %d of all", b.bytes, sum.all())
			}
			if fmt.Sprint(slow) != fmt.Sprint(want) {
				t.Fatalf("chain %+v up to %d\nmerged %v\nwant %v", chain, i, slow, want)
			}
		}
	}
}

// only is a state with one object, or none.
type only struct {
	inventory.View
	entry inventory.Entry
}

func (o only) Get(inventory.Ref) (inventory.Entry, bool) { return o.entry, o.entry.Fact != nil }

// grow puts changes of so many objects in the log of a group.
func grow(h *hub, g *group, objects int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range objects {
		f := inventory.Accounting{Switch: "leaf1", Port: fmt.Sprint(i)}
		g.newest.next.Store(&link{change: &change{Update: inventory.Update{Ref: f.Ref(), Entry: inventory.Entry{Fact: f}}}, number: g.newest.number + 1})
		g.newest = g.newest.next.Load()
	}
}

func isAway(m *member) bool {
	select {
	case <-m.gone:
		return true
	default:
		return false
	}
}

// TestBacklogsTakeNoMoreThanTheirShare fills those of several members: who comes last is sent away when all are too much,
// unless they share what they keep. One that is too much alone goes too.
func TestBacklogsTakeNoMoreThanTheirShare(t *testing.T) {
	const objects = 100
	each := placeBytes + (&change{}).bytes()
	h := newHub(nil, newMetrics(), 1<<20, int(objects*each))
	parts := []*part{asked(t, "fabric")}
	var members []*member
	for range backlogs + 1 {
		g := &group{parts: parts, metrics: h.metrics, newest: &link{}} // a log of its own
		members = append(members, newMember(h, g))
		grow(h, g, objects)
	}
	for i, m := range members {
		m.merge(true)
		if isAway(m) != (i == backlogs) {
			t.Errorf("member %d away: %v", i, isAway(m))
		}
	}
	members[backlogs].drop()
	grow(h, members[0].group, 1) // the first of the objects again: nothing is added
	members[0].merge(true)
	if isAway(members[0]) {
		t.Error("a change of the same object counts again")
	}
	grow(h, members[0].group, objects+1)
	members[0].merge(true)
	if !isAway(members[0]) {
		t.Error("more than the limit of one waits")
	}
	for _, m := range members {
		m.drop()
	}
	shared := &group{parts: parts, metrics: h.metrics, newest: &link{}}
	for i := range members {
		members[i] = newMember(h, shared)
	}
	grow(h, shared, objects)
	for i, m := range members {
		if m.merge(true); isAway(m) {
			t.Errorf("member %d is sent away for what others keep", i)
		}
	}
	for _, m := range members {
		m.drop()
	}
	if n := h.merged.Load() + h.merging.Load() + h.owed.all() + h.owed.alone.Load(); n != 0 {
		t.Errorf("%d are still counted", n)
	}
}

// TestLogsAreBounded has members who read nothing of a log: they go when it is too many changes, or too many bytes.
func TestLogsAreBounded(t *testing.T) {
	c := &change{Update: inventory.Update{Entry: inventory.Entry{Fact: inventory.Switch{Name: "leaf1"}}}}
	for _, limit := range []struct {
		changes uint64
		bytes   int64
	}{{3, 1 << 30}, {1 << 30, 3 * c.bytes()}} {
		h := newHub(nil, newMetrics(), 0, 0)
		g := &group{newest: &link{}, members: map[*member]struct{}{}}
		m := newMember(h, g)
		g.members[m] = struct{}{}
		for i := range 4 {
			g.add(c, limit.changes, limit.bytes)
			if isAway(m) != (i == 3) {
				t.Errorf("%+v: after %d away: %v", limit, i+1, isAway(m))
			}
		}
	}
}
