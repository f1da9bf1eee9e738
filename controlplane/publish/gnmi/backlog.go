package gnmi

import (
	"cmp"
	"maps"
	"slices"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// backlog is what a member has not read, merged for each object: the newest state alone is kept, after the end of an
// earlier life if the member knew that; an object that came and went unseen is left out. So it takes memory for objects,
// not for time.
type backlog map[inventory.Ref]*waiting

// waiting is what waits of one object.
type waiting struct {
	end, state *inventory.Update // either may be nil; the end comes first
	left       uint32            // how many states were left out before state
}

// add merges a change.
func (b backlog) add(u inventory.Update) {
	w, merged := b[u.Ref]
	if !merged {
		w = &waiting{}
		b[u.Ref] = w
	}
	switch {
	case u.Fact != nil && w.state != nil:
		u.Before = w.state.Before
		*w.state = u
		w.left++
	case u.Fact != nil:
		w.state = &u
	case w.end != nil:
		w.end.Version, w.end.Entry = u.Version, u.Entry
		w.state, w.left = nil, 0
	default:
		if w.state != nil {
			u.Before = w.state.Before
		}
		w.end, w.state, w.left = &u, nil, 0
		if u.Before.Fact == nil {
			delete(b, u.Ref)
		}
	}
}

// chain gives what waits as updates that follow each other.
func (w *waiting) chain() []inventory.Update {
	var out []inventory.Update
	for _, u := range []*inventory.Update{w.end, w.state} {
		if u != nil {
			out = append(out, *u)
		}
	}
	return out
}

// newest is the last change that is merged.
func (w *waiting) newest() *inventory.Update {
	if w.state != nil {
		return w.state
	}
	return w.end
}

// ordered gives everything in the order in which it changed last.
func (b backlog) ordered() []*waiting {
	return slices.SortedFunc(maps.Values(b), func(a, o *waiting) int { return cmp.Compare(a.newest().Version, o.newest().Version) })
}
