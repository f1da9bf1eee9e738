package main

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// perReplacement is how often the API server tells of pods when one is replaced by another: the new one is made
// and becomes ready, the old one is marked and goes.
const perReplacement = 4

// change replaces pods at the rate, with bursts, and measures how long after the other watcher the controller's
// subscriber hears of it.
func (w *world) change(ctx context.Context) error {
	report("pods change: %d a second, %d in bursts, for %v", w.rate, w.burst, w.time)
	d := newDelays()
	e := newEndpoints(w)
	subscribed, stop := context.WithCancel(ctx)
	defer stop()
	group, subscribed := errgroup.WithContext(subscribed)
	synced := make(chan struct{})
	group.Go(func() error { return w.d.follow(subscribed, synced, d.heard) })
	select {
	case <-synced:
	case <-subscribed.Done():
		return group.Wait()
	}
	w.witness.tell(func(s sight, pod *corev1.Pod) { d.seen(s); e.note(s, pod) })
	group.Go(func() error { return e.run(subscribed) })
	_, before := w.witness.count()
	begin := time.Now()
	busiest, err := w.replace(subscribed)
	if err != nil {
		stop()
		return fmt.Errorf("replace pods: %w", cmp.Or(group.Wait(), err)) // what ended the rest is the cause
	}
	took := time.Since(begin)
	_, after := w.witness.count()
	if err := w.until("changes are heard of", d.progress); err != nil {
		return err
	}
	stop()
	if err := group.Wait(); err != nil {
		return err
	}
	w.witness.tell(nil)
	report("%-64s %12.0f   at most %.0f in a second", "changes of pods a second", float64(after-before)/took.Seconds(), busiest)
	times := d.sorted()
	measured(fmt.Sprintf("from the event to the subscriber, %d changes, p99", len(times)), quantile(times, 0.99), "under 100 ms")
	report("%-64s %12s   the longest %s", "the same, median", quantile(times, 0.5), quantile(times, 1))
	measured("resident memory of the controller, at most", w.d.resident("VmHWM"), "under 1.5 GiB")
	return nil
}

// replace replaces random pods for the time, and gives how many events there were in the busiest second.
func (w *world) replace(ctx context.Context) (busiest float64, err error) {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	r := rand.New(rand.NewPCG(7, 7))
	begin, due, second := time.Now(), 0.0, time.Now()
	_, counted := w.witness.count()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	busy := map[int]chan struct{}{} // closed when the replacement of a place ended
	last := begin
	for generation := 1; time.Since(begin) < w.time && ctx.Err() == nil; {
		<-tick.C
		rate := w.rate
		if time.Since(begin)%(30*time.Second) > 25*time.Second {
			rate = w.burst
		}
		due += time.Since(last).Seconds() * float64(rate) / perReplacement
		last = time.Now()
		for ; due >= 1; due-- {
			n, g := r.IntN(len(w.places)), generation
			generation++
			if c := busy[n]; c != nil {
				<-c
			}
			done := make(chan struct{})
			busy[n] = done
			group.Go(func() error { defer close(done); return w.replaceOne(ctx, n, g) })
		}
		if since := time.Since(second); since >= time.Second {
			_, now := w.witness.count()
			busiest = max(busiest, float64(now-counted)/since.Seconds())
			second, counted = time.Now(), now
		}
	}
	return busiest, group.Wait()
}

func (w *world) replaceOne(ctx context.Context, n, generation int) error {
	old := w.places[n]
	if err := w.makePod(ctx, n, generation); err != nil {
		return err
	}
	grace := int64(1)
	return w.client.CoreV1().Pods(namespaceOf(w.serviceAt(n))).Delete(ctx, old, metav1.DeleteOptions{GracePeriodSeconds: &grace})
}

func quantile(sorted []time.Duration, share float64) string {
	if len(sorted) == 0 {
		return "none"
	}
	d := sorted[int(share*float64(len(sorted)-1)+0.5)]
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}

// recall asks the controller what was at moments of the run, and compares that with the log of the other watcher.
func (w *world) recall(ctx context.Context) error {
	r := rand.New(rand.NewPCG(8, 8))
	until := time.Now()
	var times []time.Duration
	compared, wrong := 0, 0
	for range 10 {
		t := until.Add(-time.Duration(r.Int64N(int64(w.time))))
		begin := time.Now()
		got, err := w.d.readyAt(ctx, t)
		if err != nil {
			return fmt.Errorf("what was at %v: %w", t, err)
		}
		times = append(times, time.Since(begin))
		want, near := w.witness.at(t, margin)
		for uid := range want {
			if !got[uid] && !near[uid] {
				wrong++
			}
		}
		for uid := range got {
			if !want[uid] && !near[uid] {
				wrong++
			}
		}
		compared += len(want)
	}
	slices.Sort(times)
	report("%-64s %12s", "all pods at a moment of the run, over gNMI, median", quantile(times, 0.5))
	measured(fmt.Sprintf("differences from the other watcher's log in %d pods", compared), fmt.Sprint(wrong), "0")
	if wrong > 0 {
		return fmt.Errorf("the history differs from what another watcher saw in %d pods", wrong)
	}
	return nil
}

// margin is within what two watchers may see an event at different times.
const margin = time.Second
