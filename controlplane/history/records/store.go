package records

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/history/directory"
)

// What is in the store's directory.
const (
	lockName      = "records.lock"
	walDir        = "wal"
	segmentDir    = "segments"
	quarantineDir = "quarantine"
)

// Store keeps flow records. All methods may be called from any goroutine.
type Store struct {
	cfg     Config
	log     *slog.Logger
	now     func() time.Time
	steady  func() time.Duration
	metrics *metrics
	lock    *os.File
	wake    chan struct{} // holds one when Run should look for what is sealed

	writing chan struct{} // holds one while nobody writes; whoever takes it owns wal, batches and number
	wal     *wal
	batches *batchEncoder // for the log's file
	number  uint64        // of the last batch

	maintaining sync.Mutex // held by who compacts and retires

	mu       sync.Mutex
	head     memory             // guarded by mu; in the log and in no segment
	headFrom uint64             // guarded by mu; number of its first batch
	headLast uint64             // guarded by mu; and of its last
	headAt   time.Time          // guarded by mu; when that came
	sealed   *sealed            // guarded by mu; about to become a segment; nil for none
	segments []*segment         // guarded by mu; by batch
	room     chan struct{}      // guarded by mu; closed and replaced when sealed becomes nil, or the store closes
	totals   map[string]*totals // guarded by mu; by conversation
	known    *interner          // guarded by mu; who and where recorded conversations were
	failures map[activity]error // guarded by mu; why something does not work just now
	isolated []string           // guarded by mu; files in quarantine
	phase    Phase              // guarded by mu
}

// sealed are records that left the head.
type sealed struct {
	memory
	first, last uint64 // batches
	walFile     int    // of the log: none before it holds anything else
}

// activity is what a store does with its disk.
type activity string

const (
	keeping    activity = "states" // of conversations, which another store keeps
	logging    activity = "log"
	segmenting activity = "segment"
	compacting activity = "compact"
	retaining  activity = "retention"
)

// Phase is what a store does with what it is given.
type Phase string

// The phases of a store.
const (
	Opened  Phase = "opened"  // Run has not begun
	Running Phase = "running" // batches are taken and become segments
	Failing Phase = "failing" // writing fails and is tried again; batches may be refused
	Closed  Phase = "closed"  // batches are refused
)

// Status is how a store is doing.
type Status struct {
	Phase    Phase
	Err      error    // why Phase is Failing
	Head     int      // records that are in the log only
	Segments int      // files
	Records  int64    // in all segments
	Bytes    int64    // of all segments
	Isolated []string // files that were found damaged and are in quarantine, since New
}

// New opens the records in cfg.Dir, makes the directory when there is none, and repairs what a kill has left. What is
// damaged goes to quarantine, is logged and is in Status. It fails with ErrInUse, or when the
// directory cannot be written. The caller calls Run, or Close when it never gets to Run.
func New(cfg Config, deps Deps) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Steady == nil {
		deps.Steady = forEver
	}
	s := &Store{cfg: cfg, log: deps.Log, now: deps.Now, steady: deps.Steady, wake: make(chan struct{}, 1),
		writing: make(chan struct{}, 1), batches: newBatchEncoder(), room: make(chan struct{}),
		totals: map[string]*totals{}, known: newInterner(), failures: map[activity]error{}, phase: Opened}
	s.writing <- struct{}{}
	if err := s.open(); err != nil {
		return nil, fmt.Errorf("records: open %s: %w", cfg.Dir, errors.Join(err, s.releaseDisk()))
	}
	var err error
	if s.metrics, err = newMetrics(s, deps.Registerer); err != nil {
		return nil, fmt.Errorf("records: metrics: %w", errors.Join(err, s.releaseDisk()))
	}
	return s, nil
}

func (s *Store) open() error {
	for _, d := range []string{walDir, segmentDir, quarantineDir} {
		if err := os.MkdirAll(s.path(d), 0o750); err != nil {
			return err
		}
		if err := directory.Probe(s.path(d)); err != nil {
			return err
		}
	}
	var err error
	if s.lock, err = directory.Lock(s.path(lockName)); err != nil {
		return err
	}
	if err := s.loadSegments(); err != nil {
		return err
	}
	if err := s.replay(); err != nil {
		return err
	}
	s.wal, err = openWAL(s.path(walDir), slog.New(slog.DiscardHandler))
	return err
}

func (s *Store) path(elements ...string) string {
	return filepath.Join(append([]string{s.cfg.Dir}, elements...)...)
}

// Append makes a batch durable; the batch is the store's then. It waits while as many records as may be in memory wait
// to become a segment. Its error is ErrNotStored when the batch could not be written, and ErrClosed.
func (s *Store) Append(ctx context.Context, batch []Record) error {
	if len(batch) == 0 {
		return nil
	}
	if err := s.take(ctx); err != nil {
		return err
	}
	defer s.give()
	if err := s.makeRoom(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	of := s.totalsOf(batch)
	s.mu.Unlock()
	payload, err := s.write(batch, of) // who has taken writing is the only one to change totals
	s.outcome(logging, err)
	if err != nil {
		return fmt.Errorf("records: append: %w: %w", ErrNotStored, err)
	}
	s.number++
	s.mu.Lock()
	defer s.mu.Unlock()
	s.enter(s.number, payload, batch, of)
	s.metrics.appended.Add(float64(len(batch)))
	return nil
}

// write puts a batch into the log, and gives its payload, which is valid until the next. The caller has taken writing.
func (s *Store) write(batch []Record, of []*totals) ([]byte, error) {
	if s.wal.halfFull() {
		if _, err := s.wal.roll(); err != nil {
			return nil, err
		}
		s.batches.begin()
	}
	defer s.metrics.took(logging, time.Now())
	payload := s.batches.batch(s.number+1, batch, of)
	err := s.wal.append(payload)
	s.metrics.logBytes.Add(float64(len(payload)))
	if err != nil {
		s.batches.begin() // what was new in it is not in the log
	}
	return payload, err
}

// take waits until nobody writes.
func (s *Store) take(ctx context.Context) error {
	select {
	case <-s.writing:
	case <-ctx.Done():
		return ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase == Closed {
		s.give()
		return fmt.Errorf("records: %w", ErrClosed)
	}
	return nil
}

func (s *Store) give() { s.writing <- struct{}{} }

// totalsOf gives the totals of each record's conversation, made where there are none. s.mu is held.
func (s *Store) totalsOf(batch []Record) []*totals {
	of := make([]*totals, len(batch))
	for i := range batch {
		id := batch[i].Conversation
		t := s.totals[id]
		if t == nil {
			t = &totals{}
			s.totals[id] = t
		}
		if t.sides[0].noted == nil {
			both := new([2]noted)
			t.sides[0].noted, t.sides[1].noted = &both[0], &both[1]
		}
		of[i] = t
	}
	return of
}

// enter adds a batch, with its payload, to the head, and to the totals of its conversations. s.mu is held.
func (s *Store) enter(number uint64, payload []byte, batch []Record, of []*totals) {
	if s.head.records == 0 {
		s.headFrom, s.headAt = number, s.now()
	}
	s.head.add(payload, batch)
	s.headLast = number
	for i, t := range of {
		t.add(&batch[i])
	}
}

// makeRoom seals a full head, and waits while one is sealed already. The caller has taken writing.
func (s *Store) makeRoom(ctx context.Context) error {
	for {
		s.mu.Lock()
		full, waits, room := s.head.records >= s.cfg.SegmentRecords, s.sealed != nil, s.room
		failure := s.failures[segmenting]
		s.mu.Unlock()
		switch {
		case !full:
			return nil
		case !waits:
			return s.seal()
		case failure != nil:
			return fmt.Errorf("records: append: %w: %w", ErrNotStored, failure)
		}
		select {
		case <-room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// seal hands the head over to become a segment. The caller has taken writing, and nothing is sealed.
func (s *Store) seal() error {
	file, err := s.wal.roll()
	s.batches.begin()
	if err == nil {
		s.mu.Lock()
		s.forget()
		payload := s.batches.totals(s.totals)
		s.mu.Unlock()
		err = s.wal.append(payload)
		s.batches.begin() // the head has the batches only, so that they begin its tables
	}
	s.outcome(logging, err)
	if err != nil {
		return fmt.Errorf("records: begin a new file of the log: %w: %w", ErrNotStored, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sealed = &sealed{memory: s.head, first: s.headFrom, last: s.headLast, walFile: file}
	s.head = memory{}
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return nil
}

// forget drops the totals of conversations that are over. After a step of the clock it waits until those that are not have
// times of the clock as it is now. s.mu is held.
func (s *Store) forget() {
	over := 2 * s.cfg.Linger
	if s.steady() < over {
		return
	}
	before := s.now().Add(-over)
	for id, t := range s.totals {
		if t.last.Before(before) {
			delete(s.totals, id)
		}
	}
}

// outcome notes whether something worked.
func (s *Store) outcome(a activity, err error) {
	s.mu.Lock()
	before := s.failures[a]
	if err == nil {
		delete(s.failures, a)
	} else {
		s.failures[a] = err
		s.metrics.failures.WithLabelValues(string(a)).Inc()
	}
	s.mu.Unlock()
	switch {
	case err != nil && before == nil:
		s.log.Error("flow records cannot be written; it is tried again", "what", string(a), "dir", s.cfg.Dir, "error", err)
	case err == nil && before != nil:
		s.log.Info("flow records are written again", "what", string(a), "dir", s.cfg.Dir)
	}
}

// Status tells how the store is doing.
func (s *Store) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Status{Phase: s.phase, Head: s.head.records, Segments: len(s.segments), Isolated: s.isolated}
	if s.sealed != nil {
		st.Head += s.sealed.records
	}
	for _, g := range s.segments {
		st.Records += g.rows
		st.Bytes += g.bytes
	}
	for _, a := range []activity{keeping, logging, segmenting, compacting, retaining} {
		if err := s.failures[a]; err != nil && st.Err == nil {
			st.Err = fmt.Errorf("%s: %w", a, err)
		}
	}
	if st.Phase == Running && st.Err != nil {
		st.Phase = Failing
	}
	return st
}

// Close releases a store that Run is not called for.
func (s *Store) Close() error {
	s.mu.Lock()
	opened := s.phase == Opened
	s.mu.Unlock()
	if !opened {
		return nil
	}
	return s.finish()
}

// finish ends the store. What is in the head stays in the log.
func (s *Store) finish() error {
	<-s.writing
	defer s.give()
	s.mu.Lock()
	s.phase = Closed
	close(s.room)
	s.room = make(chan struct{})
	s.mu.Unlock()
	return s.releaseDisk()
}

func (s *Store) releaseDisk() error {
	var errs []error
	if s.wal != nil {
		errs = append(errs, s.wal.close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}
