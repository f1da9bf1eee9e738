package records

import "github.com/fabricscope/fabricscope/controlplane/flow"

// interner gives equal values the same place in memory, since few pods and ports stand behind
// many records. It begins anew when it holds many. One that is nil makes everything anew.
type interner struct {
	texts      map[string]string
	identities map[flow.Identity]*flow.Identity
	places     map[Place]*Place
	overlays   map[flow.Outer]*flow.Outer
}

// maxInterned bounds what an interner holds of each sort.
const maxInterned = 1 << 18

func newInterner() *interner {
	return &interner{texts: map[string]string{}, identities: map[flow.Identity]*flow.Identity{}, places: map[Place]*Place{},
		overlays: map[flow.Outer]*flow.Outer{}}
}

func (n *interner) text(b []byte) string {
	if n == nil {
		return string(b)
	}
	if s, ok := n.texts[string(b)]; ok {
		return s
	}
	return intern(n.texts, string(b), string(b))
}

func (n *interner) identity(id flow.Identity) *flow.Identity {
	if n == nil {
		return &id
	}
	if p, ok := n.identities[id]; ok {
		return p
	}
	return intern(n.identities, id, &id)
}

func (n *interner) place(p Place) *Place {
	if n == nil {
		return &p
	}
	if known, ok := n.places[p]; ok {
		return known
	}
	return intern(n.places, p, &p)
}

func (n *interner) overlay(o flow.Outer) *flow.Outer {
	if n == nil {
		return &o
	}
	if known, ok := n.overlays[o]; ok {
		return known
	}
	return intern(n.overlays, o, &o)
}

func intern[K comparable, V any](m map[K]V, key K, value V) V {
	if len(m) >= maxInterned {
		clear(m)
	}
	m[key] = value
	return value
}
