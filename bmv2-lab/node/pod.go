package node

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/fabricscope/fabricscope/bmv2-lab/cluster/process"
	"github.com/fabricscope/fabricscope/bmv2-lab/node/netns"
)

// kit is what every pod's worker uses and none changes.
type kit struct {
	config    Config
	logger    *slog.Logger
	metrics   *metrics
	client    kubernetes.Interface
	api       *rest.Config
	relayed   string // host:port of the API server, the same inside and outside
	namespace *netns.Namespace
	pool      *addressPool
}

// podWorker runs one pod, from its binding to the node until its object is
// gone. Its goroutine owns everything but the channels.
type podWorker struct {
	kit     *kit
	logger  *slog.Logger
	cancel  context.CancelFunc
	updates chan *corev1.Pod // the newest version of the pod, at most one
	events  chan podEvent
	helpers sync.WaitGroup // probes and the waits for processes

	pod      *corev1.Pod
	reported corev1.PodStatus
	dirty    bool // the status is to be reported (again)
	state    podState
	place    *place // nil until the pod has a namespace
	runs     []containerRun
	renewal  time.Time // of the token; zero for none
	retry    time.Time // of making the place; zero for none
}

// containerRun is a container's current process.
type containerRun struct {
	process   *process.Process // nil while it does not run
	number    int              // tells events of this process from those of an earlier one
	stopProbe context.CancelFunc
	backoff   time.Duration
	restartAt time.Time // zero when it is not waiting to restart
}

// podEvent is what a helper tells the worker.
type podEvent struct {
	container int
	number    int
	exited    bool
	ready     bool  // when not exited
	reason    error // of not being ready
}

func newPodWorker(kit *kit, pod *corev1.Pod, cancel context.CancelFunc) *podWorker {
	worker := &podWorker{
		kit:      kit,
		logger:   kit.logger.With("pod", pod.Namespace+"/"+pod.Name),
		cancel:   cancel,
		updates:  make(chan *corev1.Pod, 1),
		events:   make(chan podEvent, 16),
		pod:      pod,
		reported: pod.Status,
		state:    podState{hostIP: kit.config.Address, started: time.Now(), containers: make([]containerState, len(pod.Spec.Containers))},
		runs:     make([]containerRun, len(pod.Spec.Containers)),
	}
	// An earlier agent's processes have ended with it: theirs were runs too.
	for i, container := range pod.Spec.Containers {
		for _, status := range pod.Status.ContainerStatuses {
			if status.Name == container.Name {
				worker.state.containers[i].restarts = status.RestartCount + 1
			}
		}
	}
	return worker
}

// update gives the worker a newer version of the pod. One caller at a time.
func (w *podWorker) update(pod *corev1.Pod) {
	select {
	case <-w.updates:
		w.kit.metrics.supersededUpdates.Inc()
	default:
	}
	w.updates <- pod
}

// run ends when the pod is deleted, or the context ends. What the pod had on
// this machine is gone then.
func (w *podWorker) run(ctx context.Context) {
	defer w.dismantle()
	if w.pod.DeletionTimestamp == nil {
		w.build(ctx)
	}
	for w.pod.DeletionTimestamp == nil {
		w.report(ctx)
		if !w.step(ctx) {
			w.stopContainers(ctx, w.kit.config.StopGrace)
			return
		}
	}
	grace := w.kit.config.StopGrace
	if seconds := w.pod.DeletionGracePeriodSeconds; seconds != nil {
		grace = time.Duration(*seconds) * time.Second
	}
	w.logger.Debug("pod terminates", "grace", grace)
	w.stopContainers(ctx, grace)
	w.dismantle()
	w.forget(ctx)
}

// step handles one thing that happened; false when the context has ended.
func (w *podWorker) step(ctx context.Context) bool {
	timer := time.NewTimer(w.untilDue())
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case w.pod = <-w.updates:
	case event := <-w.events:
		w.handle(event)
	case <-timer.C:
		w.due(ctx)
	}
	return true
}

// untilDue is the time to the next thing that the worker does by itself.
func (w *podWorker) untilDue() time.Duration {
	next := time.Now().Add(time.Hour)
	sooner := func(at time.Time) {
		if !at.IsZero() && at.Before(next) {
			next = at
		}
	}
	sooner(w.renewal)
	sooner(w.retry)
	for _, run := range w.runs {
		sooner(run.restartAt)
	}
	if w.dirty {
		sooner(time.Now().Add(500 * time.Millisecond))
	}
	return max(time.Until(next), 0)
}

func (w *podWorker) due(ctx context.Context) {
	now := time.Now()
	if !w.retry.IsZero() && !now.Before(w.retry) {
		w.retry = time.Time{}
		w.build(ctx)
		return
	}
	if !w.renewal.IsZero() && !now.Before(w.renewal) {
		w.renewToken(ctx)
	}
	for i := range w.runs {
		if at := w.runs[i].restartAt; !at.IsZero() && !now.Before(at) {
			w.runs[i].restartAt = time.Time{}
			w.state.containers[i].restarts++
			w.startContainer(ctx, i)
		}
	}
}

// handle notes the end of a container's process or a change of its readiness.
func (w *podWorker) handle(event podEvent) {
	run, container := &w.runs[event.container], &w.state.containers[event.container]
	if event.number != run.number || run.process == nil {
		return // of a process that is history
	}
	if !event.exited {
		w.kit.metrics.readinessChanges.Inc()
		container.ready = event.ready
		w.logger.Info("readiness changed", "container", w.pod.Spec.Containers[event.container].Name, "ready", event.ready, "reason", event.reason)
		return
	}
	exit := run.process.Exit()
	started := run.process.Started()
	w.logger.Info("container ended", "container", w.pod.Spec.Containers[event.container].Name, "code", exit.Code)
	w.ended(event.container)
	if !restarts(w.pod.Spec.RestartPolicy, int32(exit.Code)) {
		return
	}
	if run.backoff == 0 || exit.Finished.Sub(started) >= backoffReset {
		run.backoff = backoffFirst
	}
	run.restartAt = time.Now().Add(run.backoff)
	container.waitingReason, container.waitingMessage = "CrashLoopBackOff", "back-off "+run.backoff.String()+" before the container restarts"
	run.backoff = min(2*run.backoff, backoffLast)
}

// ended records the end of a container's process.
func (w *podWorker) ended(index int) {
	run, container := &w.runs[index], &w.state.containers[index]
	if run.stopProbe != nil {
		run.stopProbe()
	}
	exit, reason := run.process.Exit(), "Completed"
	if exit.Code != 0 {
		reason = "Error"
	}
	container.last = &corev1.ContainerStateTerminated{
		ExitCode:    int32(exit.Code),
		Signal:      int32(exit.Signal),
		Reason:      reason,
		StartedAt:   metav1.NewTime(run.process.Started()),
		FinishedAt:  metav1.NewTime(exit.Finished),
		ContainerID: container.id,
	}
	container.running, container.ready = false, false
	run.process, run.stopProbe = nil, nil
}

// stopContainers asks all processes to end and returns when they have. When
// the context ends meanwhile, they get no more than the agent's own grace.
func (w *podWorker) stopContainers(ctx context.Context, grace time.Duration) {
	var stopping sync.WaitGroup
	finished := make(chan struct{})
	for i := range w.runs {
		w.runs[i].restartAt = time.Time{}
		if stop := w.runs[i].stopProbe; stop != nil {
			stop()
		}
		if running := w.runs[i].process; running != nil {
			stopping.Go(func() { running.Stop(grace) })
		}
	}
	w.helpers.Go(func() {
		stopping.Wait()
		close(finished)
	})
	select {
	case <-finished:
	case <-ctx.Done():
		for i := range w.runs {
			if running := w.runs[i].process; running != nil {
				stopping.Go(func() { running.Stop(w.kit.config.StopGrace) })
			}
		}
		stopping.Wait()
	}
	for i := range w.runs {
		if w.runs[i].process != nil {
			w.ended(i)
		}
	}
}

// dismantle removes what the pod has on this machine. It may be called again.
func (w *podWorker) dismantle() {
	for i := range w.runs {
		if w.runs[i].process != nil {
			w.runs[i].process.Stop(0)
			w.ended(i)
		}
	}
	w.drain()
	if w.place != nil {
		if err := w.place.remove(); err != nil {
			w.logger.Error("cannot remove a pod's namespace", "error", err)
		}
		w.place = nil
	}
}

// drain takes the events of the helpers until all helpers have ended.
func (w *podWorker) drain() {
	ended := make(chan struct{})
	go func() {
		w.helpers.Wait()
		close(ended)
	}()
	for {
		select {
		case <-w.events:
		case <-ended:
			return
		}
	}
}

// report sends the status if it differs from the one the API server has.
func (w *podWorker) report(ctx context.Context) {
	status := statusOf(w.pod, w.state, w.reported, time.Now())
	if equality.Semantic.DeepEqual(status, w.reported) {
		w.dirty = false
		return
	}
	if err := patchStatus(ctx, w.kit.client, w.pod, status); err != nil {
		w.dirty = true
		if ctx.Err() == nil {
			w.kit.metrics.statusFailures.Inc()
			w.logger.Warn("cannot report the pod's status, will try again", "error", err)
		}
		return
	}
	w.reported, w.dirty = status, false
}

func (w *podWorker) directory() string {
	return filepath.Join(w.kit.config.Directory, "pods", w.pod.Namespace+"_"+w.pod.Name+"_"+string(w.pod.UID))
}
