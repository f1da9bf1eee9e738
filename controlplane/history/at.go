package history

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// Axis says which time a question about the past means.
type Axis uint8

// The axes of time.
const (
	ByEvent  Axis = iota // what was so then, as far as is known today
	ByCommit             // what was known then
)

// String gives the axis as "event time" or "commit time".
func (a Axis) String() string {
	if a == ByCommit {
		return "commit time"
	}
	return "event time"
}

// At gives the state at t of what is wanted; no wants are everything. A conversation is in its last stored state of the time from t − Linger
// to t, if its last packet is not older than that either. The error is ErrBeforeRetention for a t that is
// not kept any more, and where conversations are wanted for one from which some may be gone, and ErrNotStored for one that writing has not reached because it fails. What was recorded
// before Run began is waited for.
func (s *Store) At(ctx context.Context, t time.Time, axis Axis, wants ...Want) (inventory.View, error) {
	root, err := s.at(ctx, t, axis, wants)
	if err != nil {
		return nil, fmt.Errorf("history: state at %s by %v: %w", t.Format(time.RFC3339Nano), axis, err)
	}
	return view{root: root}, nil
}

// at gives what At asks for.
func (s *Store) at(ctx context.Context, t time.Time, axis Axis, wants []Want) (*node, error) {
	if err := s.caughtUp(ctx, t); err != nil {
		return nil, err
	}
	root, err := s.disk.at(ctx, t, axis, wants, s.cfg.Linger)
	return root, s.judge(err)
}

// caughtUp waits until everything that was known before t is on disk.
func (s *Store) caughtUp(ctx context.Context, t time.Time) error {
	if s.Status().Phase == Closed {
		return ErrClosed
	}
	if err := s.Flush(ctx); err != nil && !(errors.Is(err, ErrNotStored) && s.reached(t)) {
		return err
	}
	return nil
}

// reached says whether everything that was known before t is on disk.
func (s *Store) reached(t time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failure == nil || t.Before(s.failedFrom)
}

// Resumed gives the commit time of the last change before this run; the zero time when there was none.
func (s *Store) Resumed() time.Time { return s.resumed }
