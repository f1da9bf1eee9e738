package gnmi

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// TestSelectorsFindWhatAScanFinds asks for members by random keys, some of them left out, and compares what selectors
// find by their order with what matches of all.
func TestSelectorsFindWhatAScanFinds(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	names := []string{"a", "a-b", "a.b", "a0", "b", "cart", "cart-x"}
	word := func() string { return names[r.IntN(len(names))] }
	facts := []inventory.Fact{inventory.Cluster{Name: "blue"}, inventory.Cluster{Name: "green"}}
	for range 800 {
		m := inventory.Member{Cluster: []string{"blue", "green"}[r.IntN(2)], Namespace: word(), Service: word(),
			Address: netip.AddrFrom4([4]byte{10, 0, 0, byte(r.IntN(20))}), PodUID: word()}
		if r.IntN(5) == 0 {
			m.PodUID = ""
		}
		facts = append(facts, m)
	}
	view := newFixed(facts)
	s, err := newSchema()
	if err != nil {
		t.Fatal(err)
	}
	in := &space{root: s.fabric, table: slices.DeleteFunc(s.kinds(false), func(k *kind) bool { return k.fact != inventory.KindMember })}
	k := in.table[0]
	for range 300 {
		var all []request
		var p program
		for range 1 + r.IntN(2) {
			var path request
			for _, n := range k.path {
				at := position{name: n.name, keys: map[string]string{}}
				for _, key := range n.keys {
					if v := map[string]string{"name": word(), "namespace": word(), "pod-uid": noPod, "address": "10.0.0.7"}[key]; r.IntN(2) == 0 {
						at.keys[key] = v
					}
				}
				if n.name == "cluster" {
					at.keys = map[string]string{"name": []string{"blue", "green", "*"}[r.IntN(3)]}
				}
				path.elems = append(path.elems, at)
			}
			all = append(all, path)
			p.add(path.elems)
		}
		sel := newSelector(in, &p, all, nil)
		found := map[inventory.Ref]int{}
		sel.each(view, func(k *kind, e inventory.Entry) bool {
			if !k.match(&p, k.keys(e.Fact, nil)).empty() {
				found[e.Fact.Ref()]++
			}
			return true
		})
		want := map[inventory.Ref]int{}
		for e := range view.All(inventory.KindMember) {
			if !k.match(&p, k.keys(e.Fact, nil)).empty() {
				want[e.Fact.Ref()]++
			}
		}
		if fmt.Sprint(found) != fmt.Sprint(want) {
			t.Fatalf("%+v: found %d, want %d, or some twice", all, len(found), len(want))
		}
	}
}

// TestSelectorsHop asks for a service wherever it is: few of the others may be read.
func TestSelectorsHop(t *testing.T) {
	facts := []inventory.Fact{inventory.Cluster{Name: "blue"}}
	for i := range 20_000 {
		facts = append(facts, inventory.Member{Cluster: "blue", Namespace: fmt.Sprintf("ns-%d", i%5), Service: fmt.Sprintf("service-%d", i%100),
			Address: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), PodUID: "x"})
	}
	view := &sought{newFixed(facts), 0}
	s, err := newSchema()
	if err != nil {
		t.Fatal(err)
	}
	k := s.kinds(false)[slices.IndexFunc(s.kinds(false), func(k *kind) bool { return k.fact == inventory.KindMember })]
	got := 0
	for range k.hop(view, k.stretch("", []string{"blue", "", "service-7", "", ""})) {
		got++
	}
	if got != 200 {
		t.Errorf("%d members, want 200", got)
	}
	if view.seeks > 12 {
		t.Errorf("%d places were sought", view.seeks)
	}
}

// sought counts how often a place is sought.
type sought struct {
	*fixed
	seeks int
}

func (s *sought) From(k inventory.Kind, cluster, id string) func(func(inventory.Entry) bool) {
	s.seeks++
	return s.fixed.From(k, cluster, id)
}
