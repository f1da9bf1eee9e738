package history

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/klauspost/compress/s2"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// words are a text that parts are compressed against, so that a fact costs what is its own and not what every fact
// has. The file has them: it is read with what it was written with.
type words struct {
	number uint64
	dict   *s2.Dict
}

// vocabulary has the words of a file by their number.
type vocabulary map[uint64]*s2.Dict

// readWords gives all words of a file, and those to write with.
func readWords(ctx context.Context, q querier) (vocabulary, words, error) {
	rows, err := q.QueryContext(ctx, `SELECT number, words FROM vocabulary ORDER BY number`)
	if err != nil {
		return nil, words{}, err
	}
	defer func() { _ = rows.Close() }()
	all, newest := vocabulary{}, words{}
	for rows.Next() {
		var number uint64
		var text []byte
		if err := rows.Scan(&number, &text); err != nil {
			return nil, words{}, err
		}
		if newest = (words{number, s2.MakeDict(text, nil)}); newest.dict == nil {
			return nil, words{}, fmt.Errorf("%w: words %d of %d bytes are none", ErrCorrupt, number, len(text))
		}
		all[number] = newest.dict
	}
	if err := rows.Err(); err != nil {
		return nil, words{}, err
	}
	if newest.dict == nil {
		return nil, words{}, fmt.Errorf("%w: it has no words", ErrCorrupt)
	}
	return all, newest, nil
}

// firstWords are those of a new file: facts of each kind as they look, the most frequent last, where they are
// cheapest to refer to.
func firstWords() []byte {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	address, prefix := netip.MustParseAddr("10.244.0.10"), netip.MustParsePrefix("10.244.0.0/24")
	labels := map[string]string{"app": "web", "app.kubernetes.io/component": "web", "app.kubernetes.io/instance": "web",
		"app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/name": "web", "k8s-app": "web", "pod-template-hash": "6b7f9c8d5",
		"controller-revision-hash": "6b7f9c8d5", "statefulset.kubernetes.io/pod-name": "web-0"}
	const uid = "00000000-0000-4000-8000-000000000000"
	pod := inventory.Pod{Cluster: "c", Namespace: "default", Name: "web-6b7f9c8d5-abcde", UID: uid, Labels: labels,
		Workload: inventory.Workload{Kind: "Deployment", Name: "web"}, Node: "node-1", IPs: []netip.Addr{address}, Phase: "Pending", Created: at}
	ready := pod
	ready.Phase, ready.Ready, ready.Terminating, ready.Restarts, ready.Reason, ready.ReadySince = "Running", true, true, 1, "CrashLoopBackOff", at
	facts := []inventory.Fact{
		inventory.Cluster{Name: "c", Server: "https://", State: "synced", Message: "unreachable"},
		inventory.Namespace{Cluster: "c", Name: "default", Labels: map[string]string{"kubernetes.io/metadata.name": "default"}},
		inventory.Switch{Name: "leaf1", DeviceID: 1, Address: "10.0.0.1:9559", Role: "leaf", State: "ready", Message: "unreachable", ElectionID: 1, PrimaryID: 1},
		inventory.Link{A: inventory.PortRef{Switch: "leaf1", Port: "Ethernet1", Number: 1}, B: inventory.PortRef{Switch: "spine1", Port: "Ethernet1", Number: 1}},
		inventory.Port{Switch: "leaf1", Number: 1, Name: "Ethernet1", Peer: "node-1"},
		inventory.Endpoint{Switch: "leaf1", Port: "Ethernet1", Number: 1, Address: address, MAC: "02:00:00:00:00:01"},
		inventory.Node{Cluster: "c", Name: "node-1", Labels: map[string]string{"beta.kubernetes.io/arch": "amd64", "beta.kubernetes.io/os": "linux",
			"kubernetes.io/arch": "amd64", "kubernetes.io/hostname": "node-1", "kubernetes.io/os": "linux", "topology.kubernetes.io/zone": "a"},
			Addresses: []netip.Addr{address}, PodCIDRs: []netip.Prefix{prefix}, Ready: true, Problems: []string{"DiskPressure"}, Created: at},
		inventory.Service{Cluster: "c", Namespace: "default", Name: "web", UID: uid, Type: "ClusterIP", Labels: labels, Selector: map[string]string{"app": "web"},
			VIPs: []inventory.VIP{{Kind: "cluster-ip", Address: address}}, Created: at,
			Ports: []inventory.ServicePort{{Name: "http", Protocol: "TCP", Port: 80, TargetPort: "8080", NodePort: 30000}}},
		inventory.Event{Cluster: "c", UID: uid, Type: "Warning", Reason: "Unhealthy", Message: "Readiness probe failed: HTTP probe failed with statuscode: 503",
			Source: "kubelet", Kind: "Pod", Namespace: "default", Name: pod.Name, ObjectUID: uid, Count: 1, First: at, Last: at},
		inventory.Attachment{Cluster: "c", PodUID: uid, Switch: "leaf1", Port: 1, PortName: "Ethernet1", Since: at, How: inventory.ByBoth, Confidence: 100},
		inventory.Member{Cluster: "c", Namespace: "default", Service: "web", Address: address, PodUID: uid, Pod: pod.Name, Node: "node-1",
			Ports: []inventory.MemberPort{{Name: "http", Protocol: "TCP", Port: 8080}}, Terminating: true},
		inventory.Member{Cluster: "c", Namespace: "default", Service: "web", Address: address, PodUID: uid, Pod: pod.Name, Node: "node-1",
			Ports: []inventory.MemberPort{{Name: "http", Protocol: "TCP", Port: 8080}}, Ready: true, Serving: true},
		ready, pod,
	}
	var text []byte
	for _, f := range facts {
		fact, _ := encode(f)
		text = append(text, fact...)
	}
	return text
}
