package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/track"
)

// remote is a switch as the tracker asks it, before there are flows: all slots are empty.
type remote struct {
	name   string
	zero   time.Time
	t      *track.Tracker
	asked  atomic.Int64 // slots
	offset atomic.Uint64
	named  atomic.Uint64 // the incarnation
	ready  chan struct{} // closed when all were asked and the clock is set
	once   sync.Once
}

func (r *remote) Name() string { return r.name }

func (r *remote) RequestSlot(ctx context.Context, q track.SlotRequest) error {
	if err := r.t.Report(ctx, r.name, track.Report{Cause: flow.CauseRead, Slot: q.Slot, Incarnation: r.named.Load(),
		Now: uint64(time.Since(r.zero).Microseconds())}, time.Now()); err != nil {
		return err
	}
	r.asked.Add(1)
	r.check()
	return nil
}

func (r *remote) SetClock(_ context.Context, offset uint64) error {
	r.offset.Store(offset)
	r.check()
	return nil
}

func (r *remote) SetIncarnation(_ context.Context, name uint64) error {
	r.named.CompareAndSwap(0, name)
	return nil
}

func (r *remote) check() {
	if r.asked.Load() >= slots && r.offset.Load() != 0 {
		r.once.Do(func() { close(r.ready) })
	}
}

func (r *remote) ReadCounters(context.Context) ([]track.PortCounters, error) { return nil, nil }

// connect connects all switches and waits until their caches are read and their clocks set.
func connect(ctx context.Context, t *track.Tracker) (clocks, error) {
	zero := time.Now()
	c := clocks{Zero: zero.UnixMicro()}
	for sw := range switches {
		r := &remote{name: switchName(sw), zero: zero, t: t, ready: make(chan struct{})}
		if err := t.Connected(ctx, r, true); err != nil {
			return c, err
		}
		select {
		case <-r.ready:
		case <-ctx.Done():
			return c, ctx.Err()
		}
		c.Offsets, c.Names = append(c.Offsets, r.offset.Load()), append(c.Names, r.named.Load())
	}
	return c, nil
}
