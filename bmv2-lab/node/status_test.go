package node

import (
	"net/netip"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func condition(t *testing.T, status corev1.PodStatus, kind corev1.PodConditionType) corev1.PodCondition {
	t.Helper()
	for _, found := range status.Conditions {
		if found.Type == kind {
			return found
		}
	}
	t.Fatalf("no condition %s in %+v", kind, status.Conditions)
	return corev1.PodCondition{}
}

func TestStatusKeepsTransitionTimes(t *testing.T) {
	pod := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "shop"}}}}
	begin := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	state := podState{
		podIP: netip.MustParseAddr("10.244.0.2"), hostIP: netip.MustParseAddr("10.1.1.11"), started: begin,
		containers: []containerState{{running: true, started: begin, id: "process://7"}},
	}
	status := statusOf(pod, state, corev1.PodStatus{}, begin)
	if got := condition(t, status, corev1.PodReady); got.Status != corev1.ConditionFalse || !got.LastTransitionTime.Time.Equal(begin) {
		t.Errorf("not ready yet: got %+v", got)
	}
	if status.Phase != corev1.PodRunning || status.PodIP != "10.244.0.2" || status.HostIP != "10.1.1.11" {
		t.Errorf("got %+v", status)
	}
	state.containers[0].ready = true
	readyAt := begin.Add(time.Second)
	status = statusOf(pod, state, status, readyAt)
	status = statusOf(pod, state, status, readyAt.Add(time.Minute))
	if got := condition(t, status, corev1.PodReady); got.Status != corev1.ConditionTrue || !got.LastTransitionTime.Time.Equal(readyAt) {
		t.Errorf("ready: got %+v, want since %v", got, readyAt)
	}
	if got := condition(t, status, corev1.PodReadyToStartContainers); !got.LastTransitionTime.Time.Equal(begin) {
		t.Errorf("a condition that did not change moved: %+v", got)
	}
}

func TestPhase(t *testing.T) {
	ended := func(code int32) containerState {
		return containerState{last: &corev1.ContainerStateTerminated{ExitCode: code, FinishedAt: metav1.Now()}}
	}
	running := containerState{running: true}
	for _, test := range []struct {
		name       string
		policy     corev1.RestartPolicy
		containers []containerState
		want       corev1.PodPhase
	}{
		{"nothing begun", corev1.RestartPolicyAlways, []containerState{{}, {}}, corev1.PodPending},
		{"one runs", corev1.RestartPolicyAlways, []containerState{running, {}}, corev1.PodRunning},
		{"ended, to restart", corev1.RestartPolicyAlways, []containerState{ended(0)}, corev1.PodRunning},
		{"failed, to restart", corev1.RestartPolicyOnFailure, []containerState{ended(1)}, corev1.PodRunning},
		{"succeeded", corev1.RestartPolicyOnFailure, []containerState{ended(0)}, corev1.PodSucceeded},
		{"one of two ended", corev1.RestartPolicyNever, []containerState{ended(1), running}, corev1.PodRunning},
		{"failed", corev1.RestartPolicyNever, []containerState{ended(0), ended(1)}, corev1.PodFailed},
	} {
		if got := phaseOf(test.policy, podState{containers: test.containers}); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}

func TestContainerStatus(t *testing.T) {
	spec := corev1.Container{Name: "main", Image: "shop"}
	last := &corev1.ContainerStateTerminated{ExitCode: 7}
	waiting := containerStatusOf(spec, containerState{restarts: 2, waitingReason: "CrashLoopBackOff", last: last})
	if waiting.State.Waiting == nil || waiting.State.Waiting.Reason != "CrashLoopBackOff" || waiting.LastTerminationState.Terminated != last || waiting.RestartCount != 2 {
		t.Errorf("waiting: %+v", waiting)
	}
	if over := containerStatusOf(spec, containerState{last: last}); over.State.Terminated != last || over.LastTerminationState.Terminated != nil {
		t.Errorf("ended for good: %+v", over)
	}
	if fresh := containerStatusOf(spec, containerState{}); fresh.State.Waiting == nil || fresh.State.Waiting.Reason != "ContainerCreating" || *fresh.Started {
		t.Errorf("not begun: %+v", fresh)
	}
}
