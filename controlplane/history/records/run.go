package records

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/parquet-go/parquet-go"
)

// Between tries to write again after a failure.
const (
	firstRetry = 250 * time.Millisecond
	lastRetry  = 10 * time.Second
)

// Run makes segments of the log, compacts them and deletes what is past its retention, until ctx ends. It is called once.
func (s *Store) Run(ctx context.Context) error {
	s.mu.Lock()
	if s.phase != Opened {
		s.mu.Unlock()
		return fmt.Errorf("records: run: %w", ErrClosed)
	}
	s.phase = Running
	s.mu.Unlock()

	every := time.NewTicker(max(min(s.cfg.SegmentAge/10, 10*time.Second), time.Millisecond))
	defer every.Stop()
	retry := time.NewTimer(lastRetry)
	defer retry.Stop()
	wait := firstRetry
	for {
		select {
		case <-ctx.Done():
			return s.finish()
		case <-s.wake:
		case <-retry.C:
		case <-every.C:
			s.sealAged(ctx)
			_ = s.Maintain(ctx) // what fails is in Status
		}
		if s.writeSealed() == nil {
			wait = firstRetry
			continue
		}
		retry.Reset(wait)
		wait = min(2*wait, lastRetry)
	}
}

// sealAged seals a head whose first batch is SegmentAge old.
func (s *Store) sealAged(ctx context.Context) {
	s.mu.Lock()
	due := s.head.records > 0 && s.sealed == nil && s.now().Sub(s.headAt) >= s.cfg.SegmentAge
	s.mu.Unlock()
	if due {
		_ = s.sealNow(ctx) // what fails is in Status
	}
}

// sealNow seals the head, if there is one and nothing is sealed.
func (s *Store) sealNow(ctx context.Context) error {
	if err := s.take(ctx); err != nil {
		return err
	}
	defer s.give()
	s.mu.Lock()
	due := s.head.records > 0 && s.sealed == nil
	s.mu.Unlock()
	if !due {
		return nil
	}
	return s.seal()
}

// Cut makes a segment of all records that were appended before, at once.
func (s *Store) Cut(ctx context.Context) error {
	s.mu.Lock()
	upTo := s.headLast
	s.mu.Unlock()
	for {
		s.mu.Lock()
		done := s.sealed == nil && (s.head.records == 0 || s.headFrom > upTo)
		waits, room, failure, closed := s.sealed != nil, s.room, s.failures[segmenting], s.phase == Closed
		s.mu.Unlock()
		switch {
		case closed:
			return fmt.Errorf("records: cut: %w", ErrClosed)
		case done:
			return nil
		case failure != nil:
			return fmt.Errorf("records: cut: %w", failure)
		case !waits:
			if err := s.sealNow(ctx); err != nil {
				return err
			}
			continue
		}
		select {
		case <-room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// writeSealed makes a segment of what is sealed.
func (s *Store) writeSealed() error {
	s.mu.Lock()
	c := s.sealed
	s.mu.Unlock()
	if c == nil {
		return nil
	}
	defer s.metrics.took(segmenting, time.Now())
	g := segment{first: c.first, last: c.last}
	g.from, g.to = c.span()
	made, err := writeSegment(g, s.path(segmentDir), func(w *parquet.GenericWriter[row]) error { return writeSorted(&c.memory, w) })
	s.outcome(segmenting, err)
	s.mu.Lock()
	if err == nil {
		s.segments = append(s.segments, made)
		s.sealed = nil
	}
	close(s.room)
	s.room = make(chan struct{})
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return s.dropLog(c.walFile)
}

// dropLog deletes the files of the log whose records are in segments.
func (s *Store) dropLog(before int) error {
	<-s.writing
	defer s.give()
	err := s.wal.forget(before)
	if err != nil && !os.IsNotExist(err) {
		s.log.Warn("a file of the log that is not needed any more cannot be deleted", "error", err)
	}
	return nil
}
