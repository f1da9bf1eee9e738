package gnmi

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest/shop"
)

// randomPath leads to a leaf of a fact, or to something above it, with keys and names left out at random.
func randomPath(r *rand.Rand, full []elem) request {
	var path request
	for _, e := range full[:r.IntN(len(full)+1)] {
		at := position{name: e.node.name, keys: map[string]string{}}
		for i, k := range e.node.keys {
			switch r.IntN(4) {
			case 0:
			case 1:
				at.keys[k] = "*"
			default:
				at.keys[k] = e.values[i]
			}
		}
		switch r.IntN(20) {
		case 0:
			at.name = ""
		case 1:
			at = position{deep: true}
		}
		path.elems = append(path.elems, at)
	}
	return path
}

// TestHubFindsWhoIsInterested makes groups of random paths and wants every change that a group would tell to find it.
func TestHubFindsWhoIsInterested(t *testing.T) {
	s, err := newSchema()
	if err != nil {
		t.Fatal(err)
	}
	fabric := &space{root: s.fabric, table: s.kinds(false)}
	device := &space{root: s.device, table: s.kinds(true), perSwitch: true}
	leaf1 := &space{root: s.device, table: s.kinds(true), perSwitch: true, device: "leaf1"}
	r := rand.New(rand.NewPCG(7, 7))
	facts := shop.Facts()
	for range 800 {
		spaces := [][]*space{{fabric}, {fabric, device}, {leaf1}}[r.IntN(3)]
		about := facts[r.IntN(len(facts))]
		in := spaces[r.IntN(len(spaces))]
		var paths []request
		for _, k := range in.table {
			if k.fact != about.Ref().Kind || !in.has(about) {
				continue
			}
			var p program
			p.add(nil)
			found, _ := new(writer).render(k, inventory.Entry{Fact: about}, &p, nil)
			if len(found.leaves) > 0 {
				l := found.leaves[r.IntN(len(found.leaves))]
				paths = append(paths, randomPath(r, slices.Concat(found.entry, l.path())))
			}
		}
		if len(paths) == 0 {
			continue
		}
		h := newHub(nil, nil, 0, 0)
		g := h.group([]*part{compile(&answer{spaces: spaces}, manner{}, paths)})
		for _, f := range facts {
			u := inventory.Update{Ref: f.Ref(), Entry: inventory.Entry{Fact: f}}
			asked := false
			h.interested(f.Ref(), func(o *group) { asked = asked || o == g })
			if told := len(g.parts[0].changes([]inventory.Update{u}, 0)) > 0; told && !asked {
				t.Fatalf("paths %+v: %v would be told, and the group is not found", paths, f.Ref())
			}
		}
		h.leave(&member{hub: h, group: g})
		if len(h.groups)+len(h.wants) > 0 {
			t.Fatal("a group that all have left is still there")
		}
	}
}
