package history

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// Between tries to write again after a failure.
const (
	firstRetry = 250 * time.Millisecond
	lastRetry  = 10 * time.Second
)

// sweepEvery is how often what is past its retention is looked for, and sweepAgain the
// pause between two portions of it.
const (
	sweepEvery = time.Minute
	sweepAgain = 20 * time.Millisecond
)

// Run writes what is recorded, lets conversations leave the live state, and deletes what
// is past its retention, until ctx ends. Then it writes the rest and closes the store; its error says what
// could not be written. It is called once.
func (s *Store) Run(ctx context.Context) error {
	s.mu.Lock()
	if s.phase != Opened {
		s.mu.Unlock()
		return fmt.Errorf("history: run: %w", ErrClosed)
	}
	s.phase = Running
	s.mu.Unlock()
	s.nudge()

	auditing, over := context.WithCancel(ctx)
	audited := make(chan struct{})
	go func() {
		defer close(audited)
		s.audit(auditing)
	}()
	defer func() { over(); <-audited }()
	expire := time.NewTicker(min(s.cfg.Linger/10, 5*time.Second))
	defer expire.Stop()
	sweep := time.NewTimer(sweepAgain)
	defer sweep.Stop()
	retry := time.NewTimer(lastRetry)
	defer retry.Stop()
	wait := firstRetry
	for {
		due := false
		select {
		case <-ctx.Done():
			return s.finish()
		case <-s.wake:
			s.gather(ctx)
			due = !s.failing()
		case <-retry.C:
			due = true
		case <-expire.C:
			s.expire()
		case <-sweep.C:
			sweep.Reset(s.sweep())
		}
		if !due {
			continue
		}
		if s.commit() == nil {
			wait = firstRetry
			continue
		}
		retry.Reset(wait)
		wait = min(2*wait, lastRetry)
	}
}

// Close releases a store that Run is not called for. While Run runs, or after it, it does nothing.
func (s *Store) Close() error {
	s.mu.Lock()
	phase := s.phase
	if phase == Opened {
		s.closing = true
	}
	s.mu.Unlock()
	if phase != Opened {
		return nil
	}
	return s.finish()
}

func (s *Store) failing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.phase != Running
}

// gather lets changes come together for a batch, unless somebody waits for it.
func (s *Store) gather(ctx context.Context) {
	delay := time.NewTimer(s.cfg.BatchDelay)
	defer delay.Stop()
	for {
		s.mu.Lock()
		urgent := s.urgent || len(s.queue) >= s.cfg.QueueSize/2
		s.mu.Unlock()
		if urgent {
			return
		}
		select {
		case <-s.wake:
		case <-delay.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// commit writes what is queued.
func (s *Store) commit() error {
	s.mu.Lock()
	condemned, suspects := s.condemned, s.suspects
	s.condemned, s.suspects = nil, nil
	s.mu.Unlock()
	err := s.disk.reopen()
	if err == nil {
		err = s.takeOut(condemned)
	}
	if err == nil {
		condemned, err = nil, s.judge(s.mend(suspects))
	}

	s.mu.Lock()
	if err != nil {
		defer s.mu.Unlock()
		s.condemned, s.suspects = append(condemned, s.condemned...), append(suspects, s.suspects...)
		s.fail(err)
		s.levelOut()
		return err
	}
	items, lossy, p := s.queue, s.lossy, progress{version: s.version, commit: s.lastCommit}
	var level *live
	if lossy {
		level = &live{view: view{root: s.current.snapshot()}, failedFrom: s.failedFrom}
	}
	s.queue, s.spare, s.lossy, s.urgent, s.inFlight = s.spare, nil, false, false, len(items)
	idle := s.stored == s.version && !lossy && s.failure == nil
	s.mu.Unlock()
	if idle {
		return nil
	}
	begun := time.Now()
	intervals, flows, err := s.disk.write(items, level, p)
	err = s.judge(err)

	s.mu.Lock()
	defer s.mu.Unlock()
	s.inFlight = 0
	if err != nil {
		if s.queue = append(items, s.queue...); s.failure == nil && len(items) > 0 {
			s.failedFrom = items[0].Commit
		}
		s.lossy = s.lossy || lossy
		s.fail(err)
	} else {
		s.stored = p.version
		s.succeed()
		s.reuse(items)
		s.metrics.wrote(intervals, flows, time.Since(begun))
	}
	s.levelOut()
	return err
}

// levelOut lets those look who wait for the disk. s.mu is held.
func (s *Store) levelOut() {
	close(s.levelled)
	s.levelled = make(chan struct{})
	s.room.Broadcast()
}

// reuse keeps the room of a queue that was written for the one after the next, unless it is left of a burst. s.mu is held.
func (s *Store) reuse(items []item) {
	if len(items) < cap(items)/8 {
		return
	}
	clear(items)
	s.spare = items[:0]
}

// fail notes that a write failed. s.mu is held.
func (s *Store) fail(err error) {
	s.failure = err
	s.metrics.failures.Inc()
	if broken(err) {
		err = errors.Join(fmt.Errorf("%w; it is isolated when the daemon starts again", err), s.disk.condemn(err))
		s.failure = err
	}
	if s.phase == Running {
		s.phase = Failing
		s.log.Error("history cannot be written; the live state goes on, changes wait", "file", s.disk.path, "error", err)
	}
}

// succeed notes that all is on disk up to s.stored. s.mu is held.
func (s *Store) succeed() {
	if s.phase == Failing || s.phase == Dropping {
		s.log.Info("history is written again", "file", s.disk.path, "dropped", s.dropped)
		s.phase = Running
	}
	s.failure = nil
}

// finish writes the rest and closes everything.
func (s *Store) finish() error {
	s.mu.Lock()
	s.closing = true
	s.room.Broadcast()
	s.mu.Unlock()
	err := s.commit()

	s.mu.Lock()
	lost, short := s.version-s.stored, s.lossy
	s.phase = Closed
	for f := range s.feeds {
		f.finish()
	}
	clear(s.feeds)
	s.levelOut()
	s.mu.Unlock()
	switch {
	case err != nil && lost == 0 && !short: // there was nothing to write
		err = nil
	case err != nil:
		err = fmt.Errorf("history: %w: the last %d changes: %w", ErrNotStored, lost, err)
	}
	if closing := s.disk.close(); closing != nil {
		err = errors.Join(err, fmt.Errorf("history: close %s: %w", s.disk.path, closing))
	}
	return err
}

// expire ends the conversations in the live state that were quiet for longer than Linger. After a step of the clock it waits
// for as long, until those that go on have times of the clock as it is now.
func (s *Store) expire() {
	if s.steady() < s.cfg.Linger {
		return
	}
	before := s.now().Add(-s.cfg.Linger)
	quiet := func(e inventory.Entry) bool {
		c, ok := e.Fact.(flow.Conversation)
		return ok && c.Last.Before(before)
	}
	var refs []inventory.Ref
	for e := range s.Now().All(inventory.KindConversation) {
		if quiet(e) {
			refs = append(refs, e.Fact.Ref())
		}
	}
	if len(refs) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	commit := s.commitTime()
	for _, r := range refs {
		if rec, ok := s.current.root.find(r); ok && quiet(rec.Entry) {
			s.apply(item{ref: r, endKnown: true}, commit)
		}
	}
	s.nudge()
}
