package kube_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// events makes what the components of a cluster tell, each in the way of that component, some that repeat what objects say
// themselves, and one that goes on.
func (w *world) events() {
	w.Helper()
	ctx := context.Background()
	api := w.server.client.CoreV1().Events("shop")
	began := metav1.NewTime(time.Now().Add(-time.Hour).Truncate(time.Second))
	pod := corev1.ObjectReference{Kind: "Pod", Namespace: "shop", Name: podName(4), UID: "u"}
	tell := func(namespace, kind, reason, component string, of corev1.ObjectReference) *corev1.Event {
		e, err := w.server.client.CoreV1().Events(namespace).Create(ctx, &corev1.Event{ObjectMeta: metav1.ObjectMeta{Name: strings.ToLower(reason + "." + of.Kind)},
			Type: kind, Reason: reason, Message: "m", InvolvedObject: of, Source: corev1.EventSource{Component: component},
			FirstTimestamp: began, LastTimestamp: began, Count: 1}, metav1.CreateOptions{})
		w.must(err)
		return e
	}
	tell("shop", "Normal", "Pulled", "kubelet", pod)
	tell("shop", "Normal", "Killing", "kubelet", pod)
	tell("shop", "Warning", "BackOff", "kubelet", pod)
	tell("shop", "Warning", "Evicted", "kubelet", pod)
	tell("shop", "Warning", "NodeNotReady", "node-controller", pod)
	tell("default", "Normal", "NodeNotReady", "node-controller", corev1.ObjectReference{Kind: "Node", Name: "w1", UID: "w1"})
	tell("default", "Warning", "SystemOOM", "kubelet", corev1.ObjectReference{Kind: "Node", Name: "w1", UID: "w1"})
	unhealthy := tell("shop", "Warning", "Unhealthy", "kubelet", pod)
	unhealthy.Count, unhealthy.LastTimestamp = 3, metav1.NewTime(began.Add(time.Minute))
	_, err := api.Update(ctx, unhealthy, metav1.UpdateOptions{})
	w.must(err)
	// The scheduler writes by the newer API, which has other fields for the time and for how often.
	again := metav1.NewMicroTime(began.Add(2 * time.Minute))
	_, err = w.server.client.EventsV1().Events("shop").Create(ctx, &eventsv1.Event{ObjectMeta: metav1.ObjectMeta{Name: "scheduling"}, Type: "Warning",
		Reason: "FailedScheduling", Note: "0/1 nodes are available", Action: "Scheduling", Regarding: pod, EventTime: metav1.NewMicroTime(began.Time),
		ReportingController: "default-scheduler", ReportingInstance: "s", Series: &eventsv1.EventSeries{Count: 5, LastObservedTime: again}}, metav1.CreateOptions{})
	w.must(err)

	want := map[string]string{}
	for what, times := range map[string]struct {
		count int
		last  time.Duration
	}{
		"Killing Pod": {1, 0}, "BackOff Pod": {1, 0}, "Evicted Pod": {1, 0}, "NodeNotReady Pod": {1, 0}, "NodeNotReady Node": {1, 0}, "SystemOOM Node": {1, 0},
		"Unhealthy Pod": {3, time.Minute}, "FailedScheduling Pod": {5, 2 * time.Minute},
	} {
		want[what] = fmt.Sprintf("%d times until %v", times.count, began.Add(times.last).UTC())
	}
	eventually(w.T, "events", func() error {
		got := map[string]string{}
		for e := range w.store.Now().All(inventory.KindEvent) {
			if f := e.Fact.(inventory.Event); f.Cluster == "blue" && (f.Name == pod.Name || f.Name == "w1") {
				got[f.Reason+" "+f.Kind] = fmt.Sprintf("%d times until %v", f.Count, e.Event)
			}
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			return fmt.Errorf("(-want +got), of %v:\n%s", slices.Sorted(maps.Keys(want)), diff)
		}
		return nil
	})
}
