package lab

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"

	"github.com/fabricscope/fabricscope/bmv2-lab/check"
)

// stream follows the daemon over gNMI and the pods over the API from before the first pod, and
// keeps when a pod was ready and when it had a location.
type stream struct {
	end func() // returns when everything has stopped

	mu             sync.Mutex
	leaves         map[string]check.Leaves // by subscribed path
	ready, located map[string]time.Time    // by UID, as they were heard of here
}

// subscribe begins to follow.
func (c *checked) subscribe() (err error) {
	if c.gnmi, err = check.Dial(c.ctx, GNMIAddress, filepath.Join(c.Config.Directory, "state", "gnmi.crt")); err != nil {
		return err
	}
	c.undo(func() { c.gnmi.Close() })
	client, err := c.Cluster.Client()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(c.ctx)
	var running sync.WaitGroup
	s := &stream{leaves: map[string]check.Leaves{}, ready: map[string]time.Time{}, located: map[string]time.Time{}}
	s.end = func() { cancel(); running.Wait() }
	c.stream = s
	c.undo(s.end)
	for _, path := range []string{"/kubernetes", "/flows"} {
		c.follow(&running, func() error {
			return c.gnmi.Stream(ctx, path, func(r *gpb.SubscribeResponse) { s.take(path, r.GetUpdate()) })
		})
	}
	c.follow(&running, func() error { return s.watchPods(ctx, client) })
	return c.poll("the subscriptions' first answers", func() error {
		if s.now("/kubernetes") == nil {
			return errors.New("none came yet")
		}
		return nil
	})
}

// follow runs a part whose failure is the lab's.
func (c *checked) follow(running *sync.WaitGroup, run func() error) {
	running.Add(1)
	c.group.Go(func() error {
		defer running.Done()
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

// watchPods notes when pods become ready, until ctx ends.
func (s *stream) watchPods(ctx context.Context, client kubernetes.Interface) error {
	w, err := client.CoreV1().Pods(metav1.NamespaceAll).Watch(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("watch pods: %w", err)
	}
	defer w.Stop()
	for event := range w.ResultChan() {
		if pod, ok := event.Object.(*corev1.Pod); ok && event.Type != watch.Deleted {
			s.notePod(pod.UID, pod.Status.Conditions)
		}
	}
	if ctx.Err() == nil {
		return errors.New("watch pods: the API server ended the watch")
	}
	return nil
}

func (s *stream) notePod(uid types.UID, conditions []corev1.PodCondition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range conditions {
		if _, found := s.ready[string(uid)]; !found && c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			s.ready[string(uid)] = time.Now()
		}
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
