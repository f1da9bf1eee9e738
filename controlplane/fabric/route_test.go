package fabric

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// leafSpine has every leaf's port s at spine s, and every spine's port l at leaf l.
func leafSpine(leaves, spines int) (out []edge) {
	for l := 1; l <= leaves; l++ {
		for s := 1; s <= spines; s++ {
			leaf, spine := fmt.Sprintf("leaf%d", l), fmt.Sprintf("spine%d", s)
			out = append(out, edge{leaf, uint32(s), spine, false}, edge{spine, uint32(l), leaf, false})
		}
	}
	return out
}

func without(edges []edge, from, to string) []edge {
	return slices.DeleteFunc(slices.Clone(edges), func(e edge) bool { return e.from == from && e.to == to })
}

func doubt(edges []edge, sw string) []edge {
	out := slices.Clone(edges)
	for i, e := range out {
		out[i].doubtful = e.doubtful || e.from == sw || e.to == sw
	}
	return out
}

func TestNextEdges(t *testing.T) {
	full := leafSpine(3, 2)
	for _, c := range []struct {
		name  string
		edges []edge
		dest  string
		want  map[string]string // switch: its next switches in order of ports
	}{
		{"both spines", full, "leaf1", map[string]string{
			"leaf2": "[1>spine1 2>spine2]", "leaf3": "[1>spine1 2>spine2]", "spine1": "[1>leaf1]", "spine2": "[1>leaf1]"}},
		{"a link down", without(without(full, "spine1", "leaf1"), "leaf1", "spine1"), "leaf1", map[string]string{
			"leaf2": "[2>spine2]", "leaf3": "[2>spine2]", "spine1": "[2>leaf2 3>leaf3]", "spine2": "[1>leaf1]"}},
		{"one direction down", without(full, "leaf2", "spine1"), "leaf1", map[string]string{
			"leaf2": "[2>spine2]", "leaf3": "[1>spine1 2>spine2]", "spine1": "[1>leaf1]", "spine2": "[1>leaf1]"}},
		{"cut off", without(without(full, "spine1", "leaf1"), "spine2", "leaf1"), "leaf1", map[string]string{}},
		{"a spine out of reach", doubt(full, "spine1"), "leaf1", map[string]string{
			"leaf2": "[2>spine2]", "leaf3": "[2>spine2]", "spine1": "[1>leaf1]", "spine2": "[1>leaf1]"}},
		{"the leaf itself out of reach", doubt(full, "leaf1"), "leaf1", map[string]string{
			"leaf2": "[1>spine1 2>spine2]", "leaf3": "[1>spine1 2>spine2]", "spine1": "[1>leaf1]", "spine2": "[1>leaf1]"}},
		{"two cables", append(slices.Clone(full), edge{"leaf2", 9, "spine1", false}), "leaf1", map[string]string{
			"leaf2": "[1>spine1 2>spine2 9>spine1]", "leaf3": "[1>spine1 2>spine2]", "spine1": "[1>leaf1]", "spine2": "[1>leaf1]"}},
		{"a port at itself", append(slices.Clone(full), edge{"leaf1", 7, "leaf1", false}), "leaf1", map[string]string{
			"leaf2": "[1>spine1 2>spine2]", "leaf3": "[1>spine1 2>spine2]", "spine1": "[1>leaf1]", "spine2": "[1>leaf1]"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := map[string]string{}
			for sw, next := range nextEdges(c.edges, c.dest) {
				var hops []string
				for _, e := range next {
					hops = append(hops, fmt.Sprintf("%d>%s", e.port, e.to))
				}
				got[sw] = fmt.Sprint(hops)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestPathsEnd follows every choice of next edges with links taken away at random-looking
// but fixed places: no path may loop.
func TestPathsEnd(t *testing.T) {
	full := leafSpine(4, 3)
	for cut := range 200 {
		var edges []edge
		for i, e := range full {
			e.doubtful = (cut>>(i%5))&1 == 1
			if (cut*31+i*17)%7 != 0 {
				edges = append(edges, e)
			}
		}
		next := nextEdges(edges, "leaf1")
		var walk func(sw string, hops int)
		walk = func(sw string, hops int) {
			if hops > 10 {
				t.Fatalf("cut %d: a loop through %s", cut, sw)
			}
			if sw == "leaf1" {
				return
			}
			if len(next[sw]) == 0 {
				t.Fatalf("cut %d: %s is on a path and has no way on", cut, sw)
			}
			for _, e := range next[sw] {
				walk(e.to, hops+1)
			}
		}
		for sw := range next {
			walk(sw, 0)
		}
	}
}
