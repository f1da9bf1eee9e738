package correlate

import (
	"hash/maphash"
	"time"
)

// recent keeps something of each conversation that lives; what is not asked for in a span is forgotten. There are a
// million of them, so a conversation is known by the hash of its identifier: of the text nothing is kept.
type recent[T any] struct {
	span       time.Duration
	seed       maphash.Seed
	young, old map[uint64]T
	turned     time.Time // when young became what it is
}

func newRecent[T any](span time.Duration) recent[T] {
	return recent[T]{span: span, seed: maphash.MakeSeed(), young: map[uint64]T{}}
}

// get gives what is kept of a conversation, zero if nothing is. It counts as asked for.
func (r *recent[T]) get(id string) (v T, ok bool) {
	n := maphash.String(r.seed, id)
	if v, ok = r.young[n]; ok {
		return v, true
	}
	if v, ok = r.old[n]; ok {
		r.young[n] = v
	}
	return v, ok
}

func (r *recent[T]) put(id string, v T) { r.young[maphash.String(r.seed, id)] = v }

func (r *recent[T]) forget(id string) {
	n := maphash.String(r.seed, id)
	delete(r.young, n)
	delete(r.old, n)
}

// turn lets time pass.
func (r *recent[T]) turn(now time.Time) {
	if now.Sub(r.turned) >= r.span {
		r.old, r.young, r.turned = r.young, map[uint64]T{}, now
	}
}
