package main

import (
	"context"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// endpoints keeps the slice of every service, as the controller manager would.
type endpoints struct {
	w    *world
	wake chan struct{} // holds one when changed is not empty

	mu      sync.Mutex
	members map[string]map[string]discoveryv1.Endpoint // guarded by mu; by service and pod UID
	changed map[string]bool                            // guarded by mu; services whose slice is not what it should be
}

// newEndpoints begins with the pods that are ready now.
func newEndpoints(w *world) *endpoints {
	e := &endpoints{w: w, wake: make(chan struct{}, 1), members: map[string]map[string]discoveryv1.Endpoint{}, changed: map[string]bool{}}
	w.witness.mu.Lock()
	defer w.witness.mu.Unlock()
	for _, pod := range w.witness.ready {
		e.set(pod, true)
	}
	return e
}

func (e *endpoints) set(pod *corev1.Pod, ready bool) string {
	service, uid := pod.Labels["app"], string(pod.UID)
	if !ready {
		delete(e.members[service], uid)
		return service
	}
	if e.members[service] == nil {
		e.members[service] = map[string]discoveryv1.Endpoint{}
	}
	e.members[service][uid] = discoveryv1.Endpoint{Addresses: []string{pod.Status.PodIP}, NodeName: &pod.Spec.NodeName,
		Conditions: discoveryv1.EndpointConditions{Ready: &ready, Serving: &ready},
		TargetRef:  &corev1.ObjectReference{Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID}}
	return service
}

// note remembers a change until run writes it.
func (e *endpoints) note(s sight, pod *corev1.Pod) {
	e.mu.Lock()
	e.changed[e.set(pod, s.ready)] = true
	e.mu.Unlock()
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// run writes the slices of services that changed until ctx ends.
func (e *endpoints) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-e.wake:
		}
		e.mu.Lock()
		changed := e.changed
		e.changed = map[string]bool{}
		e.mu.Unlock()
		for service := range changed {
			var n int
			if _, err := fmt.Sscanf(service, "app-%d", &n); err != nil {
				return err
			}
			if err := e.write(ctx, n, false); err != nil && ctx.Err() == nil {
				return fmt.Errorf("endpoint slice of %s: %w", service, err)
			}
		}
	}
}

func (e *endpoints) make(ctx context.Context, n int) error { return e.write(ctx, n, true) }

func (e *endpoints) write(ctx context.Context, n int, create bool) error {
	name, port, portName, protocol := serviceName(n), int32(8080), "http", corev1.ProtocolTCP
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: name + "-1", Labels: map[string]string{discoveryv1.LabelServiceName: name}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: &portName, Port: &port, Protocol: &protocol}},
	}
	e.mu.Lock()
	for _, endpoint := range e.members[name] {
		slice.Endpoints = append(slice.Endpoints, endpoint)
	}
	e.mu.Unlock()
	client := e.w.client.DiscoveryV1().EndpointSlices(namespaceOf(n))
	if create {
		_, err := client.Create(ctx, slice, metav1.CreateOptions{})
		return err
	}
	return again(ctx, func() error {
		_, err := client.Update(ctx, slice, metav1.UpdateOptions{})
		return err
	}, func(error) bool { return false })
}
