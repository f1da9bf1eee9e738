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

func TestNode(t *testing.T) {
	o := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "w1"},
		Spec: corev1.NodeSpec{Unschedulable: true, PodCIDRs: []string{"10.244.1.0/24", "fd00:244:1::/64", "nonsense"}},
		Status: corev1.NodeStatus{
			Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "10.1.1.11"}, {Type: corev1.NodeInternalIP, Address: "fd00:1::11"},
				{Type: corev1.NodeExternalIP, Address: "198.51.100.1"}, {Type: corev1.NodeHostName, Address: "w1"}},
			Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionUnknown}, {Type: corev1.NodePIDPressure, Status: corev1.ConditionTrue},
				{Type: corev1.NodeMemoryPressure, Status: corev1.ConditionFalse}, {Type: corev1.NodeDiskPressure, Status: corev1.ConditionTrue}}}}
	f, exists := nodes{}.fact("blue", o)
	n := f.(inventory.Node)
	if got := fmt.Sprint(exists, n.Ready, n.Unschedulable, n.Problems, n.Addresses, n.PodCIDRs); got !=
		"true false true [DiskPressure PIDPressure] [10.1.1.11 fd00:1::11 198.51.100.1] [10.244.1.0/24 fd00:244:1::/64]" {
		t.Error(got)
	}
}

func TestServiceAddresses(t *testing.T) {
	s := &corev1.Service{Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, ClusterIPs: []string{"10.96.0.7", "fd00:96::7"}, ExternalIPs: []string{"192.0.2.7"},
		Ports: []corev1.ServicePort{{Name: "dns", Protocol: corev1.ProtocolUDP, Port: 53, NodePort: 30053}}},
		Status: corev1.ServiceStatus{LoadBalancer: corev1.LoadBalancerStatus{Ingress: []corev1.LoadBalancerIngress{{IP: "198.51.100.7"}, {Hostname: "lb.example"}}}}}
	f, _ := services{}.fact("blue", s)
	got := f.(inventory.Service)
	if text := fmt.Sprint(got.VIPs, got.Hostnames, got.Ports); text !=
		"[{cluster-ip 10.96.0.7} {cluster-ip fd00:96::7} {external-ip 192.0.2.7} {load-balancer 198.51.100.7}] [lb.example] [{dns UDP 53  30053}]" {
		t.Error(text)
	}
	headless := &corev1.Service{Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, ClusterIPs: []string{corev1.ClusterIPNone}}}
	outside := &corev1.Service{Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "db.example"}}
	for o, want := range map[*corev1.Service]string{headless: "[] []", outside: "[] [db.example]"} {
		f, _ := services{}.fact("blue", o)
		if s := f.(inventory.Service); fmt.Sprint(s.VIPs, s.Hostnames) != want {
			t.Errorf("%s: %v %v, want %s", s.Type, s.VIPs, s.Hostnames, want)
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
