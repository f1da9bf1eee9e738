package gnmi

import (
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// selector is a program bound to a target: it knows which kinds can match and how few facts of
// each need looking at.
type selector struct {
	program *program
	device  string // the switch of the target; empty for the fabric
	kinds   []*kind
	wanted  map[*kind][][]string // keys of the only facts that can match; missing for all
}

// newSelector binds p. paths are the requests that p was compiled from.
func newSelector(table []*kind, device string, p *program, paths []request) *selector {
	s := &selector{program: p, device: device, wanted: map[*kind][][]string{}}
	for _, k := range table {
		at := p.start
		for _, n := range k.path {
			at = p.step(at, n.name, n.keys, nil)
		}
		if at.empty() {
			continue
		}
		s.kinds = append(s.kinds, k)
		if only, ok := k.wanted(paths); ok {
			s.wanted[k] = only
		}
	}
	return s
}

// wanted gives the keys of the only entries of k that the paths can match, "" for a key that may be
// anything; ok is false when they can match too many to look up one by one.
func (k *kind) wanted(paths []request) (only [][]string, ok bool) {
	for _, path := range paths {
		keys, matches := k.wantedBy(path)
		if !matches {
			continue
		}
		for i, v := range keys {
			if v == "" && (i > 0 || k.path[0].name != "kubernetes") {
				return nil, false
			}
		}
		only = append(only, keys)
	}
	return only, true
}

func (k *kind) wantedBy(path request) (keys []string, matches bool) {
	elems := path.elems
	deep := false
	for i, n := range k.path {
		var at position
		switch {
		case deep || i >= len(elems):
		case elems[i].deep:
			deep = true
		case elems[i].name != "" && elems[i].name != n.name:
			return nil, false
		default:
			at = elems[i]
		}
		for _, name := range n.keys {
			v := at.keys[name]
			if v == "*" {
				v = ""
			}
			keys = append(keys, v)
		}
	}
	return keys, true
}

// each yields every fact that the program may match, with its kind.
func (s *selector) each(view inventory.View, yield func(*kind, inventory.Entry) bool) {
	for _, k := range s.kinds {
		only, ok := s.wanted[k]
		if !ok {
			if !s.all(view, k, yield) {
				return
			}
			continue
		}
		for _, ref := range s.refs(view, k, only) {
			if e, ok := view.Get(ref); ok && !yield(k, e) {
				return
			}
		}
	}
}

func (s *selector) all(view inventory.View, k *kind, yield func(*kind, inventory.Entry) bool) bool {
	for e := range view.All(k.fact) {
		if s.inTarget(e.Fact) && !yield(k, e) {
			return false
		}
	}
	return true
}

// inTarget says whether a fact shows in the selector's target.
func (s *selector) inTarget(f inventory.Fact) bool {
	return s.device == "" || s.device == deviceOf(f)
}

// deviceOf is the switch in whose target a fact shows; "" for none.
func deviceOf(f inventory.Fact) string {
	switch f := f.(type) {
	case inventory.Port:
		return f.Switch
	case inventory.Accounting:
		return f.Switch
	}
	return ""
}

// refs resolves keys to references, each once; a missing cluster stands for every cluster.
func (s *selector) refs(view inventory.View, k *kind, only [][]string) []inventory.Ref {
	var refs []inventory.Ref
	seen := map[inventory.Ref]bool{}
	add := func(keys []string) {
		if r := k.ref(s.device, keys); !seen[r] {
			seen[r] = true
			refs = append(refs, r)
		}
	}
	for _, keys := range only {
		if keys[0] != "" {
			add(keys)
			continue
		}
		for e := range view.All(inventory.KindCluster) {
			add(append([]string{e.Fact.(inventory.Cluster).Name}, keys[1:]...))
		}
	}
	return refs
}

// of gives the kind under which the facts of a reference show; nil for none.
func (s *selector) of(r inventory.Ref) *kind {
	for _, k := range s.kinds {
		if k.fact == r.Kind {
			return k
		}
	}
	return nil
}
