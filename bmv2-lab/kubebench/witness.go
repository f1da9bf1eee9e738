package main

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
)

// witness is another watcher of the pods: it keeps a log of what it saw and when.
type witness struct {
	client kubernetes.Interface

	mu      sync.Mutex
	ready   map[string]*corev1.Pod // guarded by mu; by UID, those that are ready now
	log     []sight                // guarded by mu; in order of time
	changes int                    // guarded by mu; events of pods
	notify  func(sight, *corev1.Pod)
}

// sight is a pod that became ready, or was gone.
type sight struct {
	uid   string
	ready bool
	at    time.Time
}

func newWitness(client kubernetes.Interface) *witness {
	return &witness{client: client, ready: map[string]*corev1.Pod{}}
}

// start watches from now until ctx ends; what ends it earlier is told to failed.
func (w *witness) start(ctx context.Context, failed func(error)) error {
	list, err := w.client.CoreV1().Pods("").List(ctx, metav1.ListOptions{Limit: 1})
	if err != nil {
		return err
	}
	go func() {
		version := list.ResourceVersion
		for ctx.Err() == nil {
			if version, err = w.watch(ctx, version); err != nil && ctx.Err() == nil {
				failed(err)
				return
			}
		}
	}()
	return nil
}

// watch sees events until the server ends the watch, as it does with one that is slow, and gives the version to go on from.
func (w *witness) watch(ctx context.Context, version string) (string, error) {
	events, err := w.client.CoreV1().Pods("").Watch(ctx, metav1.ListOptions{ResourceVersion: version})
	if err != nil {
		return "", err
	}
	defer events.Stop()
	for e := range events.ResultChan() {
		pod, ok := e.Object.(*corev1.Pod)
		if !ok {
			return "", apierrors.FromObject(e.Object)
		}
		version = pod.ResourceVersion
		w.see(e.Type, pod)
	}
	return version, nil
}

func (w *witness) see(event watch.EventType, pod *corev1.Pod) {
	at, uid := time.Now(), string(pod.UID)
	w.mu.Lock()
	w.changes++
	_, was := w.ready[uid]
	s := sight{uid, event != watch.Deleted && podReady(pod), at}
	if s.ready {
		w.ready[uid] = pod
	} else if event == watch.Deleted {
		delete(w.ready, uid)
	}
	told := s.ready && !was || !s.ready && was && event == watch.Deleted
	if told {
		w.log = append(w.log, s)
	}
	notify := w.notify
	w.mu.Unlock()
	if told && notify != nil {
		notify(s, pod)
	}
}

func podReady(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// tell has every sight from now on told to f as well.
func (w *witness) tell(f func(sight, *corev1.Pod)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notify = f
}

// count gives how many pods are ready, and how many events there were.
func (w *witness) count() (ready, changes int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.ready), w.changes
}

// at gives the pods that were ready at a time, and those of which a sight is nearer to it than a margin.
func (w *witness) at(t time.Time, margin time.Duration) (ready, near map[string]bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ready, near = map[string]bool{}, map[string]bool{}
	for _, s := range w.log {
		if s.at.After(t.Add(-margin)) && s.at.Before(t.Add(margin)) {
			near[s.uid] = true
		}
		if s.at.After(t) {
			continue
		}
		if s.ready {
			ready[s.uid] = true
		} else {
			delete(ready, s.uid)
		}
	}
	return ready, near
}
