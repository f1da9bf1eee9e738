package kube

import (
	"net/netip"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// pods maps core/v1 Pod. A pod in a terminal phase counts as ended.
type pods struct{}

func (pods) kind() inventory.Kind { return inventory.KindPod }

func (pods) fact(cluster string, object runtime.Object) (inventory.Fact, bool) {
	o := object.(*corev1.Pod)
	p := inventory.Pod{
		Cluster: cluster, Namespace: o.Namespace, Name: o.Name, UID: string(o.UID), Labels: o.Labels,
		Workload: workload(o), Node: o.Spec.NodeName, HostNetwork: o.Spec.HostNetwork, Phase: string(o.Status.Phase),
		Terminating: o.DeletionTimestamp != nil, Created: o.CreationTimestamp.UTC(),
	}
	for _, ip := range o.Status.PodIPs {
		if address, err := netip.ParseAddr(ip.IP); err == nil {
			p.IPs = append(p.IPs, address.Unmap())
		}
	}
	if ready, since := podReady(o); ready {
		p.Ready, p.ReadySince = true, since.UTC()
	}
	for _, c := range o.Status.ContainerStatuses {
		p.Restarts += c.RestartCount
	}
	return p, o.Status.Phase != corev1.PodSucceeded && o.Status.Phase != corev1.PodFailed
}

func podReady(o *corev1.Pod) (bool, time.Time) {
	for _, c := range o.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue, c.LastTransitionTime.Time
		}
	}
	return false, time.Time{}
}

// workload gives the controlling owner. The ReplicaSet of a Deployment is named by the Deployment and the
// hash of the pod template, which its pods carry as a label.
func workload(o *corev1.Pod) inventory.Workload {
	owner := metav1.GetControllerOfNoCopy(o)
	if owner == nil {
		return inventory.Workload{}
	}
	if hash := o.Labels["pod-template-hash"]; owner.Kind == "ReplicaSet" && hash != "" {
		if name, ok := strings.CutSuffix(owner.Name, "-"+hash); ok && name != "" {
			return inventory.Workload{Kind: "Deployment", Name: name}
		}
	}
	return inventory.Workload{Kind: owner.Kind, Name: owner.Name}
}

// event: creation, the transition of readiness, or the request to delete, whichever the
// state differs by from the one before; for a terminal pod, when its last container ended.
func (pods) event(object runtime.Object, before, f inventory.Fact, exists bool) time.Time {
	o := object.(*corev1.Pod)
	if !exists {
		return lastEnd(o)
	}
	if before == nil {
		return o.CreationTimestamp.Time
	}
	was, is := before.(inventory.Pod), f.(inventory.Pod)
	switch {
	case was.Ready != is.Ready || !was.ReadySince.Equal(is.ReadySince):
		_, since := podReady(o)
		return since
	case !was.Terminating && is.Terminating:
		// The API gives when the grace period ends, not when it began.
		grace := int64(0)
		if o.DeletionGracePeriodSeconds != nil {
			grace = *o.DeletionGracePeriodSeconds
		}
		return o.DeletionTimestamp.Add(-time.Duration(grace) * time.Second)
	}
	return time.Time{}
}

func lastEnd(o *corev1.Pod) time.Time {
	var last time.Time
	for _, c := range o.Status.ContainerStatuses {
		if t := c.State.Terminated; t != nil && t.FinishedAt.After(last) {
			last = t.FinishedAt.Time
		}
	}
	return last
}
