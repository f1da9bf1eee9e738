package main

import (
	"context"
	"fmt"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// What a burst is: pods that are replaced one by one, each with its memberships and attachments.
const (
	burstTime    = 10 * time.Second
	burstChanges = 1000 // a second
	perReplaced  = 10
)

// bursts measures changes as they come live, in a file of this size: what they cost, and how long they take to be on disk.
func (b *intervalsBench) bursts(ctx context.Context) error {
	start := time.Now()
	b.clock.Store(b.end.UnixNano())
	live := b.alive()
	if len(live) == 0 {
		return fmt.Errorf("no pod is alive")
	}
	every := time.NewTicker(time.Second * perReplaced / burstChanges)
	defer every.Stop()
	var times []time.Duration
	begun, n := cpu(), 0
	for time.Since(start) < burstTime {
		select {
		case <-every.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		b.clock.Store(b.end.Add(time.Since(start)).UnixNano())
		old := live[b.r.IntN(len(live))]
		b.store.Record(inventory.Ended(old.Ref(), b.now()))
		b.born(n % liveServices)
		if n++; n%50 == 0 {
			begin := time.Now()
			if err := b.store.Flush(ctx); err != nil {
				return err
			}
			times = append(times, time.Since(begin))
		}
	}
	changes := n * (perPod + 1)
	measured(fmt.Sprintf("changes as they come, %.0f a second, in processor time of one core", float64(changes)/time.Since(start).Seconds()),
		fmt.Sprintf("%.1f %%", 100*(cpu()-begun).Seconds()/time.Since(start).Seconds()), "a small part of one core")
	report("%-64s %12s", "from a change to the disk, p99", milliseconds(quantile(times, 0.99)))
	return nil
}

// alive gives pods that are there now.
func (b *intervalsBench) alive() []inventory.Pod {
	var pods []inventory.Pod
	for e := range b.store.Now().All(inventory.KindPod) {
		pods = append(pods, e.Fact.(inventory.Pod))
	}
	return pods
}
