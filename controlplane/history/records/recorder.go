package records

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
)

// Recorder makes records of the states of conversations: one of each that changed in an interval. What is not on disk
// yet stays what the next record of the conversation will have, so that nothing is lost while writing
// fails, and nothing is counted twice after a restart. Records never have what the states on disk do not
// have: a daemon that is killed goes on from these, and would count what is beyond them again.
type Recorder struct {
	store *Store
	log   *slog.Logger
	kept  func(context.Context) error

	mu      sync.Mutex
	pending map[string]flow.Conversation // guarded by mu; the newest state of those that changed
	full    bool                         // guarded by mu; the bound was reached, and that was logged
}

// NewRecorder gives a Recorder that does nothing until Run. Kept waits until the states that were observed
// before outlive a crash, or fails; nil: they do at once.
func NewRecorder(s *Store, kept func(context.Context) error) *Recorder {
	if kept == nil {
		kept = func(context.Context) error { return nil }
	}
	return &Recorder{store: s, log: s.log, kept: kept, pending: map[string]flow.Conversation{}}
}

// Observe takes the state of a conversation: all that it has counted since it began. It never waits. At
// the start it is to be given the states that are on disk: what a killed daemon had stored of them and
// not recorded is recorded then.
func (r *Recorder) Observe(c flow.Conversation) {
	r.store.metrics.observed.Inc()
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.pending[c.ID]; !known && len(r.pending) >= r.store.cfg.Conversations {
		r.store.metrics.dropped.Inc()
		if !r.full {
			r.log.Error("too many conversations wait to be recorded; others are dropped and counted", "waiting", len(r.pending))
			r.full = true
		}
		return
	}
	r.pending[c.ID] = c
}

// Run appends what was observed at the end of every interval, until ctx ends; then it appends the rest.
func (r *Recorder) Run(ctx context.Context) error {
	for {
		now := r.store.now()
		end := now.Truncate(r.store.cfg.Interval).Add(r.store.cfg.Interval)
		timer := time.NewTimer(end.Sub(now))
		select {
		case <-ctx.Done():
			timer.Stop()
			return r.flush(context.WithoutCancel(ctx), end)
		case <-timer.C:
		}
		if err := r.flush(ctx, end); err != nil && !errors.Is(err, ErrNotStored) && ctx.Err() == nil {
			return err
		}
	}
}

// flushAtOnce is how many records one batch has at most.
const flushAtOnce = 4096

// Flush appends what was observed, as of the end of the interval under way.
func (r *Recorder) Flush(ctx context.Context) error {
	return r.flush(ctx, r.store.now().Truncate(r.store.cfg.Interval).Add(r.store.cfg.Interval))
}

func (r *Recorder) flush(ctx context.Context, end time.Time) error {
	r.mu.Lock()
	taken := r.pending
	r.pending = make(map[string]flow.Conversation, len(taken))
	r.full = false
	r.mu.Unlock()
	if err := r.await(ctx); err != nil {
		r.putBack(taken)
		return err
	}
	var batch []Record
	var of []string
	send := func() error {
		if err := r.store.Append(ctx, batch); err != nil {
			return err
		}
		for _, id := range of {
			delete(taken, id)
		}
		batch, of = nil, nil
		return nil
	}
	for _, id := range slices.Sorted(maps.Keys(taken)) {
		c := taken[id]
		if rec, ok := r.store.next(&c, end); ok {
			batch = append(batch, rec)
		}
		if of = append(of, id); len(batch) < flushAtOnce {
			continue
		}
		if err := send(); err != nil {
			r.putBack(taken)
			return err
		}
	}
	err := send()
	if err != nil {
		r.putBack(taken)
	}
	return err
}

// await waits until what was observed is kept.
func (r *Recorder) await(ctx context.Context) error {
	err := r.kept(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	r.store.outcome(keeping, err)
	if err != nil {
		return fmt.Errorf("records: %w: the states that they are made of are not stored: %w", ErrNotStored, err)
	}
	return nil
}

// putBack keeps states that could not be recorded, where no newer one has come.
func (r *Recorder) putBack(taken map[string]flow.Conversation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, c := range taken {
		if _, newer := r.pending[id]; newer {
			continue
		}
		if len(r.pending) >= r.store.cfg.Conversations {
			r.store.metrics.dropped.Inc()
			continue
		}
		r.pending[id] = c
	}
}

// next makes the record of what a conversation counted beyond its records; none if that is nothing.
func (s *Store) next(c *flow.Conversation, end time.Time) (Record, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	in := s.known
	client, server := End{c.Client.Address, c.Client.Port, in.identity(c.Client.Identity)}, End{c.Server.Address, c.Server.Port, in.identity(c.Server.Identity)}
	before := totals{}
	if t := s.totals[c.ID]; t != nil {
		before = t.as(client.addrPort(), server.addrPort())
	}
	r := Record{
		Time: end.UTC().Truncate(time.Millisecond), Conversation: c.ID, Protocol: c.Protocol, ICMPType: c.ICMPType, Opaque: c.Opaque,
		Client: client, Server: server,
		First: c.First.UTC().Truncate(time.Millisecond), Last: c.Last.UTC().Truncate(time.Millisecond), Verdict: verdictOf(c),
		Forward: side{c.Forward, c.ForwardFlags, c.ForwardHops, c.ForwardSegments}.since(&before.sides[0], in),
		Reverse: side{c.Reverse, c.ReverseFlags, c.ReverseHops, c.ReverseSegments}.since(&before.sides[1], in),
	}
	if h := c.Handshake; h != nil {
		r.Handshake = flow.Handshake{State: h.State, SYNs: h.SYNs, SYNACKs: h.SYNACKs,
			ServerRTT: h.ServerRTT.Truncate(time.Microsecond), ClientRTT: h.ClientRTT.Truncate(time.Microsecond)}
	}
	return r, counted(&r.Forward) || counted(&r.Reverse)
}

// counted says that something passed in a direction, or was found lost.
func counted(d *Direction) bool {
	for i := range d.Hops {
		if d.Hops[i].Counters != (flow.Counters{}) {
			return true
		}
	}
	return d.Counters != (flow.Counters{}) || d.Lost != 0
}

// side is one direction of a conversation.
type side struct {
	flow.Counters
	flags    uint8
	hops     []flow.Hop
	segments []flow.Segment
}

// since gives what the side counted beyond totals.
func (d side) since(t *sideTotals, in *interner) Direction {
	out := Direction{Counters: beyond(d.Counters, t.Counters), Flags: d.flags}
	for _, s := range d.segments {
		out.Lost += int64(s.Lost)
		out.Within += s.Within
	}
	out.Lost -= t.lost
	for i := range d.hops {
		h := &d.hops[i]
		hop := Hop{Place: in.place(Place{h.Switch, h.Port}), Outer: in.overlay(h.Outer), Incomplete: h.Incomplete}
		hop.Counters = beyond(h.Counters, t.counted(&hop))
		out.Hops = append(out.Hops, hop)
	}
	return out
}

// beyond gives what now has more than before; nothing where it has less, as after a first hop that turned out to be none.
func beyond(now, before flow.Counters) flow.Counters {
	if now.Packets < before.Packets || now.Bytes < before.Bytes {
		return flow.Counters{}
	}
	return now.Sub(before)
}
