package gnmi

import (
	"slices"
	"strings"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// selector is a program bound to a space: it knows which kinds can match and which few facts of
// each need looking at.
type selector struct {
	*space
	program *program
	// earlier are programs whose leaves somebody else gives: it gives only what they do not accept.
	earlier []*program
	kinds   []*kind
	wanted  map[*kind][]stretch // the facts that can match, of each kind
}

// stretch is some facts of a kind that stand together in the order of references: the one with an ID, or all whose
// ID begins with it.
type stretch struct {
	cluster    string
	anyCluster bool
	id         string
	one        bool
	also       []string // values of keys, "" for any, that are known behind one that is not; nil for none
}

// covers says whether everything in o is in s.
func (s stretch) covers(o stretch) bool {
	if s.one {
		return o.one && s.cluster == o.cluster && s.anyCluster == o.anyCluster && s.id == o.id
	}
	if s.also != nil && !slices.Equal(s.also, o.also) {
		return false
	}
	return (s.anyCluster || !o.anyCluster && s.cluster == o.cluster) && strings.HasPrefix(o.id, s.id)
}

// newSelector binds p for a reader. paths are the requests that p was compiled from.
func newSelector(in *space, p *program, paths []request, reader Reader) *selector {
	s := &selector{space: in, program: p, wanted: map[*kind][]stretch{}}
	for _, k := range in.table {
		at := p.start
		for _, n := range k.path {
			at = p.step(at, n.name, n.keys, nil)
		}
		if at.empty() {
			continue
		}
		s.kinds = append(s.kinds, k)
		for _, path := range paths {
			if keys, ok := k.wantedBy(path); ok {
				if reader != nil && reader.Renames(k.node.path) {
					clear(keys) // the program finds them among all
				}
				s.wanted[k] = append(s.wanted[k], k.stretch(in.device, keys))
			}
		}
		if all := s.wanted[k]; len(all) > 1 {
			for i := range all {
				all[i].also = nil // such stretches could overlap
			}
		}
		s.wanted[k] = disjoint(s.wanted[k])
	}
	return s
}

// wantedBy gives the keys of the entries of k that a path can match, "" for a key that may be anything.
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

// stretch gives where the facts with certain keys are: as many of the first keys count as are known.
func (k *kind) stretch(device string, keys []string) stretch {
	var s stretch
	rest := keys
	if k.clustered {
		s.cluster, rest = keys[0], keys[1:]
		s.anyCluster = s.cluster == ""
	}
	known := slices.Index(rest, "")
	if known < 0 {
		known = len(rest)
	}
	s.id = k.id(device, keys[:len(keys)-len(rest)+known], known == len(rest))
	s.one = known == len(rest) && s.id != ""
	if k.clustered && slices.ContainsFunc(rest[known:], func(v string) bool { return v != "" }) {
		s.also = rest
	}
	return s
}

// disjoint drops what others cover.
func disjoint(all []stretch) []stretch {
	var out []stretch
	for i, s := range all {
		covered := false
		for j, o := range all {
			covered = covered || o.covers(s) && (!s.covers(o) || j < i)
		}
		if !covered {
			out = append(out, s)
		}
	}
	return out
}

// each yields every fact that the program may match, with its kind.
func (s *selector) each(view inventory.View, yield func(*kind, inventory.Entry) bool) {
	for _, k := range s.kinds {
		for _, st := range resolve(view, s.wanted[k]) {
			if st.one {
				e, ok := view.Get(inventory.Ref{Kind: k.fact, Cluster: st.cluster, ID: st.id})
				if ok && s.has(e.Fact) && !yield(k, e) {
					return
				}
				continue
			}
			for e := range s.stand(view, k, st) {
				if s.has(e.Fact) && !yield(k, e) {
					return
				}
			}
		}
	}
}

// stand yields the facts of a stretch.
func (s *selector) stand(view inventory.View, k *kind, st stretch) func(yield func(inventory.Entry) bool) {
	switch {
	case st.anyCluster:
		return view.All(k.fact)
	case st.also != nil:
		return k.hop(view, st)
	}
	return func(yield func(inventory.Entry) bool) {
		for e := range view.From(k.fact, st.cluster, st.id) {
			if !strings.HasPrefix(e.Fact.Ref().ID, st.id) || !yield(e) {
				return
			}
		}
	}
}

// hop yields the facts of a stretch with the keys that are known behind an unknown one. Where many in a row cannot be
// such it goes on where the next can.
func (k *kind) hop(view inventory.View, st stretch) func(yield func(inventory.Entry) bool) {
	return func(yield func(inventory.Entry) bool) {
		for from, done := st.id, false; !done; {
			done = true
			passed := 0
			for e := range view.From(k.fact, st.cluster, from) {
				id := e.Fact.Ref().ID
				if !strings.HasPrefix(id, st.id) {
					return
				}
				if id >= from {
					next := k.jump(k.keys(e.Fact, nil)[1:], st.also)
					if next == "" {
						if !yield(e) {
							return
						}
						continue
					}
					from, passed = next, 0
				}
				if passed++; passed > hopAfter {
					done = false
					break
				}
			}
		}
	}
}

// hopAfter is how many facts in a row cost less to pass than to find the next.
const hopAfter = 16

// jump gives the least ID behind a fact with the keys have that one with those of want can have; "" when have are such.
func (k *kind) jump(have, want []string) string {
	for i, w := range want {
		if w == "" || have[i] == w {
			continue
		}
		before, last := join(have[:i], false), i == len(want)-1
		if join(have[i:i+1], last) < join(want[i:i+1], last) {
			return before + join(want[i:i+1], last)
		}
		return strings.TrimSuffix(before, "/") + "0" // a slash comes just before 0
	}
	return ""
}

// resolve puts every cluster in the place of any, but where all facts of the kind are wanted.
func resolve(view inventory.View, wanted []stretch) []stretch {
	if !slices.ContainsFunc(wanted, func(s stretch) bool { return s.anyCluster && (s.id != "" || s.also != nil) }) {
		return wanted
	}
	var out []stretch
	for _, s := range wanted {
		if !s.anyCluster || s.id == "" && s.also == nil {
			out = append(out, s)
			continue
		}
		for e := range view.All(inventory.KindCluster) {
			s.cluster, s.anyCluster = e.Fact.(inventory.Cluster).Name, false
			out = append(out, s)
		}
	}
	return disjoint(out)
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

// render gives what the selector selects of a fact, and nothing that an earlier program does.
func (s *selector) render(w *writer, k *kind, e inventory.Entry, f filter) (rendered, bool) {
	r, ok := w.render(k, e, s.program, f)
	if !ok || len(s.earlier) == 0 {
		return r, ok
	}
	for _, p := range s.earlier {
		if at := k.match(p, w.values); !at.empty() {
			r.leaves = slices.DeleteFunc(r.leaves, func(l leaf) bool { return p.acceptsFrom(at, l.path()) })
		}
	}
	return r, len(r.leaves) > 0
}

// acceptsFrom says whether the program accepts a path beneath an entry where it is in states s.
func (p *program) acceptsFrom(s states, path []elem) bool {
	for _, e := range path {
		if s = p.step(s, e.node.name, e.node.keys, e.values); s.empty() {
			return false
		}
	}
	return p.accepts(s)
}
