package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"

	"github.com/fabricscope/fabricscope/bmv2-lab/cluster"
)

// settle is for how long pods change after everything is there again.
const settle = 10 * time.Second

// restarts kills the controller, the API server and etcd in turn while pods change, and compares what the controller
// says of that time with the other watcher's log. What either says not to know is left out, and how much that is is told.
func (w *world) restarts(ctx context.Context) error {
	e := newEndpoints(w)
	w.witness.tell(func(s sight, pod *corev1.Pod) { e.note(s, pod) })
	changing, stop := context.WithCancel(ctx)
	defer stop()
	group, changing := errgroup.WithContext(changing)
	group.Go(func() error { return e.run(changing) })
	group.Go(func() error {
		_, err := w.replace(changing, time.Hour)
		return err
	})
	for _, r := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"the controller", w.restartDaemon},
		{"the API server", func(ctx context.Context) error { return w.cluster.Restart(ctx, cluster.KubeAPIServer) }},
		{"etcd", func(ctx context.Context) error { return w.cluster.Restart(ctx, "etcd") }},
		{"the API server while the controller is down", w.restartBoth},
	} {
		report("restart %s, while pods change", r.what)
		begin := time.Now()
		if err := r.do(ctx); err != nil {
			return fmt.Errorf("restart %s: %w", r.what, err)
		}
		if err := w.until("the controller knows everything again", synced(ctx)); err != nil {
			return err
		}
		report("%-64s %12v", "everything is known again after", time.Since(begin).Round(100*time.Millisecond))
		select {
		case <-time.After(settle):
		case <-changing.Done():
			return group.Wait()
		}
		c, err := w.compare(ctx, begin, time.Now().Add(-margin), 20)
		if err != nil {
			return err
		}
		report("%-64s %6d of %2d", "moments of that time that one of the two says it does not know", c.unknown, c.moments)
		if err := c.judge("at the others"); err != nil {
			return err
		}
	}
	stop()
	w.witness.tell(nil)
	if err := group.Wait(); err != nil {
		return err
	}
	measured("pods that became ready with an address that another had before", fmt.Sprint(w.witness.reused()), "some")
	return nil
}

// restartDaemon kills the controller and starts another with its history.
func (w *world) restartDaemon(ctx context.Context) error {
	w.d.kill()
	return w.startDaemon(ctx)
}

func (w *world) restartBoth(ctx context.Context) error {
	w.d.kill()
	if err := w.cluster.Restart(ctx, cluster.KubeAPIServer); err != nil {
		return err
	}
	return w.startDaemon(ctx)
}
