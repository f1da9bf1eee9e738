package node

import (
	"net/netip"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func nodeWith(t *testing.T, name, podCIDR string, underlay netip.Addr) *corev1.Node {
	t.Helper()
	annotations, err := overlayAnnotations(DefaultConfig().Overlay, underlay)
	if err != nil {
		t.Fatal(err)
	}
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: annotations}, Spec: corev1.NodeSpec{PodCIDR: podCIDR}}
}

func TestPeersOf(t *testing.T) {
	underlay := netip.MustParseAddr("10.1.2.12")
	broken := nodeWith(t, "broken", "10.244.3.0/24", underlay)
	broken.Annotations[annotationBackendData] = `{"VNI":9,"VtepMAC":"0e:56:0a:01:02:0c"}`
	bare := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "bare"}}
	self := nodeWith(t, "self", "10.244.0.0/24", netip.MustParseAddr("10.1.1.11"))
	good := nodeWith(t, "good", "10.244.1.0/24", underlay)
	pending := nodeWith(t, "pending", "", underlay)

	peers, err := peersOf([]*corev1.Node{self, good, pending, bare}, "self", 1)
	want := peer{underlay: underlay, mac: "0e:56:0a:01:02:0c", podCIDR: netip.MustParsePrefix("10.244.1.0/24")}
	if err != nil || len(peers) != 1 || peers["good"] != want {
		t.Errorf("got %v and %v, want only %v", peers, err, want)
	}
	peers, err = peersOf([]*corev1.Node{good, broken}, "self", 1)
	if err == nil || !strings.Contains(err.Error(), "broken") || !strings.Contains(err.Error(), "VNI 9, want 1") || len(peers) != 1 {
		t.Errorf("got %v and %v, want the good one and an error that names the broken one", peers, err)
	}
}

// A node that looks like Calico's is a peer by its address alone.
func TestPeersOfCalico(t *testing.T) {
	underlay := netip.MustParseAddr("10.1.2.12")
	annotations, err := overlayAnnotations(CalicoOverlay(), underlay)
	if err != nil {
		t.Fatal(err)
	}
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n", Annotations: annotations}, Spec: corev1.NodeSpec{PodCIDR: "10.244.1.0/24"}}
	want := peer{underlay: underlay, mac: tunnelMAC(underlay), podCIDR: netip.MustParsePrefix("10.244.1.0/24")}
	if peers, err := peersOf([]*corev1.Node{n}, "self", CalicoOverlay().VNI); err != nil || peers["n"] != want {
		t.Errorf("got %v and %v, want %v", peers, err, want)
	}
	n.Annotations[annotationCalico] = "10.1.2.12"
	if _, err := peersOf([]*corev1.Node{n}, "self", 4096); err == nil || !strings.Contains(err.Error(), annotationCalico) {
		t.Errorf("an address without a length: %v", err)
	}
}

func TestPodDevices(t *testing.T) {
	for name, want := range map[string]bool{
		"veth" + shortUID("0123abcd-4567-89ab-cdef-0123456789ab"): true,
		"veth0123abcg": false, "veth0": false, "eth0": false, "worker1-eth0": false, "cni0": false,
	} {
		if got := isPodDevice(name); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

func TestValidateNamesFields(t *testing.T) {
	err := Config{Name: "Not A Label", LeaseInterval: -1}.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	for _, field := range []string{"Name", "Namespace", "Address", "Kubeconfig", "Directory", "ClusterCIDR", "ClusterDNS", "ClusterDomain",
		"Overlay.Device", "Overlay.Port", "Overlay.UnderlayMTU", "LeaseInterval", "StopGrace"} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("the error does not name %s: %v", field, err)
		}
	}
}
