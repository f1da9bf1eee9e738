package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// margin is within what two watchers may see an event at different times.
const margin = time.Second

// recall asks the controller what was at moments of the run, and compares that with the log of the other watcher.
func (w *world) recall(ctx context.Context) error {
	now := time.Now()
	c, err := w.compare(ctx, now.Add(-w.time), now, 10)
	if err != nil {
		return err
	}
	report("%-64s %12s", "all pods with addresses at a moment, over gNMI, median", quantile(c.times, 0.5))
	return c.judge("all the time")
}

// comparison is how what the controller says of moments differs from what another watcher saw.
type comparison struct {
	moments, unknown, pods, wrong int
	example                       string
	times                         []time.Duration
}

// compare asks about random moments. One of which the controller or the other watcher says that it does not know what was then is counted.
func (w *world) compare(ctx context.Context, since, until time.Time, moments int) (*comparison, error) {
	c := &comparison{moments: moments}
	r := rand.New(rand.NewPCG(8, uint64(since.UnixNano())))
	for range moments {
		t := since.Add(time.Duration(r.Int64N(int64(until.Sub(since)))))
		known, err := w.d.known(ctx, t)
		if err != nil {
			return nil, fmt.Errorf("whether it is known what was at %v: %w", t, err)
		}
		if !known || w.witness.blind(t) {
			c.unknown++
			continue
		}
		begin := time.Now()
		got, err := w.d.readyAt(ctx, t)
		if err != nil {
			return nil, fmt.Errorf("what was at %v: %w", t, err)
		}
		c.times = append(c.times, time.Since(begin))
		want, near := w.witness.at(t, margin)
		c.pods += len(want)
		for uid, address := range want {
			if got[uid] != address && !near[uid] {
				c.differs("at %v: pod %s had %s, and the answer is %q", t, uid, address, got[uid])
			}
		}
		for uid, address := range got {
			if _, there := want[uid]; !there && !near[uid] {
				c.differs("at %v: pod %s was not ready, and the answer is %q", t, uid, address)
			}
		}
	}
	slices.Sort(c.times)
	return c, nil
}

func (c *comparison) differs(format string, args ...any) {
	c.wrong++
	c.example = fmt.Sprintf(format, args...)
}

// judge tells what came out, and fails if anything differs.
func (c *comparison) judge(when string) error {
	measured(fmt.Sprintf("differences from the other watcher's log in %d pods, %s", c.pods, when), fmt.Sprint(c.wrong), "0")
	if c.wrong > 0 {
		return fmt.Errorf("the history differs from what another watcher saw in %d pods: %s", c.wrong, c.example)
	}
	return nil
}
