package track

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// tick is how often a Tracker looks for silent slots and unanswered read-outs.
const tick = 250 * time.Millisecond

// reapGrace is how long an older generation of a slot may wait for its last report when no digest
// comes at all.
const reapGrace = 30 * time.Second

// Switch is what a Tracker asks of a connected switch.
type Switch interface {
	Name() string
	// RequestSlot asks for a slot's report. The answer comes through Tracker.Report.
	RequestSlot(ctx context.Context, r SlotRequest) error
	// SetClock tells what the switch has to add to its own time, in microseconds, for the
	// fabric's, modulo 2^48.
	SetClock(ctx context.Context, offset uint64) error
	// SetIncarnation names what the switch's registers hold, if they have no name yet. Reports
	// carry the name.
	SetIncarnation(ctx context.Context, name uint64) error
	// ReadCounters reads what the switch's ports counted.
	ReadCounters(ctx context.Context) ([]PortCounters, error)
}

// SlotRequest asks for a slot's report, and with Idle for the slot to be emptied: if its flow was
// silent for so long, and it has counted exactly so many packets in this generation.
type SlotRequest struct {
	Slot       uint32
	Idle       time.Duration // 0: only read
	Generation uint16
	Packets    uint64
}

// PortCounters are the counters of one port: all frames, those in class buckets, together and
// by class, and those that were dropped although they are of flows.
type PortCounters struct {
	Number  uint32
	Total   flow.Counters
	Buckets flow.Counters
	Classes inventory.Buckets
	Expired inventory.Bucket // dropped because the TTL ended here
}

// Tracker keeps the books of all switches and the conversations made of them.
type Tracker struct {
	cfg     Config
	deps    Deps
	metrics *metrics
	inbox   chan func(*books)
	done    chan struct{}
}

// New gives a Tracker that does nothing until Run.
func New(cfg Config, deps Deps) (*Tracker, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	m, err := newMetrics(deps.Registerer)
	if err != nil {
		return nil, fmt.Errorf("track: register metrics: %w", err)
	}
	return &Tracker{cfg: cfg, deps: deps, metrics: m,
		inbox: make(chan func(*books), cfg.Queue), done: make(chan struct{})}, nil
}

// Connected says that a switch can be asked now. Fresh says that its counters and flow cache
// began empty; otherwise whatever it holds is read out.
func (t *Tracker) Connected(ctx context.Context, sw Switch, fresh bool) error {
	return t.send(ctx, func(b *books) { b.connected(sw, fresh) })
}

// Disconnected says that a switch cannot be asked for now.
func (t *Tracker) Disconnected(ctx context.Context, name string) error {
	return t.send(ctx, func(b *books) { b.disconnected(name) })
}

// Report delivers a report that was received at the given time. It blocks while the queue is
// full, so that the session in front of it counts what is dropped.
func (t *Tracker) Report(ctx context.Context, name string, r Report, received time.Time) error {
	return t.Reports(ctx, name, []Report{r}, received)
}

// Reports delivers those of one message, in order. They must not be changed afterwards.
func (t *Tracker) Reports(ctx context.Context, name string, r []Report, received time.Time) error {
	return t.send(ctx, func(b *books) { b.reports(name, r, received) })
}

func (t *Tracker) send(ctx context.Context, f func(*books)) error {
	select {
	case t.inbox <- f:
		return nil
	case <-t.done:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Run keeps the books until ctx ends. What was not published by then is published last.
func (t *Tracker) Run(ctx context.Context) error {
	defer close(t.done)
	b := &books{t: t, ctx: ctx, switches: map[string]*account{}, joiner: newJoiner(t.cfg.MaxFlows, t.cfg.MaxHops, t.deps.PortName)}
	defer b.stop()
	b.restore()
	// What takes long to publish must not hold up the reports: what changed meanwhile waits in
	// the joiner, where it takes no room.
	batches := make(chan batch)
	var publisher sync.WaitGroup
	publisher.Go(func() {
		for batch := range batches {
			t.deps.Sink.Record(batch.changes...)
			b.stored.given(batch.number, t.deps.Progress)
		}
	})
	defer publisher.Wait()
	defer close(batches)
	timer := time.NewTicker(tick)
	defer timer.Stop()
	published := time.Now()
	for {
		var out chan<- batch
		next := b.batch()
		if len(next.changes) > 0 {
			out = batches
		}
		select {
		case <-ctx.Done():
			b.finish(batches)
			return nil
		case f := <-t.inbox:
			f(b)
		case out <- next:
			b.sent()
		case now := <-timer.C:
			b.sweep(now)
			if now.Sub(published) >= t.cfg.PublishInterval {
				b.publish(now)
				published = now
			}
		}
	}
}

// books are all of a Tracker's state, owned by Run's goroutine.
type books struct {
	t        *Tracker
	ctx      context.Context
	switches map[string]*account
	joiner   *joiner
	due      int                // conversations to be published of those that changed
	pending  []inventory.Change // the next batch to be published
	next     []inventory.Change // pending and ledgers together, once that was asked for
	ledgers  []inventory.Change // how far the records go with it
	number   uint32             // of that batch
	stored   progress
}

func (b *books) account(name string) *account {
	a := b.switches[name]
	if a == nil {
		a = newAccount(name, b.t, b.joiner)
		b.switches[name] = a
	}
	return a
}

func (b *books) connected(sw Switch, fresh bool) {
	a := b.account(sw.Name())
	a.stop()
	if fresh && a.identity.name != 0 {
		b.end(a)
	}
	a.fromZero = a.fromZero || fresh
	a.connect(b.ctx, b.t, sw)
}

func (b *books) disconnected(name string) { b.account(name).stop() }

func (b *books) stop() {
	for _, a := range b.switches {
		a.stop()
	}
}

func (b *books) reports(name string, reports []Report, received time.Time) {
	a, digests := b.account(name), false
	for i := range reports {
		r := &reports[i]
		a.received(r, received)
		if b.identify(a, r, received) {
			a.apply(b.t, r, received)
		}
		digests = digests || !r.answer()
	}
	if digests {
		a.ledger.came = coarse(a.clock.micros(time.Now()))
	}
	a.next(b.t, received)
}

// sweep asks for the slots that fell silent, and asks again what was not answered.
func (b *books) sweep(now time.Time) {
	b.joiner.stored = b.stored.look(b.t.deps.Progress)
	for _, a := range b.switches {
		a.sweep(b.t, now)
	}
	b.joiner.forget(now.Add(-b.t.cfg.Linger))
}
