package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	heard   time.Time              // guarded by mu; when the last event came
	gaps    []gap                  // guarded by mu
	notify  func(sight, *corev1.Pod)
}

// sight is a pod that became ready, or was gone.
type sight struct {
	uid, address string
	ready        bool
	at           time.Time
}

func newWitness(client kubernetes.Interface) *witness {
	return &witness{client: client, ready: map[string]*corev1.Pod{}}
}

// start lists all pods, and watches from then on until ctx ends; what ends it earlier is told to failed.
func (w *witness) start(ctx context.Context, failed func(error)) error {
	version, err := w.list(ctx)
	if err != nil {
		return err
	}
	go func() {
		for ctx.Err() == nil {
			next, err := w.watch(ctx, version)
			version = next
			if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) { // of a server that restarted
				version, err = w.catchUp(ctx)
			}
			if errors.Is(err, errList) && ctx.Err() == nil {
				failed(err)
				return
			}
		}
	}()
	return nil
}

var errList = errors.New("list pods")

// list sees all pods there are, and gives the version to watch from.
func (w *witness) list(ctx context.Context) (version string, err error) {
	there := map[string]bool{}
	for options := (metav1.ListOptions{Limit: 5000}); ; {
		list, err := w.client.CoreV1().Pods("").List(ctx, options)
		if err != nil {
			return "", fmt.Errorf("%w: %w", errList, err)
		}
		for i := range list.Items {
			there[string(list.Items[i].UID)] = true
			w.see(watch.Added, &list.Items[i])
		}
		if version, options.Continue = list.ResourceVersion, list.Continue; list.Continue == "" {
			break
		}
	}
	w.mu.Lock()
	var gone []*corev1.Pod
	for uid, pod := range w.ready {
		if !there[uid] {
			gone = append(gone, pod)
		}
	}
	w.mu.Unlock()
	for _, pod := range gone {
		w.see(watch.Deleted, pod)
	}
	return version, nil
}

// catchUp lists anew what a watch could not go on with. What was since the last event this watcher does not know.
func (w *witness) catchUp(ctx context.Context) (version string, err error) {
	w.mu.Lock()
	heard := w.heard
	w.mu.Unlock()
	version, err = w.list(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gaps = append(w.gaps, gap{heard, time.Now()})
	return version, err
}

// gap is a time of which the watcher does not know what was.
type gap struct{ from, to time.Time }

// blind says whether a moment is in a gap.
func (w *witness) blind(t time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.gaps, func(g gap) bool { return !t.Before(g.from) && !t.After(g.to) })
}

// watch sees events until the server ends the watch, as it does with one that is slow, and gives the version to go on from.
func (w *witness) watch(ctx context.Context, version string) (string, error) {
	events, err := w.client.CoreV1().Pods("").Watch(ctx, metav1.ListOptions{ResourceVersion: version})
	if err != nil {
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
		}
		return version, err
	}
	defer events.Stop()
	for e := range events.ResultChan() {
		pod, ok := e.Object.(*corev1.Pod)
		if !ok {
			return version, apierrors.FromObject(e.Object)
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
	w.heard = at
	_, was := w.ready[uid]
	s := sight{uid, pod.Status.PodIP, event != watch.Deleted && podReady(pod), at}
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

// settled is how near the number of pods that are ready is to what it should be.
func (w *witness) settled(pods int) func() (done, of int) {
	return func() (int, int) {
		ready, _ := w.count()
		return min(ready, 2*pods-ready), pods
	}
}

// at gives the pods that were ready at a time with their addresses, and those of which a sight is nearer to it than
// a margin.
func (w *witness) at(t time.Time, margin time.Duration) (ready map[string]string, near map[string]bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ready, near = map[string]string{}, map[string]bool{}
	for _, s := range w.log {
		if s.at.After(t.Add(-margin)) && s.at.Before(t.Add(margin)) {
			near[s.uid] = true
		}
		if s.at.After(t) {
			continue
		}
		if s.ready {
			ready[s.uid] = s.address
		} else {
			delete(ready, s.uid)
		}
	}
	return ready, near
}

// reused gives how often a pod became ready with an address that another had before.
func (w *witness) reused() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := map[string]bool{}
	for _, s := range w.log {
		if s.ready && before[s.address] {
			n++
		}
		before[s.address] = true
	}
	return n
}
