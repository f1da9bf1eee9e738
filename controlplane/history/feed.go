package history

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// keptApart is how many updates a feed of Follow holds before it merges.
const keptApart = 1 << 16

// Feed is the stream of updates after the view it was handed out with. What its reader has not taken
// yet is merged for each Ref: the newest state alone is kept, after the end of an earlier
// life if there is one; an object that came and went unseen is left out. So a slow reader
// costs memory for the objects it knows and those that exist, not for time.
type Feed struct {
	wake  chan struct{} // holds one when there may be something to take
	store *Store
	apart int // updates that are kept as they are before merging begins

	mu      sync.Mutex
	kept    []inventory.Update        // guarded by mu; as they came, before all of waiting
	waiting map[inventory.Ref]waiting // guarded by mu
	closed  bool                      // guarded by mu
}

// waiting is what the reader of a feed has not taken of one object.
type waiting struct {
	end, state *inventory.Update // either may be nil; the end comes first
	unseen     bool              // the reader knows nothing of the object
}

// before is what the reader knows of the object.
func (w waiting) before() inventory.Entry {
	if w.end != nil {
		return w.end.Before
	}
	return w.state.Before
}

func newFeed(s *Store, apart int) *Feed {
	return &Feed{wake: make(chan struct{}, 1), store: s, apart: apart, waiting: map[inventory.Ref]waiting{}}
}

// push adds an update. began says that the object did not exist before it.
func (f *Feed) push(u inventory.Update, began bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	if len(f.waiting) == 0 && len(f.kept) < f.apart {
		f.kept = append(f.kept, u)
	} else {
		f.merge(u, began)
	}
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// merge adds an update to what waits of its object. f.mu is held.
func (f *Feed) merge(u inventory.Update, began bool) {
	w, merged := f.waiting[u.Ref]
	switch {
	case u.Fact != nil:
		if w.state != nil {
			u.Before = w.state.Before
		}
		w.state = &u
		w.unseen = w.unseen || !merged && began
	case w.unseen:
		delete(f.waiting, u.Ref)
		return
	default:
		if merged {
			u.Before = w.before()
		}
		w.state, w.end = nil, &u
	}
	f.waiting[u.Ref] = w
}

// Next waits for updates and gives all there are, ordered by version. It returns ErrClosed after
// Close and when the store closes, once everything before was taken.
func (f *Feed) Next(ctx context.Context) ([]inventory.Update, error) {
	return f.next(ctx, f.take)
}

// NextView is Next with the state that holds right after the updates.
func (f *Feed) NextView(ctx context.Context) (updates []inventory.Update, v inventory.View, err error) {
	updates, err = f.next(ctx, func() taken {
		f.store.mu.Lock() // nothing is pushed meanwhile
		defer f.store.mu.Unlock()
		t := f.take()
		if !t.empty() {
			v = view{root: f.store.current.snapshot(), version: f.store.version}
		}
		return t
	})
	return updates, v, err
}

func (f *Feed) next(ctx context.Context, take func() taken) ([]inventory.Update, error) {
	for {
		t := take()
		if !t.empty() {
			return t.updates(), nil
		}
		if t.closed {
			return nil, fmt.Errorf("history: feed: %w", ErrClosed)
		}
		select {
		case <-f.wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// taken is what a reader takes out of a feed.
type taken struct {
	kept   []inventory.Update
	merged map[inventory.Ref]waiting
	closed bool
}

func (f *Feed) take() taken {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := taken{kept: f.kept, closed: f.closed}
	f.kept = nil
	if len(f.waiting) > 0 {
		t.merged, f.waiting = f.waiting, map[inventory.Ref]waiting{}
	}
	return t
}

func (t taken) empty() bool { return len(t.kept)+len(t.merged) == 0 }

// updates gives what was taken, ordered by version.
func (t taken) updates() []inventory.Update {
	updates := t.kept
	for _, w := range t.merged {
		if w.end != nil {
			updates = append(updates, *w.end)
		}
		if w.state != nil {
			updates = append(updates, *w.state)
		}
	}
	if len(t.merged) > 0 {
		slices.SortFunc(updates, func(a, b inventory.Update) int { return cmp.Compare(a.Version, b.Version) })
	}
	return updates
}

// Close ends the feed; it may be called more than once.
func (f *Feed) Close() {
	f.store.forget(f)
	f.finish()
}

// finish lets the reader take what is there and then end.
func (f *Feed) finish() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}
