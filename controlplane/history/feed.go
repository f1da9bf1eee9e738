package history

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// Feed is the stream of updates after the view it was handed out with. What its reader has not taken
// yet is merged for each Ref: the newest state alone is kept, after the end of an earlier
// life if there is one; an object that came and went unseen is left out. So a slow reader
// costs memory for the objects it knows and those that exist, not for time.
type Feed struct {
	wake  chan struct{} // holds one when there may be something to take
	leave func(*Feed)

	mu      sync.Mutex
	waiting map[inventory.Ref]waiting // guarded by mu
	closed  bool                      // guarded by mu
}

// waiting is what the reader of a feed has not taken of one object.
type waiting struct {
	end, state *inventory.Update // either may be nil; the end comes first
	unseen     bool              // the reader knows nothing of the object
}

func newFeed(leave func(*Feed)) *Feed {
	return &Feed{wake: make(chan struct{}, 1), leave: leave, waiting: map[inventory.Ref]waiting{}}
}

// push adds an update. began says that the object did not exist before it.
func (f *Feed) push(u inventory.Update, began bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	w, merged := f.waiting[u.Ref]
	switch {
	case u.Fact != nil:
		w.state = &u
		w.unseen = w.unseen || !merged && began
	case w.unseen:
		delete(f.waiting, u.Ref)
		return
	default:
		w.state, w.end = nil, &u
	}
	f.waiting[u.Ref] = w
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// Next waits for updates and gives all there are, ordered by version. It returns ErrClosed after
// Close and when the store closes, once everything before was taken.
func (f *Feed) Next(ctx context.Context) ([]inventory.Update, error) {
	for {
		updates, closed := f.take()
		if len(updates) > 0 {
			return updates, nil
		}
		if closed {
			return nil, fmt.Errorf("history: feed: %w", ErrClosed)
		}
		select {
		case <-f.wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (f *Feed) take() ([]inventory.Update, bool) {
	f.mu.Lock()
	closed := f.closed
	var taken map[inventory.Ref]waiting
	if len(f.waiting) > 0 {
		taken, f.waiting = f.waiting, map[inventory.Ref]waiting{}
	}
	f.mu.Unlock()
	updates := make([]inventory.Update, 0, len(taken))
	for _, w := range taken {
		if w.end != nil {
			updates = append(updates, *w.end)
		}
		if w.state != nil {
			updates = append(updates, *w.state)
		}
	}
	slices.SortFunc(updates, func(a, b inventory.Update) int { return cmp.Compare(a.Version, b.Version) })
	return updates, closed
}

// Close ends the feed; it may be called more than once.
func (f *Feed) Close() {
	f.leave(f)
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
