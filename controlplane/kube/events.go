package kube

import (
	"slices"
	"time"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// messageLimit is how many bytes of an event's message are kept.
const messageLimit = 512

// normalReasons are the events of type Normal that are kept. The others (Pulled, Created, Started, ...) say what
// the objects themselves say, and there are several of each pod.
func normalReasons() []string {
	return []string{
		"Killing", "Evicted", "Preempted", "TaintManagerEviction", // pods
		"ScalingReplicaSet", "SuccessfulRescale", "SawCompletedJob", "Completed", // workloads
		"NodeReady", "NodeNotReady", "NodeSchedulable", "NodeNotSchedulable", "Rebooted", "RegisteredNode", "RemovingNode", "Starting", // nodes
	}
}

// events maps core/v1 Event, of which every warning is kept.
type events struct{}

func (events) kind() inventory.Kind { return inventory.KindEvent }

func (events) fact(cluster string, object runtime.Object) (inventory.Fact, bool) {
	o := object.(*corev1.Event)
	first, last := eventTimes(o)
	f := inventory.Event{
		Cluster: cluster, UID: string(o.UID), Type: o.Type, Reason: o.Reason, Message: cut(o.Message), Source: o.Source.Component,
		Kind: o.InvolvedObject.Kind, Namespace: o.InvolvedObject.Namespace, Name: o.InvolvedObject.Name,
		ObjectUID: string(o.InvolvedObject.UID), Count: max(o.Count, 1), First: first.UTC(), Last: last.UTC(),
	}
	if f.Source == "" {
		f.Source = o.ReportingController
	}
	if o.Series != nil {
		f.Count = max(f.Count, o.Series.Count)
	}
	return f, o.Type != corev1.EventTypeNormal || slices.Contains(normalReasons(), o.Reason)
}

// eventTimes gives when the thing happened first and last. Components fill either the old or the new fields.
func eventTimes(o *corev1.Event) (first, last time.Time) {
	first, last = o.FirstTimestamp.Time, o.LastTimestamp.Time
	if first.IsZero() {
		first = o.EventTime.Time
	}
	if first.IsZero() {
		first = o.CreationTimestamp.Time
	}
	if o.Series != nil && o.Series.LastObservedTime.After(last) {
		last = o.Series.LastObservedTime.Time
	}
	if last.Before(first) {
		last = first
	}
	return first, last
}

func (events) event(object runtime.Object, _, _ inventory.Fact, _ bool) time.Time {
	_, last := eventTimes(object.(*corev1.Event))
	return last
}

// cut shortens a message, between characters.
func cut(s string) string {
	if len(s) <= messageLimit {
		return s
	}
	end := messageLimit
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}
