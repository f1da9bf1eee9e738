package history

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// Store is the time machine. All methods may be called from any goroutine.
type Store struct {
	cfg     Config
	log     *slog.Logger
	now     func() time.Time
	steady  func() time.Duration
	disk    *disk
	metrics *metrics

	isolated []string // never changed after New

	wake chan struct{} // holds one when the writer should look

	mu         sync.Mutex
	room       sync.Cond          // on mu: the queue shrank or phase changed
	current    tree               // guarded by mu
	version    uint64             // guarded by mu; of the last update
	lastCommit time.Time          // guarded by mu
	resumed    time.Time          // never changed after New; the last commit of the run before
	feeds      map[*Feed]struct{} // guarded by mu
	queue      []item             // guarded by mu; changes that the writer has not taken
	spare      []item             // guarded by mu; empty; the next queue's room
	urgent     bool               // guarded by mu; somebody waits in Flush
	lossy      bool               // guarded by mu; changes were dropped since the disk was last level
	stored     uint64             // guarded by mu; the last version that is on disk with all before it
	levelled   chan struct{}      // guarded by mu; closed and replaced when stored or phase changes
	phase      Phase              // guarded by mu
	failure    error              // guarded by mu; why phase is Failing or Dropping
	failedFrom time.Time          // guarded by mu; commit time of the first change that is not on disk, while failure is set
	dropped    uint64             // guarded by mu
	condemned  []*damage          // guarded by mu; rows that the writer is to take out
	suspects   []suspect          // guarded by mu; what the writer is to look at and mend
	mended     uint64             // guarded by mu; places at which something was, since New
	damage     error              // guarded by mu; the last that was found since New
	damaged    uint64             // guarded by mu; rows that were taken out since New
	inFlight   int                // guarded by mu; changes that the writer has taken and not written
	closing    bool               // guarded by mu; nothing is taken any more
}

// item is one update on its way to the disk.
type item struct {
	ref inventory.Ref
	inventory.Entry
	text     []byte // the fact as JSON; nil for an end
	sum      sum
	endKnown bool // the event time of an end is when it happened, not when it was missed
}

// Phase is what a store does with what it is given.
type Phase string

// The phases of a store.
const (
	Opened   Phase = "opened"   // Run has not begun: changes wait
	Running  Phase = "running"  // changes are written
	Failing  Phase = "failing"  // the last write failed and is tried again: changes wait
	Dropping Phase = "dropping" // as failing, and the queue is full: changes are dropped and counted
	Closed   Phase = "closed"   // changes are ignored
)

// Status is how a store is doing.
type Status struct {
	Phase   Phase
	Err     error  // the last failure while Failing or Dropping, or why nothing can be written when Run begins
	Version uint64 // of the last update
	Stored  uint64 // the last version that is on disk with all before it
	Queued  int    // changes that wait for the disk
	Dropped uint64 // changes that will never be on disk, since New

	Isolated []string // where the files are that were found damaged at New
	Damaged  uint64   // rows that were found damaged since New, and taken out
	Damage   error    // the last damage that was found since New; nil if none
}

// New opens the history in cfg.Dir, makes it when there is none, and loads the state that
// it ended with. A damaged row is taken out; a damaged file goes to quarantine, and a new history begins, of which nothing before is
// known. Both are logged and in Status. On a full disk what is there is read, and written once there is room. It fails
// with ErrInUse, ErrNewerSchema, or ErrCorrupt for a file of something else, naming the file. The
// caller calls Run, or Close when it never gets to Run.
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
	s, err := load(cfg, deps)
	if errors.Is(err, ErrCorrupt) && !errors.Is(err, errForeign) {
		s, err = beginAnew(cfg, deps, err)
	}
	if err != nil {
		return nil, err
	}
	if s.metrics, err = newMetrics(s, deps.Registerer); err != nil {
		s.disk.close()
		return nil, fmt.Errorf("history: metrics: %w", err)
	}
	return s, nil
}

// beginAnew isolates a damaged file and opens a new one in its place.
func beginAnew(cfg Config, deps Deps, why error) (*Store, error) {
	to, err := isolate(cfg.Dir, deps.Now())
	if err != nil {
		return nil, errors.Join(why, err)
	}
	deps.Log.Error("the history is damaged and isolated; a new one begins", "file", filepath.Join(cfg.Dir, fileName), "now", to, "error", why)
	s, err := load(cfg, deps)
	if err != nil {
		return nil, err
	}
	s.isolated = append(s.isolated, to)
	if err := s.disk.beginAt(deps.Now()); err != nil {
		return nil, errors.Join(fmt.Errorf("history: begin anew: %w", err), s.disk.close())
	}
	return s, nil
}

// load opens the file and reads the state that it ended with.
func load(cfg Config, deps Deps) (*Store, error) {
	d, err := openDisk(cfg, deps)
	if err != nil {
		return nil, fmt.Errorf("history: open %s: %w", cfg.Dir, err)
	}
	s := &Store{
		cfg: cfg, log: deps.Log, now: deps.Now, steady: deps.Steady, disk: d,
		wake: make(chan struct{}, 1), feeds: map[*Feed]struct{}{}, levelled: make(chan struct{}),
		phase: Opened,
	}
	s.room.L = &s.mu
	if d.isolated != "" {
		s.isolated = append(s.isolated, d.isolated)
	}
	if err := s.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("history: load %s: %w", d.path, classify(err)), d.close())
	}
	return s, nil
}

// load makes the state that the disk ended with the current one.
func (s *Store) load() error {
	var nodes []*node
	m, renamed, spoiled, err := s.disk.load(s.now(), s.cfg.Linger, func(e inventory.Entry, c sum) {
		nodes = append(nodes, &node{ref: e.Fact.Ref(), rec: record{Entry: e, sum: c}})
	})
	if err != nil {
		return err
	}
	s.current.root = planted(nodes)
	if renamed > 0 {
		s.log.Warn("facts of an earlier version have other references now; their intervals end", "facts", renamed)
		s.lossy = true
	}
	s.version, s.stored = m.version, m.version
	s.lastCommit, s.resumed = m.commit, m.commit
	if err := s.disk.lostTail(m); errors.Is(err, ErrCorrupt) {
		s.log.Error("the end of the history is missing", "file", s.disk.path, "error", err)
		s.damage = err
	} else if err != nil {
		return err
	}
	s.disk.noteLast(m) // or it would be told of at each start
	if s.disk.shut != nil {
		s.loadedWithoutRoom(spoiled)
		return nil
	}
	return s.takeOut(spoiled)
}

// Record makes the changes, all with one commit time and in their order. A fact equal to
// the current one, or the end of what does not exist, is no change. Record waits while the queue to the disk
// is full, except when writing fails: then it goes on in memory, drops for the disk and counts. Facts
// must not be changed afterwards.
func (s *Store) Record(changes ...inventory.Change) {
	items := make([]item, len(changes))
	for i, c := range changes {
		items[i] = prepare(c)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.admit(len(items)) {
		return
	}
	commit := s.commitTime()
	for _, it := range items {
		s.apply(it, commit)
	}
	s.nudge()
}

func prepare(c inventory.Change) item {
	it := item{ref: c.Ref, Entry: inventory.Entry{Fact: c.Fact, Event: c.Event}, endKnown: true}
	if c.Fact != nil {
		if r := c.Fact.Ref(); r != c.Ref {
			panic(fmt.Sprintf("history: change of %v carries the fact of %v", c.Ref, r))
		}
		it.text, it.sum = encode(c.Fact)
	}
	return it
}

// admit waits for room in the queue for n changes and says whether the store takes them at
// all. s.mu is held, but not while waiting.
func (s *Store) admit(n int) bool {
	for !s.closing && (s.phase == Running || s.phase == Opened) && s.queued() > 0 && s.queued()+n > s.cfg.QueueSize {
		s.room.Wait()
	}
	return !s.closing
}

// queued is how many changes wait for the disk. s.mu is held.
func (s *Store) queued() int { return len(s.queue) + s.inFlight }

// commitTime gives the time for the next changes, later than all before. s.mu is held.
func (s *Store) commitTime() time.Time {
	t := s.now().UTC().Round(0)
	if !t.After(s.lastCommit) {
		t = s.lastCommit.Add(1)
	}
	s.lastCommit = t
	return t
}

// apply makes one change, if it is one. s.mu is held.
func (s *Store) apply(it item, commit time.Time) {
	before, existed := s.current.root.find(it.ref)
	if it.Fact == nil && !existed || it.Fact != nil && existed && before.sum == it.sum {
		s.metrics.unchanged.Inc()
		return
	}
	it.Commit = commit
	it.Event = eventTime(it, commit)
	s.version++
	if it.Fact != nil {
		s.current.set(it.ref, record{Entry: it.Entry, sum: it.sum})
	} else {
		s.current.remove(it.ref)
	}
	u := inventory.Update{Version: s.version, Ref: it.ref, Entry: it.Entry, Before: before.Entry}
	for f := range s.feeds {
		f.push(u, !existed)
	}
	s.enqueue(it)
}

// eventTime is that of the change, in UTC; the commit time where it has none. The state of a conversation
// is never of a time before its last packet.
func eventTime(it item, commit time.Time) time.Time {
	t := it.Event.UTC().Round(0)
	if it.Event.IsZero() {
		t = commit
	}
	if c, ok := it.Fact.(flow.Conversation); ok && c.Last.After(t) {
		t = c.Last.UTC().Round(0)
	}
	return t
}

// enqueue hands a change to the writer, or drops it while writing fails and the queue is
// full. s.mu is held.
func (s *Store) enqueue(it item) {
	if it.ref.Kind == inventory.KindAccounting {
		return // of the moment only: it changes with every read of the counters
	}
	if (s.phase == Failing || s.phase == Dropping) && s.queued() >= s.cfg.QueueSize {
		s.phase, s.lossy = Dropping, true
		s.dropped++
		s.metrics.dropped.Inc()
		return
	}
	s.queue = append(s.queue, it)
}

func (s *Store) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Now gives the current state. It is cheap and includes what is not on disk yet.
func (s *Store) Now() inventory.View {
	s.mu.Lock()
	defer s.mu.Unlock()
	return view{root: s.current.snapshot(), version: s.version}
}

// snapshot gives the current state's root, which no later change touches.
func (s *Store) snapshot() *node {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current.snapshot()
}

// Subscribe gives the current state and the feed of every update after it, without gap or
// duplicate. The caller closes the feed.
func (s *Store) Subscribe() (inventory.View, *Feed) { return s.subscribe(0) }

// Follow is Subscribe for a reader that wants each change by itself: the feed does not merge
// until its reader is thousands behind.
func (s *Store) Follow() (inventory.View, *Feed) { return s.subscribe(keptApart) }

func (s *Store) subscribe(apart int) (inventory.View, *Feed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := newFeed(s, apart)
	if s.phase == Closed {
		f.closed = true
	} else {
		s.feeds[f] = struct{}{}
	}
	return view{root: s.current.snapshot(), version: s.version}, f
}

func (s *Store) forget(f *Feed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.feeds, f)
}

// Status tells how the store is doing.
func (s *Store) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Status{Phase: s.phase, Err: s.failure, Version: s.version, Stored: s.stored,
		Queued: s.queued(), Dropped: s.dropped, Isolated: s.isolated, Damaged: s.damaged, Damage: s.damage}
}

// Flush waits until everything recorded before it is on disk. It fails with ErrNotStored while writing fails and
// with ErrClosed when the store closed before that.
func (s *Store) Flush(ctx context.Context) error {
	s.mu.Lock()
	upTo := s.version
	for {
		if s.stored >= upTo {
			s.mu.Unlock()
			return nil
		}
		switch s.phase {
		case Failing, Dropping:
			err := s.failure
			s.mu.Unlock()
			return fmt.Errorf("history: flush: %w: %w", ErrNotStored, err)
		case Closed:
			s.mu.Unlock()
			return fmt.Errorf("history: flush: %w", ErrClosed)
		}
		s.urgent = true
		levelled := s.levelled
		s.nudge()
		s.mu.Unlock()
		select {
		case <-levelled:
		case <-ctx.Done():
			return fmt.Errorf("history: flush: %w", ctx.Err())
		}
		s.mu.Lock()
	}
}
