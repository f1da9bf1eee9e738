package kube

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

func TestWorkload(t *testing.T) {
	created := time.Date(2026, 3, 1, 12, 0, 3, 0, time.UTC)
	due := created.Truncate(time.Minute).Unix() / 60
	for _, c := range []struct {
		kind, name, hash string
		want             inventory.Workload
	}{
		{"ReplicaSet", "web-5d9c", "5d9c", inventory.Workload{Kind: "Deployment", Name: "web"}},
		{"ReplicaSet", "web-5d9c", "other", inventory.Workload{Kind: "ReplicaSet", Name: "web-5d9c"}},
		{"ReplicaSet", "web", "", inventory.Workload{Kind: "ReplicaSet", Name: "web"}},
		{"StatefulSet", "db", "", inventory.Workload{Kind: "StatefulSet", Name: "db"}},
		{"DaemonSet", "agent", "", inventory.Workload{Kind: "DaemonSet", Name: "agent"}},
		{"Job", fmt.Sprintf("backup-%d", due), "", inventory.Workload{Kind: "CronJob", Name: "backup"}},
		{"Job", fmt.Sprintf("backup-%d", due+600), "", inventory.Workload{Kind: "Job", Name: fmt.Sprintf("backup-%d", due+600)}},
		{"Job", "backup-20260301", "", inventory.Workload{Kind: "Job", Name: "backup-20260301"}}, // a day, not a minute
		{"Job", "backup", "", inventory.Workload{Kind: "Job", Name: "backup"}},
	} {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(created), Labels: map[string]string{},
			OwnerReferences: []metav1.OwnerReference{{Kind: c.kind, Name: c.name, Controller: new(true)}}}}
		if c.hash != "" {
			p.Labels["pod-template-hash"] = c.hash
		}
		if got := workload(p); got != c.want {
			t.Errorf("%s %s is %+v, want %+v", c.kind, c.name, got, c.want)
		}
	}
}

func TestOverlay(t *testing.T) {
	addr := netip.MustParseAddr
	for name, c := range map[string]struct {
		annotations map[string]string
		want        inventory.Overlay
	}{
		"flannel": {map[string]string{"flannel.alpha.coreos.com/public-ip": "10.1.1.11", "flannel.alpha.coreos.com/backend-data": `{"VNI":1,"VtepMAC":"x"}`},
			inventory.Overlay{Addresses: []netip.Addr{addr("10.1.1.11")}, VNIs: []uint32{1}}},
		"Calico": {map[string]string{"projectcalico.org/IPv4Address": "10.1.1.11/24", "projectcalico.org/IPv4VXLANTunnelAddr": "10.244.7.0"},
			inventory.Overlay{Addresses: []netip.Addr{addr("10.1.1.11")}, Inner: []netip.Addr{addr("10.244.7.0")}}},
		"Cilium":   {map[string]string{"network.cilium.io/ipv4-cilium-host": "10.0.0.9"}, inventory.Overlay{Inner: []netip.Addr{addr("10.0.0.9")}}},
		"nonsense": {map[string]string{"flannel.alpha.coreos.com/public-ip": "x", "flannel.alpha.coreos.com/backend-data": "{"}, inventory.Overlay{}},
		"none":     {nil, inventory.Overlay{}},
	} {
		if diff := gocmp.Diff(c.want, overlay(c.annotations), gocmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", name, diff)
		}
	}
}

// What slim leaves of a pod is all that its fact is made of.
func TestSlimPodsAreTheSameFacts(t *testing.T) {
	o := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "p", UID: "u", Labels: map[string]string{"a": "b"}, Annotations: map[string]string{"big": "x"},
			ManagedFields: []metav1.ManagedFieldsEntry{{}}},
		Spec: corev1.PodSpec{NodeName: "w1", HostNetwork: true, Containers: []corev1.Container{{Name: "c", Env: []corev1.EnvVar{{Name: "SECRET"}}}}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIPs: []corev1.PodIP{{IP: "10.0.0.1"}}, Message: "m",
			Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled}, {Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()}},
			ContainerStatuses: []corev1.ContainerStatus{{Name: "c", RestartCount: 3, Image: "i",
				LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "OOMKilled"}}}}},
	}
	want, _ := pods{}.fact("blue", o)
	slim(o)
	got, _ := pods{}.fact("blue", o)
	if diff := gocmp.Diff(want, got, gocmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
	if got.(inventory.Pod).Reason != "OOMKilled" {
		t.Errorf("reason %q", got.(inventory.Pod).Reason)
	}
	if o.Spec.Containers != nil || o.Annotations != nil || o.ManagedFields != nil || len(o.Status.Conditions) != 1 {
		t.Errorf("left over: %+v", o)
	}
}
