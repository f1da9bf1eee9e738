package history

import (
	"context"
	"slices"
	"strings"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// Want is what a question about the past is about: the facts of a kind, in one cluster or in all, whose ID begins
// with a text or is it. What is asked of one pod, service or other object is answered from its life alone, and so are the
// members of one service; anything else of a kind costs a look at all of that kind.
type Want struct {
	Kind     inventory.Kind
	Cluster  string // "" for the fabric
	Anywhere bool   // in all clusters, and in the fabric
	ID       string
	Exact    bool   // the fact with the ID; else all whose ID begins with it
	Pod      string // of members alone: those of the pod with this UID; "" for all
}

func (w Want) matches(r inventory.Ref) bool {
	if r.Kind != w.Kind || !w.Anywhere && r.Cluster != w.Cluster {
		return false
	}
	if w.Exact {
		return r.ID == w.ID
	}
	return strings.HasPrefix(r.ID, w.ID) && (w.Pod == "" || strings.HasSuffix(r.ID, "/"+w.Pod))
}

// AllOf wants everything of some kinds.
func AllOf(kinds ...inventory.Kind) []Want {
	wants := make([]Want, len(kinds))
	for i, k := range kinds {
		wants[i] = Want{Kind: k, Anywhere: true}
	}
	return wants
}

// wanted says whether one of wants is about r; no wants are about everything.
func wanted(wants []Want, r inventory.Ref) bool {
	return len(wants) == 0 || slices.ContainsFunc(wants, func(w Want) bool { return w.matches(r) })
}

// ofKinds says which kinds wants are about; nil for every kind.
func ofKinds(wants []Want) func(inventory.Kind) bool {
	if len(wants) == 0 {
		return nil
	}
	kinds := map[inventory.Kind]bool{}
	for _, w := range wants {
		kinds[w.Kind] = true
	}
	return func(k inventory.Kind) bool { return kinds[k] }
}

// wantsFlows says whether conversations are wanted.
func wantsFlows(wants []Want) bool {
	return len(wants) == 0 || slices.ContainsFunc(wants, func(w Want) bool { return w.Kind == inventory.KindConversation })
}

// life gives the object in whose life everything is that is wanted; of members those may be many, and it is their service.
// ok is false where it can be in any.
func (w Want) life() (owner inventory.Ref, members, ok bool) {
	r := inventory.Ref{Kind: w.Kind, Cluster: w.Cluster, ID: w.ID}
	switch {
	case w.Anywhere:
		return r, false, false
	case w.Exact:
		return ownerOf(r), false, true
	case w.Kind == inventory.KindMember && w.Pod != "":
		return inventory.Ref{Kind: inventory.KindPod, Cluster: w.Cluster, ID: w.Pod}, false, true
	case w.Kind == inventory.KindAttachment && strings.Contains(w.ID, "/"):
		return ownerOf(r), false, true
	case w.Kind == inventory.KindMember && strings.Count(w.ID, "/") > 1:
		return serviceOf(r), true, true
	}
	return r, false, false
}

// search is where in the file is what is wanted.
type search struct {
	scopes []int64 // of the tree
	shared bool    // a part may be in several of scopes
	lives  []int64 // to be read whole
}

// everything is the search for all kinds.
func everything() search { return search{scopes: scopesOf(nil)} }

// find says where to look for what is wanted.
func find(ctx context.Context, q querier, wants []Want) (search, error) {
	if len(wants) == 0 {
		return everything(), nil
	}
	lives, err := namedLives(ctx, q, wants)
	if err != nil {
		return search{}, err
	}
	var s search
	var kinds []inventory.Kind
	services := 0
	for _, w := range wants {
		owner, members, ok := w.life()
		if !ok {
			kinds = append(kinds, w.Kind)
			continue
		}
		life, known := lives[keyOf(owner)]
		switch {
		case !known: // there never was anything of it
		case members:
			if scope := firstService + life; !slices.Contains(s.scopes, scope) {
				s.scopes = append(s.scopes, scope)
				services++
			}
		case !slices.Contains(s.lives, life):
			s.lives = append(s.lives, life)
		}
	}
	if len(kinds) > 0 {
		s.scopes = append(s.scopes, scopesOf(kinds)...)
	}
	s.shared = services > 0 && len(s.scopes) > 1
	return s, nil
}

// namedLives gives the numbers of the lives that wants name, by their keys, as far as there are such.
func namedLives(ctx context.Context, q querier, wants []Want) (map[int64]int64, error) {
	var keys []int64
	for _, w := range wants {
		if owner, _, ok := w.life(); ok {
			keys = append(keys, keyOf(owner))
		}
	}
	lives := map[int64]int64{}
	if len(keys) == 0 {
		return lives, nil
	}
	rows, err := q.QueryContext(ctx, `SELECT o.key, o.life FROM json_each(?) k CROSS JOIN owner o ON o.key = k.value`, list(keys))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var key, life int64
		if err := rows.Scan(&key, &life); err != nil {
			return nil, err
		}
		lives[key] = life
	}
	return lives, rows.Err()
}

// lifeOf gives the number of an object's life; sql.ErrNoRows says that there is none.
func lifeOf(ctx context.Context, q querier, owner inventory.Ref) (life int64, err error) {
	err = q.QueryRowContext(ctx, `SELECT life FROM owner WHERE key = ?`, keyOf(owner)).Scan(&life)
	return life, err
}
