package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// crowd measures many subscribers to changes, of whom some are stuck.
func (b *bench) crowd(ctx context.Context) error {
	normal := b.subscribers - b.stuck
	per := normal / b.watched
	fmt.Printf("==> %d subscribers ON_CHANGE, %d of them stuck; %d changes a second, each wanted by %d that are not\n",
		b.subscribers, b.stuck, b.rate, per)
	before := memory()
	listening, err := b.client(ctx, b.door, "crowd", strconv.Itoa(normal), strconv.Itoa(b.watched))
	if err != nil {
		return err
	}
	if err := b.await(ctx, normal); err != nil {
		return err
	}
	hanging, err := b.client(ctx, b.door, "stuck", strconv.Itoa(b.stuck))
	if err != nil {
		return err
	}
	if err := b.await(ctx, b.subscribers); err != nil {
		return err
	}
	busy, err := b.busy(listening, hanging)
	if err != nil {
		return err
	}
	changed := b.change(ctx)
	used, err := b.busy(listening, hanging)
	if err != nil {
		return err
	}
	with := memory()
	gone := b.subscribers - b.server.Subscribers()
	if _, err := hanging.wait(); err != nil {
		return err
	}
	if err := b.await(ctx, normal); err != nil {
		return err
	}
	without := memory()
	r, err := listening.wait()
	if err != nil {
		return err
	}
	report("changes made", fmt.Sprintf("%.0f /s", changed), fmt.Sprintf("%d /s", b.rate))
	report("changes taken, all subscribers together", fmt.Sprintf("%.0f /s", r["changes"]/b.time.Seconds()), "-")
	report("from change to client, median", fmt.Sprintf("%.1f ms", r["p50"]*1e3), "-")
	report("from change to client, 99%", fmt.Sprintf("%.1f ms", r["p99"]*1e3), "< 50 ms")
	report("from change to client, the longest", fmt.Sprintf("%.1f ms", r["most"]*1e3), "-")
	report("changes that a subscriber should have seen and did not", fmt.Sprintf("%.0f", changed*b.time.Seconds()*float64(per)-r["changes"]), "0")
	each := func(bytes float64, n int) string { return fmt.Sprintf("%.0f KiB", bytes/float64(max(n, 1))/1024) }
	report("memory of the server for each subscriber, under load", each(with-before, b.subscribers), "< 1024 KiB")
	report("  for one that is not stuck", each(without-before, normal), "< 1024 KiB")
	report("  for a stuck one", each(with-without, b.stuck), "< 1024 KiB")
	report("stuck subscribers cut off so far", fmt.Sprintf("%d", gone), "-")
	for i, who := range []string{"the server, the history and the making of changes", "the clients"} {
		report("processors that "+who+" took", fmt.Sprintf("%.2f", (used[i]-busy[i]).Seconds()/b.time.Seconds()), "-")
	}
	return nil
}

// busy is the processor time that the server has used, and that its clients have.
func (b *bench) busy(clients ...*caller) (used [2]time.Duration, err error) {
	used[0] = processorTime()
	for _, c := range clients {
		t, err := c.processorTime()
		if err != nil {
			return used, err
		}
		used[1] += t
	}
	return used, nil
}

// change changes members at the rate asked for, and gives the rate that it came to.
func (b *bench) change(ctx context.Context) float64 {
	begun := time.Now()
	made := 0
	for time.Since(begun) < b.time && ctx.Err() == nil {
		for due := int(time.Since(begun).Seconds() * float64(b.rate)); made < due && made < int(b.time.Seconds()*float64(b.rate)); made++ {
			// One member of each of the services in turn, then the next one of each.
			turn := made / b.watched
			pod := turn%(b.pods/b.services)*b.services + made%b.watched
			b.store.Record(inventory.Became(b.member(pod, turn/(b.pods/b.services)%2 == 1), time.Now()))
		}
		time.Sleep(time.Millisecond)
	}
	return float64(made) / b.time.Seconds()
}
