package gnmi

import (
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/publish/gnmi/gnmitest/shop"
)

// covers is the definition that programs must agree with: path matches data or something
// above it.
func covers(path []position, data []elem, levels int) bool {
	if len(path) == 0 {
		return levels == 0 || len(data) <= levels
	}
	if path[0].deep && covers(path[1:], data, levels) {
		return true
	}
	if len(data) == 0 {
		return false
	}
	at, e := path[0], data[0]
	if at.deep {
		return covers(path, data[1:], levels)
	}
	if at.name != "" && at.name != e.node.name || !at.admits(e.node.keys, e.values) {
		return false
	}
	for key := range at.keys {
		if !slices.Contains(e.node.keys, key) {
			return false
		}
	}
	return covers(path[1:], data[1:], levels)
}

// TestProgramsAgreeWithTheirDefinition matches random sets of paths against random data
// paths.
func TestProgramsAgreeWithTheirDefinition(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	list := &node{name: "b", keys: []string{"k", "l"}}
	nodes := []*node{{name: "a"}, list, {name: "c"}}
	word := func() string { return []string{"x", "y", "*"}[random.IntN(3)] }
	for range 20000 {
		p := program{levels: max(random.IntN(4)-1, 0)}
		var paths [][]position
		for range 1 + random.IntN(3) {
			var path []position
			for range random.IntN(5) {
				at := position{name: []string{"a", "b", "c", "", ""}[random.IntN(5)], keys: map[string]string{}}
				switch {
				case at.name == "" && random.IntN(2) == 0:
					at.deep = true
				case (at.name == "b" || at.name == "") && random.IntN(2) == 0:
					at.keys["k"] = word()
				case at.name == "b" && random.IntN(2) == 0:
					at.keys["l"] = word()
				}
				path = append(path, at)
			}
			paths = append(paths, path)
			p.add(path)
		}
		var data []elem
		s := p.start
		for range random.IntN(6) {
			e := elem{node: nodes[random.IntN(3)]}
			if e.node == list {
				e.values = []string{[]string{"x", "y"}[random.IntN(2)], "x"}
			}
			data = append(data, e)
			s = p.step(s, e.node.name, e.node.keys, e.values)
		}
		want := slices.ContainsFunc(paths, func(path []position) bool { return covers(path, data, p.levels) })
		if p.accepts(s) != want {
			t.Fatalf("paths %+v and data %+v: %v, want %v", paths, data, !want, want)
		}
	}
}

// fixed is a view of facts that never change.
type fixed struct {
	byRef map[inventory.Ref]inventory.Entry
	order []inventory.Ref // of byRef
	reads int             // of facts
}

func newFixed(facts []inventory.Fact) *fixed {
	f := &fixed{byRef: map[inventory.Ref]inventory.Entry{}}
	for _, fact := range facts {
		f.put(inventory.Entry{Fact: fact, Event: time.Unix(1, 0)})
	}
	return f
}

func (f *fixed) put(e inventory.Entry) {
	f.byRef[e.Fact.Ref()] = e
	f.order = nil
}

func (f *fixed) Version() uint64 { return 0 }

func (f *fixed) Get(r inventory.Ref) (inventory.Entry, bool) {
	f.reads++
	e, ok := f.byRef[r]
	return e, ok
}

func (f *fixed) All(k inventory.Kind) func(func(inventory.Entry) bool) {
	return f.those(func(r inventory.Ref) bool { return r.Kind == k })
}

func (f *fixed) From(k inventory.Kind, cluster, id string) func(func(inventory.Entry) bool) {
	return f.those(func(r inventory.Ref) bool { return r.Kind == k && r.Cluster == cluster && r.ID >= id })
}

func (f *fixed) those(which func(inventory.Ref) bool) func(func(inventory.Entry) bool) {
	return func(yield func(inventory.Entry) bool) {
		if f.order == nil {
			f.order = slices.SortedFunc(maps.Keys(f.byRef), inventory.Ref.Compare)
		}
		for _, r := range f.order {
			if which(r) {
				f.reads++
				if !yield(f.byRef[r]) {
					return
				}
			}
		}
	}
}

// selected gives the full paths of the leaves that a selector finds.
func selected(s *selector, v inventory.View) iter.Seq[[]elem] {
	return func(yield func([]elem) bool) {
		s.each(v, func(k *kind, e inventory.Entry) bool {
			r, _ := s.render(new(writer), k, e, nil)
			for _, l := range r.leaves {
				if !yield(slices.Concat(r.entry, l.path())) {
					return false
				}
			}
			return true
		})
	}
}

// TestEachLeafCanBeAskedFor asks for each leaf by its path, as it is and with the cluster
// left out: exactly it must come, and few facts may be read for it.
func TestEachLeafCanBeAskedFor(t *testing.T) {
	s, err := newSchema()
	if err != nil {
		t.Fatal(err)
	}
	view := newFixed(shop.Facts())
	in := &space{root: s.fabric, table: s.kinds(false)}
	var everything program
	everything.add(nil)
	count := 0
	for path := range selected(newSelector(in, &everything, []request{{}}, nil), view) {
		count++
		var r request
		for _, e := range path {
			at := position{name: e.node.name, keys: map[string]string{}}
			for i, k := range e.node.keys {
				at.keys[k] = e.values[i]
			}
			if e.node.name == "cluster" && len(path) > 5 && count%2 == 0 {
				at.keys = nil
			}
			r.elems = append(r.elems, at)
		}
		var p program
		p.add(r.elems)
		sel := newSelector(in, &p, []request{r}, nil)
		view.reads = 0
		var got []string
		for found := range selected(sel, view) {
			got = append(got, fmt.Sprint(protoPath(found)))
		}
		if want := fmt.Sprint(protoPath(path)); !slices.Equal(got, []string{want}) {
			t.Errorf("asked for %s, got %q", want, got)
		}
		// The kinds on the way to the leaf, each in both clusters, and the clusters.
		if view.reads > 16 {
			t.Errorf("%v: %d facts were read", protoPath(path), view.reads)
		}
	}
	if count < 400 {
		t.Errorf("only %d leaves", count)
	}
}

func TestFollowing(t *testing.T) {
	at := time.Unix(100, 0)
	for _, test := range []struct{ late, want time.Duration }{
		{0, 10 * time.Second}, {time.Second, 10 * time.Second}, {10 * time.Second, 20 * time.Second}, {35 * time.Second, 40 * time.Second},
	} {
		if got := following(at, 10*time.Second, at.Add(test.late)); !got.Equal(at.Add(test.want)) {
			t.Errorf("%v late: due %v after, want %v", test.late, got.Sub(at), test.want)
		}
	}
}
