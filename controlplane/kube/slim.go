package kube

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// slim takes from an object, as soon as it is decoded, what no fact is made of. A pod's manifest is several times what is
// used of it.
func slim(object runtime.Object) {
	if o, err := meta.Accessor(object); err == nil {
		o.SetManagedFields(nil)
	}
	switch o := object.(type) {
	case *corev1.Pod:
		slimPod(o)
	case *corev1.Node:
		o.Status.Images, o.Status.VolumesAttached, o.Status.VolumesInUse = nil, nil, nil
	case *corev1.Namespace:
		o.Annotations = nil
	case *corev1.Service:
		o.Annotations = nil
	case *corev1.Event:
		o.Annotations, o.Labels = nil, nil
	}
}

func slimPod(o *corev1.Pod) {
	o.Annotations = nil
	o.Spec = corev1.PodSpec{NodeName: o.Spec.NodeName, HostNetwork: o.Spec.HostNetwork}
	s := corev1.PodStatus{Phase: o.Status.Phase, Reason: o.Status.Reason, PodIPs: o.Status.PodIPs}
	for _, c := range o.Status.Conditions {
		if c.Type == corev1.PodReady {
			s.Conditions = append(s.Conditions, c)
		}
	}
	for _, c := range o.Status.ContainerStatuses {
		s.ContainerStatuses = append(s.ContainerStatuses, slimContainer(c))
	}
	for _, c := range o.Status.InitContainerStatuses {
		if c.State.Waiting != nil { // else it holds nothing up
			s.InitContainerStatuses = append(s.InitContainerStatuses, slimContainer(c))
		}
	}
	o.Status = s
}

func slimContainer(c corev1.ContainerStatus) corev1.ContainerStatus {
	return corev1.ContainerStatus{State: c.State, LastTerminationState: c.LastTerminationState, RestartCount: c.RestartCount, Name: c.Name}
}

// initial says whether a watch begins with everything there is.
func initial(o metav1.ListOptions) bool { return o.SendInitialEvents != nil && *o.SendInitialEvents }
