package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
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
	busiest, err := w.replace(subscribed, w.time)
	if err != nil {
		stop()
		return fmt.Errorf("replace pods: %w", cmp.Or(group.Wait(), err)) // what ended the rest is the cause
	}
	took := time.Since(begin)
	_, after := w.witness.count()
	// kwok may be behind with what was asked for.
	if err := w.until("every place has one pod that is ready", w.witness.settled(w.pods)); err != nil {
		return err
	}
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
	if len(times) == 0 {
		return errors.New("no change was heard of")
	}
	measured(fmt.Sprintf("the subscriber behind the other watcher, %d changes, p99", len(times)), quantile(times, 0.99), "under 100 ms")
	report("%-64s %12s   the longest %s", "the same, median", quantile(times, 0.5), quantile(times, 1))
	measured("resident memory of the controller, at most", w.d.resident("VmHWM"), "under 1.5 GiB")
	return nil
}

// replace replaces random pods for a time, or until ctx ends, and gives how many events there were in the busiest second.
func (w *world) replace(ctx context.Context, lasts time.Duration) (busiest float64, err error) {
	group, requests := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	r := rand.New(rand.NewPCG(7, 7))
	begin, due, second := time.Now(), 0.0, time.Now()
	_, counted := w.witness.count()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	busy := map[int]chan struct{}{} // closed when the replacement of a place ended
	last := begin
	for time.Since(begin) < lasts && requests.Err() == nil {
		<-tick.C
		rate := w.rate
		if time.Since(begin)%(30*time.Second) > 25*time.Second {
			rate = w.burst
		}
		due += time.Since(last).Seconds() * float64(rate) / perReplacement
		last = time.Now()
		for ; due >= 1; due-- {
			w.generation++
			n, g := w.some(r), w.generation
			if c := busy[n]; c != nil {
				<-c
			}
			done := make(chan struct{})
			busy[n] = done
			group.Go(func() error { defer close(done); return w.replaceOne(requests, n, g) })
		}
		if since := time.Since(second); since >= time.Second {
			_, now := w.witness.count()
			busiest = max(busiest, float64(now-counted)/since.Seconds())
			second, counted = time.Now(), now
		}
	}
	if err := group.Wait(); ctx.Err() == nil {
		return busiest, err
	}
	return busiest, nil
}

// some is a random place. Every other one is at a few nodes whose pods live only seconds, and whose addresses the next
// have soon.
func (w *world) some(r *rand.Rand) int {
	if r.IntN(2) == 0 {
		return r.IntN(min(busyNodes, w.nodes)) + w.nodes*r.IntN(max(1, w.pods/w.nodes))
	}
	return r.IntN(w.pods)
}

const busyNodes = 5

// replaceOne makes a pod in the place of another. A request that an outage has fail is made again after it.
func (w *world) replaceOne(ctx context.Context, n, generation int) error {
	old := w.places[n]
	err := again(ctx, func() error { return w.makePod(ctx, n, generation) }, apierrors.IsAlreadyExists)
	if err != nil {
		return err
	}
	grace := int64(1)
	return again(ctx, func() error {
		return w.client.CoreV1().Pods(namespaceOf(w.serviceAt(n))).Delete(ctx, old, metav1.DeleteOptions{GracePeriodSeconds: &grace})
	}, apierrors.IsNotFound)
}

// again makes a request until the server answers; done is the answer that it was made before.
func again(ctx context.Context, request func() error, done func(error) bool) error {
	for {
		err := request()
		var said apierrors.APIStatus
		switch {
		case err == nil, done(err):
			return nil
		case errors.As(err, &said) && !apierrors.IsInternalError(err) && !apierrors.IsTimeout(err) && !apierrors.IsServerTimeout(err):
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func quantile(sorted []time.Duration, share float64) string {
	if len(sorted) == 0 {
		return "none"
	}
	d := sorted[int(share*float64(len(sorted)-1)+0.5)]
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}
