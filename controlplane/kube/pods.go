package kube

import (
	"fmt"
	"net/netip"
	"strconv"
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
	p.Reason = reason(o)
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

// reason is why a container does not run, or else why one last ended; a pod that was evicted has its own. One that is
// restarted again and again has both: what it waits for hides what it died of. Of the containers that run before the
// others, only one that holds these up counts.
func reason(o *corev1.Pod) string {
	if o.Status.Reason != "" {
		return o.Status.Reason
	}
	for _, c := range o.Status.InitContainerStatuses {
		if why := standstill(c); why != "" {
			return "Init:" + why
		}
	}
	last := ""
	for _, c := range o.Status.ContainerStatuses {
		switch why := standstill(c); {
		case why != "":
			return why
		case c.State.Terminated != nil:
			last = end(c.State.Terminated)
		case c.LastTerminationState.Terminated != nil && last == "":
			last = end(c.LastTerminationState.Terminated)
		}
	}
	return last
}

// standstill is what a container waits for, and what it died of before; empty when it does not wait for a reason.
func standstill(c corev1.ContainerStatus) string {
	w := c.State.Waiting
	if w == nil || w.Reason == "" {
		return ""
	}
	if t := c.LastTerminationState.Terminated; t != nil && end(t) != "" {
		return w.Reason + " after " + end(t)
	}
	return w.Reason
}

// end is why a container ended, as OOMKilled, or "Error, exit code 137" where the runtime knows no better.
func end(t *corev1.ContainerStateTerminated) string {
	if t.ExitCode != 0 && (t.Reason == "" || t.Reason == "Error") {
		return fmt.Sprintf("Error, exit code %d", t.ExitCode)
	}
	return t.Reason
}

// workload gives the controlling owner, and the owner of that where its name tells, so that nobody has to let
// Fabricscope read ReplicaSets and Jobs. The ReplicaSet of a Deployment is named by the Deployment and the
// hash of the pod template, which its pods carry as a label. The Job of a CronJob is named by the CronJob and
// the minute that it was due, counted since 1970; a number that is no minute of this week is part of a name.
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
	if name, minute, ok := cutLast(owner.Name); ok && owner.Kind == "Job" {
		n, err := strconv.ParseInt(minute, 10, 64)
		if late := o.CreationTimestamp.Sub(time.Unix(n*60, 0)); err == nil && late > -time.Minute && late < 7*24*time.Hour {
			return inventory.Workload{Kind: "CronJob", Name: name}
		}
	}
	return inventory.Workload{Kind: owner.Kind, Name: owner.Name}
}

// cutLast splits a name at its last dash.
func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, '-')
	if i <= 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
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
