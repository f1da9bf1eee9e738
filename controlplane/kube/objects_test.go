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
	all := func(texts ...string) (list []netip.Addr) {
		for _, text := range texts {
			list = append(list, addr(text))
		}
		return list
	}
	for name, c := range map[string]struct {
		annotations map[string]string
		want        inventory.Overlay
		pods        string
	}{
		"flannel": {map[string]string{"flannel.alpha.coreos.com/public-ip": "10.1.1.11", "flannel.alpha.coreos.com/backend-data": `{"VNI":1,"VtepMAC":"x"}`},
			inventory.Overlay{Addresses: all("10.1.1.11"), VNIs: []uint32{1}}, "[]"},
		"Calico": {map[string]string{"projectcalico.org/IPv4Address": "10.1.1.11/24", "projectcalico.org/IPv4VXLANTunnelAddr": "10.244.7.0"},
			inventory.Overlay{Addresses: all("10.1.1.11"), Inner: all("10.244.7.0")}, "[]"},
		"Calico, IP in IP": {map[string]string{"projectcalico.org/IPv4Address": "10.1.1.11/24", "projectcalico.org/IPv4IPIPTunnelAddr": "10.244.7.1"},
			inventory.Overlay{Addresses: all("10.1.1.11"), Inner: all("10.244.7.1")}, "[]"},
		"Cilium": {map[string]string{"network.cilium.io/ipv4-cilium-host": "10.0.0.9", "network.cilium.io/ipv4-health-ip": "10.0.0.10",
			"network.cilium.io/ipv4-pod-cidr": "10.0.0.0/24", "network.cilium.io/ipv6-pod-cidr": "fd02::/96"},
			inventory.Overlay{Inner: all("10.0.0.9", "10.0.0.10")}, "[10.0.0.0/24 fd02::/96]"},
		"Cilium of old": {map[string]string{"io.cilium.network.ipv4-cilium-host": "10.0.0.9", "io.cilium.network.ipv4-pod-cidr": "10.0.0.0/24"},
			inventory.Overlay{Inner: all("10.0.0.9")}, "[10.0.0.0/24]"},
		"OVN-Kubernetes": {map[string]string{"k8s.ovn.org/node-chassis-id": "4348f389-56cf-45a4-8527-e2091c93370e", "k8s.ovn.org/node-encap-ips": `["172.20.0.11","172.20.1.11"]`,
			"k8s.ovn.org/node-primary-ifaddr": `{"ipv4":"10.1.1.11/24","ipv6":"fd00:1::11/64"}`, "k8s.ovn.org/node-subnets": `{"default":["10.128.2.0/23","fd01:0:0:2::/64"],"other":["10.9.0.0/24"]}`,
			"k8s.ovn.org/node-gateway-router-lrp-ifaddrs": `{"default":{"ipv4":"100.64.0.3/16"}}`},
			inventory.Overlay{Addresses: all("172.20.0.11", "172.20.1.11", "10.1.1.11", "fd00:1::11"), Inner: all("100.64.0.3", "10.128.2.2", "fd01:0:0:2::2")},
			"[10.128.2.0/23 fd01:0:0:2::/64]"},
		"OVN-Kubernetes of old": {map[string]string{"k8s.ovn.org/node-subnets": `{"default":"10.128.2.0/23"}`, "k8s.ovn.org/node-gateway-router-lrp-ifaddr": `{"ipv4":"100.64.0.3/16"}`},
			inventory.Overlay{Inner: all("100.64.0.3", "10.128.2.2")}, "[10.128.2.0/23]"},
		"nonsense": {map[string]string{"flannel.alpha.coreos.com/public-ip": "x", "flannel.alpha.coreos.com/backend-data": "{", "k8s.ovn.org/node-encap-ips": `{"a":1}`,
			"k8s.ovn.org/node-subnets": `{"default":[1,"x"]}`, "k8s.ovn.org/node-primary-ifaddr": "[", "network.cilium.io/ipv4-pod-cidr": "10.0.0.0"}, inventory.Overlay{}, "[]"},
		"none": {nil, inventory.Overlay{}, "[]"},
	} {
		got, pods := overlay(c.annotations)
		if diff := gocmp.Diff(c.want, got, gocmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" || fmt.Sprint(pods) != c.pods {
			t.Errorf("%s: pods %v, want %s; (-want +got):\n%s", name, pods, c.pods, diff)
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

// Why a pod's containers do not run, with what is behind it.
func TestReason(t *testing.T) {
	ended := func(reason string, code int32) corev1.ContainerState {
		return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: reason, ExitCode: code}}
	}
	waits := func(reason string) corev1.ContainerState {
		return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}}
	}
	runs := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	for name, c := range map[string]struct {
		status corev1.PodStatus
		want   string
	}{
		"just killed": {corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{State: ended("OOMKilled", 137)}}}, "OOMKilled"},
		"killed, and waits": {corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{State: waits("CrashLoopBackOff"), LastTerminationState: ended("OOMKilled", 137)}}},
			"CrashLoopBackOff after OOMKilled"},
		"killed, and runs": {corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{State: runs, LastTerminationState: ended("OOMKilled", 137)}}}, "OOMKilled"},
		"killed by somebody": {corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{State: runs}, {State: runs, LastTerminationState: ended("Error", 137)}}},
			"Error, exit code 137"},
		"completed":  {corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{State: ended("Completed", 0)}}}, "Completed"},
		"no image":   {corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{State: waits("ImagePullBackOff")}}}, "ImagePullBackOff"},
		"is evicted": {corev1.PodStatus{Reason: "Evicted", ContainerStatuses: []corev1.ContainerStatus{{State: ended("Error", 137)}}}, "Evicted"},
		"held up before": {corev1.PodStatus{InitContainerStatuses: []corev1.ContainerStatus{{State: ended("Completed", 0)}, {State: waits("CrashLoopBackOff"), LastTerminationState: ended("Error", 2)}},
			ContainerStatuses: []corev1.ContainerStatus{{State: waits("PodInitializing")}}}, "Init:CrashLoopBackOff after Error, exit code 2"},
		"runs": {corev1.PodStatus{InitContainerStatuses: []corev1.ContainerStatus{{State: ended("Error", 1)}}, ContainerStatuses: []corev1.ContainerStatus{{State: runs}}}, ""},
	} {
		o := &corev1.Pod{Status: c.status}
		whole := reason(o)
		slim(o)
		if slimmed := reason(o); whole != c.want || slimmed != c.want {
			t.Errorf("%s: %q, and slimmed %q, want %q", name, whole, slimmed, c.want)
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
