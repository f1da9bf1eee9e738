package node

import (
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// containerState is what the agent knows of one container.
type containerState struct {
	running  bool
	started  time.Time
	ready    bool // by its probe, or running when it has none
	restarts int32
	id       string // process ID, as the container ID

	waitingReason, waitingMessage string // why it does not run, when it has not ended
	last                          *corev1.ContainerStateTerminated
}

// podState is what the agent knows of a pod, in the order of its containers.
type podState struct {
	podIP, hostIP netip.Addr // podIP is invalid until the pod has a namespace
	started       time.Time
	containers    []containerState
}

// statusOf is the status to report, given the one reported before, whose
// transition times stay where nothing changed.
func statusOf(pod *corev1.Pod, state podState, before corev1.PodStatus, now time.Time) corev1.PodStatus {
	status := corev1.PodStatus{
		Phase:    phaseOf(pod.Spec.RestartPolicy, state),
		QOSClass: before.QOSClass,
		HostIP:   state.hostIP.String(),
		HostIPs:  []corev1.HostIP{{IP: state.hostIP.String()}},
	}
	if !state.started.IsZero() {
		started := metav1.NewTime(state.started)
		status.StartTime = &started
	}
	if state.podIP.IsValid() {
		status.PodIP = state.podIP.String()
		status.PodIPs = []corev1.PodIP{{IP: status.PodIP}}
	}
	ready := len(state.containers) > 0
	for i, container := range state.containers {
		ready = ready && container.running && container.ready
		status.ContainerStatuses = append(status.ContainerStatuses, containerStatusOf(pod.Spec.Containers[i], container))
	}
	for _, condition := range []struct {
		kind corev1.PodConditionType
		true bool
	}{
		{corev1.PodReadyToStartContainers, state.podIP.IsValid()},
		{corev1.PodInitialized, true},
		{corev1.ContainersReady, ready},
		{corev1.PodReady, ready},
	} {
		status.Conditions = append(status.Conditions, transition(before.Conditions, condition.kind, condition.true, now))
	}
	return status
}

// transition is a condition that keeps its time unless its status changes.
func transition(before []corev1.PodCondition, kind corev1.PodConditionType, holds bool, now time.Time) corev1.PodCondition {
	condition := corev1.PodCondition{Type: kind, Status: corev1.ConditionFalse, LastTransitionTime: metav1.NewTime(now)}
	if holds {
		condition.Status = corev1.ConditionTrue
	}
	for _, old := range before {
		if old.Type == kind && old.Status == condition.Status {
			condition.LastTransitionTime = old.LastTransitionTime
		}
	}
	return condition
}

// phaseOf follows the Kubernetes pod lifecycle: Pending until a container has
// started, then Running, and an end only where the restart policy allows one.
func phaseOf(policy corev1.RestartPolicy, state podState) corev1.PodPhase {
	ended, failed, begun := 0, 0, false
	for _, container := range state.containers {
		begun = begun || container.running || container.last != nil
		if container.running || container.last == nil || restarts(policy, container.last.ExitCode) {
			continue
		}
		ended++
		if container.last.ExitCode != 0 {
			failed++
		}
	}
	switch {
	case !begun:
		return corev1.PodPending
	case ended < len(state.containers):
		return corev1.PodRunning
	case failed > 0:
		return corev1.PodFailed
	default:
		return corev1.PodSucceeded
	}
}

// restarts tells whether a container that ended with the code starts again.
func restarts(policy corev1.RestartPolicy, code int32) bool {
	switch policy {
	case corev1.RestartPolicyNever:
		return false
	case corev1.RestartPolicyOnFailure:
		return code != 0
	default:
		return true
	}
}

func containerStatusOf(spec corev1.Container, state containerState) corev1.ContainerStatus {
	started := state.running
	status := corev1.ContainerStatus{
		Name:         spec.Name,
		Image:        spec.Image,
		ImageID:      spec.Image,
		ContainerID:  state.id,
		Ready:        state.running && state.ready,
		RestartCount: state.restarts,
		Started:      &started,
	}
	switch {
	case state.running:
		status.State.Running = &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(state.started)}
	case state.waitingReason != "":
		status.State.Waiting = &corev1.ContainerStateWaiting{Reason: state.waitingReason, Message: state.waitingMessage}
	case state.last != nil:
		status.State.Terminated = state.last
	default:
		status.State.Waiting = &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}
	}
	if state.last != nil && status.State.Terminated == nil {
		status.LastTerminationState.Terminated = state.last
	}
	return status
}
