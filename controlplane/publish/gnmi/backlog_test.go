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
		b, waits := backlog{}, 0
		for i, u := range chain {
			b.add(u)
			waits++
			for _, m := range p.changes([]inventory.Update{u}, 0) {
				want.take(t, m)
			}
			if i < len(chain)-1 && r.IntN(3) > 0 {
				continue
			}
			for _, w := range b.ordered() {
				ended := w.end != nil
				for _, m := range p.changes(w.chain(), w.left) {
					n := slow.take(t, m)
					if ended && len(n.GetDelete()) == 0 {
						t.Fatalf("the end of %v is not told: %v", w.end.Ref, n)
					}
					ended = false
					for _, up := range n.GetUpdate() {
						if int(up.GetDuplicates()) >= waits {
							t.Fatalf("%d values left out of %d", up.GetDuplicates(), waits)
						}
					}
				}
			}
			b, waits = backlog{}, 0
			if fmt.Sprint(slow) != fmt.Sprint(want) {
				t.Fatalf("chain %+v up to %d\nmerged %v\nwant %v", chain, i, slow, want)
			}
		}
	}
}

// TestBacklogsTakeNoMoreThanTheirShare fills those of two members: the larger is sent away when both are too much.
func TestBacklogsTakeNoMoreThanTheirShare(t *testing.T) {
	const behind = 100
	h := newHub(nil, newMetrics(), behind)
	g := h.group([]*part{asked(t, "fabric")})
	record := func(objects int) {
		h.mu.Lock()
		defer h.mu.Unlock()
		for i := range objects {
			f := inventory.Accounting{Switch: "leaf1", Port: fmt.Sprint(i)}
			g.newest.next.Store(&link{Update: inventory.Update{Ref: f.Ref(), Entry: inventory.Entry{Fact: f}}, number: g.newest.number + 1})
			g.newest = g.newest.next.Load()
		}
	}
	away := func(m *member) bool {
		select {
		case <-m.gone:
			return true
		default:
			return false
		}
	}
	var members []*member
	for range backlogs + 1 {
		members = append(members, newMember(h, g))
	}
	record(behind)
	for i, m := range members {
		m.merge(true)
		if away(m) != (i == backlogs) {
			t.Errorf("member %d away: %v", i, away(m))
		}
	}
	record(1) // the first of the objects again: nothing is added
	members[0].take(maxTake)
	record(behind + 1)
	members[0].merge(true)
	if !away(members[0]) {
		t.Error("more than the limit of one waits")
	}
	for _, m := range members {
		m.drop()
	}
	if n := h.merged.Load() + h.merging.Load(); n != 0 {
		t.Errorf("%d are still counted", n)
	}
}
