package node

import (
	"context"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
)

// manager keeps one worker per pod that is bound to the node. The informer
// calls it from one goroutine; workers end on their own or with the context.
type manager struct {
	kit     *kit
	ctx     context.Context // of all workers
	running sync.WaitGroup

	mu      sync.Mutex // guards workers
	workers map[types.UID]*podWorker
}

func newManager(ctx context.Context, kit *kit) *manager {
	return &manager{kit: kit, ctx: ctx, workers: map[types.UID]*podWorker{}}
}

// wait returns when every worker has ended, which they do when the context has.
func (m *manager) wait() { m.running.Wait() }

// OnAdd starts a worker for a pod.
func (m *manager) OnAdd(object any, _ bool) { m.set(object.(*corev1.Pod)) }

// OnUpdate tells the pod's worker, or, if a deletion went unseen and the name
// has another pod, ends the one and starts the other.
func (m *manager) OnUpdate(before, after any) {
	old, pod := before.(*corev1.Pod), after.(*corev1.Pod)
	if old.UID != pod.UID {
		m.drop(old.UID)
	}
	m.set(pod)
}

// OnDelete ends the worker of a pod that is gone from the API.
func (m *manager) OnDelete(object any) {
	if unknown, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = unknown.Obj
	}
	if pod, ok := object.(*corev1.Pod); ok {
		m.drop(pod.UID)
	}
}

func (m *manager) set(pod *corev1.Pod) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if worker, there := m.workers[pod.UID]; there {
		worker.update(pod)
		return
	}
	ended := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
	if (ended && pod.DeletionTimestamp == nil) || m.ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithCancel(m.ctx)
	worker := newPodWorker(m.kit, pod, cancel)
	m.workers[pod.UID] = worker
	m.kit.metrics.pods.Inc()
	m.running.Go(func() {
		defer m.kit.metrics.pods.Dec()
		defer cancel()
		worker.run(ctx)
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.workers, pod.UID)
	})
}

func (m *manager) drop(uid types.UID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if worker, there := m.workers[uid]; there {
		worker.cancel()
	}
}
