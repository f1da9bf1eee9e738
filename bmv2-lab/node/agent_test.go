package node

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/fabricscope/fabricscope/bmv2-lab/cluster"
	"github.com/fabricscope/fabricscope/bmv2-lab/node/netns"
	"github.com/fabricscope/fabricscope/bmv2-lab/workload"
)

// lab is what the parts of TestTwoNodes share: starting it takes seconds.
type lab struct {
	control *cluster.Cluster
	client  kubernetes.Interface
	network *fabric
	stop    []func()
}

// TestTwoNodes has a real control plane, two workers on a bridge, kube-proxy on
// both, and the whole shop in it.
func TestTwoNodes(t *testing.T) {
	needs(t, "ip", "bridge", "ethtool", "nft", "ss")
	begin := time.Now()
	l := &lab{network: newFabric(t, 2)}
	l.control, l.client = startCluster(t)
	t.Logf("control plane ready after %v", time.Since(begin))
	l.litter(t)
	var agents []*Agent
	for i := range 2 {
		agent, stop := startAgent(t, agentConfig(t, l.control, l.network, i))
		agents, l.stop = append(agents, agent), append(l.stop, stop)
	}
	for i, agent := range agents {
		awaitReady(t, workerName(i), agent.Ready())
	}
	t.Logf("nodes ready after %v", time.Since(begin))
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	if err := workload.Apply(ctx, l.client, workload.DefaultOptions()); err != nil {
		t.Fatal(err)
	}
	if err := workload.WaitReady(ctx, l.client); err != nil {
		t.Fatal(err)
	}
	t.Logf("shop ready after %v", time.Since(begin))

	t.Run("pods have addresses of their nodes", func(t *testing.T) { l.testAddresses(ctx, t) })
	t.Run("packets cross the overlay", func(t *testing.T) { l.testOverlay(ctx, t) })
	t.Run("names and ClusterIPs work", func(t *testing.T) { l.testService(ctx, t) })
	t.Run("offloads are off", l.testOffloads)
	t.Run("a container that ends restarts", func(t *testing.T) { l.testRestart(ctx, t) })
	t.Run("what is not supported is said", func(t *testing.T) { l.testUnsupported(ctx, t) })
	t.Run("a rolling update replaces pods", func(t *testing.T) { l.testRollingUpdate(ctx, t) })
	t.Run("quiesce ends the load", func(t *testing.T) {
		if err := workload.Quiesce(ctx, l.client); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("stopping leaves nothing", l.testStop)
}

// litter leaves what a killed agent of the first node would.
func (l *lab) litter(t *testing.T) {
	t.Helper()
	namespace, err := netns.Add(podNamespacePrefix(workerName(0)) + "deadbeef")
	if err != nil {
		t.Fatal(err)
	}
	namespace.Close()
	worker := l.network.workers[0]
	command(t, worker, "ip link add "+bridgeName+" type bridge")
	command(t, worker, "ip link add vethdeadbeef type veth peer name other netns "+podNamespacePrefix(workerName(0))+"deadbeef")
	command(t, worker, "ip link add "+DefaultConfig().Overlay.Device+" type vxlan id 7 dstport 8472 dev eth0")
	command(t, worker, "nft add table ip kube-proxy")
}

// pods lists those with a label in the shop's namespace.
func (l *lab) pods(ctx context.Context, t *testing.T, app string) []corev1.Pod {
	t.Helper()
	list, err := l.client.CoreV1().Pods(workload.Namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=" + app})
	if err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// inside opens the network namespace of a pod.
func inside(t *testing.T, pod corev1.Pod) *netns.Namespace {
	t.Helper()
	namespace, err := netns.Open(netns.PathOfName(podNamespacePrefix(pod.Spec.NodeName) + shortUID(pod.UID)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { namespace.Close() })
	return namespace
}

func (l *lab) testAddresses(ctx context.Context, t *testing.T) {
	cidrs := map[string]netip.Prefix{}
	for i := range 2 {
		node, err := l.client.CoreV1().Nodes().Get(ctx, workerName(i), metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		cidrs[node.Name] = netip.MustParsePrefix(node.Spec.PodCIDR)
	}
	seen := map[string]string{}
	for _, app := range workload.Deployments() {
		for _, pod := range l.pods(ctx, t, app) {
			address, err := netip.ParseAddr(pod.Status.PodIP)
			if err != nil || !cidrs[pod.Spec.NodeName].Contains(address) || seen[pod.Status.PodIP] != "" {
				t.Errorf("pod %s on %s (%v) has address %q", pod.Name, pod.Spec.NodeName, cidrs[pod.Spec.NodeName], pod.Status.PodIP)
			}
			seen[pod.Status.PodIP] = pod.Name
			if pod.Status.Phase != corev1.PodRunning || pod.Status.HostIP == "" || pod.Status.StartTime == nil {
				t.Errorf("pod %s: status %+v", pod.Name, pod.Status)
			}
		}
	}
	if len(seen) != 9 {
		t.Errorf("%d pods, want 4 services of 2 and loadgen: %v", len(seen), seen)
	}
}

func (l *lab) testOverlay(ctx context.Context, t *testing.T) {
	stores := l.pods(ctx, t, workload.Store)
	if len(stores) != 2 || stores[0].Spec.NodeName == stores[1].Spec.NodeName {
		t.Fatalf("want two store pods on two nodes, got %v", stores)
	}
	source := inside(t, stores[0])
	// 1422 bytes of data are 1450 with their headers: the largest that fits.
	for _, size := range []int{56, 1422} {
		if err := ping(source, stores[1].Status.PodIP, size); err != nil {
			t.Error(err)
		}
	}
	links := command(t, l.network.workers[0], "ip -s -j link show "+DefaultConfig().Overlay.Device)
	var counters []struct {
		Stats struct {
			Tx struct {
				Packets int `json:"packets"`
			} `json:"tx"`
		} `json:"stats64"`
	}
	if err := json.Unmarshal([]byte(links), &counters); err != nil || len(counters) != 1 || counters[0].Stats.Tx.Packets < 2 {
		t.Errorf("the VXLAN device sent nothing: %s (%v)", links, err)
	}
}

func (l *lab) testService(ctx context.Context, t *testing.T) {
	// The frontend calls the others by name for each request: one request
	// through the NodePort of each node tries them all.
	for i, worker := range l.network.workers {
		client := httpVia(worker)
		url := fmt.Sprintf("http://%v:%d/", workerAddress(1-i), workload.DefaultOptions().NodePort)
		eventually(t, "a request to "+url, 5*time.Second, func() error {
			body, err := get(ctx, client, url)
			if err != nil {
				return err
			}
			for _, service := range []string{"frontend", "catalog", "cart", "store"} {
				if !strings.Contains(body, `"service":"`+service+`"`) {
					return fmt.Errorf("no answer of %s in %s", service, body)
				}
			}
			return nil
		})
	}
}

func (l *lab) testOffloads(t *testing.T) {
	for _, worker := range l.network.workers {
		var links []struct {
			Name string `json:"ifname"`
		}
		if err := json.Unmarshal([]byte(command(t, worker, "ip -j link show")), &links); err != nil {
			t.Fatal(err)
		}
		for _, link := range links {
			if link.Name == "lo" {
				continue
			}
			for line := range strings.Lines(command(t, worker, "ethtool -k "+link.Name)) {
				for _, feature := range []string{"tcp-segmentation-offload:", "generic-segmentation-offload:", "generic-receive-offload:", "tx-checksumming:"} {
					if strings.HasPrefix(line, feature) && !strings.Contains(line, ": off") {
						t.Errorf("%s of %s: %s", link.Name, worker.Path(), strings.TrimSpace(line))
					}
				}
			}
		}
	}
}

// pod makes a bare pod with a shell script as its container.
func (l *lab) pod(ctx context.Context, t *testing.T, name, script string, change func(*corev1.Pod)) {
	t.Helper()
	no := false
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: workload.Namespace, Labels: map[string]string{"app": name}},
		Spec: corev1.PodSpec{
			AutomountServiceAccountToken: &no,
			Containers: []corev1.Container{{
				Name: "main", Image: "none", Command: []string{"sh", "-c", script},
				Env: []corev1.EnvVar{{Name: "ADDRESS", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "status.podIP"}}}},
			}},
		},
	}
	if change != nil {
		change(pod)
	}
	if _, err := l.client.CoreV1().Pods(workload.Namespace).Create(ctx, pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func (l *lab) testRestart(ctx context.Context, t *testing.T) {
	l.pod(ctx, t, "restarter", `echo "$ADDRESS $(hostname)"; grep nameserver /etc/resolv.conf; exit 7`, nil)
	eventually(t, "a restart", 10*time.Second, func() error {
		pod := l.pods(ctx, t, "restarter")[0]
		if len(pod.Status.ContainerStatuses) == 0 || pod.Status.ContainerStatuses[0].RestartCount < 1 {
			return fmt.Errorf("status %+v", pod.Status.ContainerStatuses)
		}
		if last := pod.Status.ContainerStatuses[0].LastTerminationState.Terminated; last != nil && last.ExitCode != 7 {
			return fmt.Errorf("exit code %d, want 7", last.ExitCode)
		}
		return nil
	})
	pod := l.pods(ctx, t, "restarter")[0]
	log, err := os.ReadFile(testDirectory + "/" + pod.Spec.NodeName + "/pods/" + pod.Namespace + "_restarter_" + string(pod.UID) + "/main.log")
	want := pod.Status.PodIP + " restarter\nnameserver 10.96.0.10\n"
	if err != nil || !strings.HasPrefix(string(log), want) {
		t.Errorf("log %q (%v), want %q first", log, err, want)
	}
	namespace := netns.PathOfName(podNamespacePrefix(pod.Spec.NodeName) + shortUID(pod.UID))
	if err := l.client.CoreV1().Pods(workload.Namespace).Delete(ctx, "restarter", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the deletion", 10*time.Second, func() error {
		if left := l.pods(ctx, t, "restarter"); len(left) > 0 {
			return fmt.Errorf("still there: %+v", left[0].Status)
		}
		if _, err := os.Stat(namespace); err == nil {
			return fmt.Errorf("%s still exists", namespace)
		}
		return nil
	})
}

func (l *lab) testUnsupported(ctx context.Context, t *testing.T) {
	l.pod(ctx, t, "volumes", "sleep 60", func(pod *corev1.Pod) {
		pod.Spec.Volumes = []corev1.Volume{{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
	})
	eventually(t, "the reason", 5*time.Second, func() error {
		statuses := l.pods(ctx, t, "volumes")[0].Status.ContainerStatuses
		if len(statuses) == 0 || statuses[0].State.Waiting == nil || !strings.Contains(statuses[0].State.Waiting.Message, "volume scratch") {
			return fmt.Errorf("status %+v", statuses)
		}
		return nil
	})
	if err := l.client.CoreV1().Pods(workload.Namespace).Delete(ctx, "volumes", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}

func (l *lab) testRollingUpdate(ctx context.Context, t *testing.T) {
	before := map[string]bool{}
	for _, pod := range l.pods(ctx, t, workload.Catalog) {
		before[pod.Name] = true
	}
	begin := time.Now()
	if err := workload.RollingUpdate(ctx, l.client, workload.Catalog, "2"); err != nil {
		t.Fatal(err)
	}
	t.Logf("rolling update of %d pods took %v", len(before), time.Since(begin))
	for _, pod := range l.pods(ctx, t, workload.Catalog) {
		if before[pod.Name] {
			t.Errorf("pod %s is still there", pod.Name)
		}
	}
}

func (l *lab) testStop(t *testing.T) {
	for _, stop := range l.stop {
		stop()
	}
	for i, worker := range l.network.workers {
		names, err := netns.Named(podNamespacePrefix(workerName(i)))
		if err != nil || len(names) > 0 {
			t.Errorf("pod namespaces left: %v (%v)", names, err)
		}
		for line := range strings.Lines(command(t, worker, "ip -brief link show")) {
			if device := strings.Fields(line)[0]; device != "lo" && !strings.HasPrefix(device, "eth0@") {
				t.Errorf("device left on %s: %s", workerName(i), strings.TrimSpace(line))
			}
		}
		if rules := command(t, worker, "nft list ruleset"); strings.TrimSpace(rules) != "" {
			t.Errorf("rules left on %s:\n%s", workerName(i), rules)
		}
		if listeners := command(t, worker, "ss -Hltn"); strings.TrimSpace(listeners) != "" {
			t.Errorf("listeners left on %s:\n%s", workerName(i), listeners)
		}
	}
}
