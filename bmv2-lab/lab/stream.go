package lab

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"

	"github.com/fabricscope/fabricscope/bmv2-lab/check"
)

// stream follows the daemon over gNMI and the pods over the API from before the first pod, and
// keeps when a pod was ready and when it had a location.
type stream struct {
	ctx     context.Context // ends with it
	running sync.WaitGroup
	end     func() // returns when everything has stopped

	mu             sync.Mutex
	leaves         map[string]check.Leaves // by subscribed path
	ready, located map[string]time.Time    // by UID, as they were heard of here
	seen           []check.Seen            // every pod with an address that there was
}

// subscribe begins to follow.
func (c *checked) subscribe() (err error) {
	if c.gnmi, err = c.dial(); err != nil {
		return err
	}
	gnmi := c.gnmi
	c.undo(func() { gnmi.Close() })
	ctx, cancel := context.WithCancel(c.ctx)
	s := &stream{ctx: ctx, leaves: map[string]check.Leaves{}, ready: map[string]time.Time{}, located: map[string]time.Time{}}
	s.end = func() { cancel(); s.running.Wait() }
	c.stream = s
	c.undo(s.end)
	for _, path := range []string{"/kubernetes", "/flows"} {
		c.follow(func() error {
			return c.gnmi.Stream(ctx, path, func(r *gpb.SubscribeResponse) { s.take(path, r.GetUpdate()) })
		})
	}
	if err := c.followPods(c.blue); err != nil {
		return err
	}
	return c.poll("the subscriptions' first answers", func() error {
		if s.now("/kubernetes") == nil {
			return errors.New("none came yet")
		}
		return nil
	})
}

// followPods follows the pods of a cluster, as its API has them.
func (c *checked) followPods(t *tenant) error {
	client, err := t.Client()
	if err != nil {
		return err
	}
	c.follow(func() error { return c.stream.watchPods(t.name(), client) })
	return nil
}

// follow runs a part whose failure is the lab's.
func (c *checked) follow(run func() error) {
	c.stream.running.Add(1)
	c.group.Go(func() error {
		defer c.stream.running.Done()
		return run()
	})
}

func (s *stream) take(path string, n *gpb.Notification) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leaves[path] == nil {
		s.leaves[path] = check.Leaves{}
	}
	s.leaves[path].Take(n)
	for _, u := range n.GetUpdate() {
		name := check.PathText(n.GetPrefix(), u.GetPath())
		if uid := check.Key(name, "uid"); uid != "" && check.Key(name, "interface") != "" {
			if _, found := s.located[uid]; !found {
				s.located[uid] = time.Now()
			}
		}
	}
}

// now is a copy of what a subscribed path holds; nil before the first answer.
func (s *stream) now(path string) check.Leaves {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.leaves[path])
}

// pods are all that there were.
func (s *stream) pods() []check.Seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.seen)
}

// recall adds pods that an earlier stream saw.
func (s *stream) recall(seen []check.Seen) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, seen...)
}

// watchPods notes when pods become ready and which address they have, until the stream ends.
func (s *stream) watchPods(cluster string, client kubernetes.Interface) error {
	ctx := s.ctx
	// Version 0 is what the API server has at hand. To be sure that it is the newest it would have to wait for a
	// change when its etcd is of before 3.4.25, which cannot tell it how far it is.
	w, err := client.CoreV1().Pods(metav1.NamespaceAll).Watch(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		return fmt.Errorf("watch pods: %w", err)
	}
	defer w.Stop()
	for event := range w.ResultChan() {
		if event.Type == watch.Error && ctx.Err() == nil {
			return fmt.Errorf("watch pods: %w", apierrors.FromObject(event.Object))
		}
		if pod, ok := event.Object.(*corev1.Pod); ok && event.Type != watch.Deleted {
			s.notePod(cluster, pod)
		}
	}
	if ctx.Err() == nil {
		return errors.New("watch pods: the API server ended the watch")
	}
	return nil
}

func (s *stream) notePod(cluster string, pod *corev1.Pod) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range pod.Status.Conditions {
		if _, found := s.ready[string(pod.UID)]; !found && c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			s.ready[string(pod.UID)] = time.Now()
		}
	}
	seen := check.Seen{Cluster: cluster, UID: string(pod.UID), IP: pod.Status.PodIP}
	if seen.IP != "" && !slices.Contains(s.seen, seen) {
		s.seen = append(s.seen, seen)
	}
}

// noteDelays tells how long after a pod was ready its location was there.
func (s *stream) noteDelays(report *check.Report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var delays []time.Duration
	for uid, ready := range s.ready {
		if located, found := s.located[uid]; found {
			delays = append(delays, max(0, located.Sub(ready)))
		}
	}
	if len(delays) == 0 {
		return
	}
	slices.Sort(delays)
	report.Note("from ready to located, over gNMI: median %s, longest %s, of %d pods",
		delays[len(delays)/2].Round(time.Millisecond), delays[len(delays)-1].Round(time.Millisecond), len(delays))
}
