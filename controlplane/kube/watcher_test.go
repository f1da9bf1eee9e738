package kube_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/fabricscope/fabricscope/controlplane/history"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/kube"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// world is a watcher of one API server under two names: blue by kubeconfig through a proxy, green by
// token directly.
type world struct {
	*testing.T
	server *apiServer
	proxy  *proxy
	store  *history.Store

	watcher  *kube.Watcher
	clusters []kube.Cluster
}

// TestWatch goes through the life of a watcher: a server that is down at first, objects that come,
// change and go, and an outage in which a pod is deleted and the server killed.
func TestWatch(t *testing.T) {
	w := &world{T: t, server: newAPIServer(t)}
	w.proxy = newProxy(t, w.server)
	w.run()
	w.state("blue", "unreachable", "")
	w.state("green", "unreachable", fmt.Sprintf("127.0.0.1:%d: connect: connection refused", w.server.port))
	w.server.serve()
	w.state("blue", "synced", "")
	w.state("green", "synced", "")

	w.createAll()
	w.settled("after creation")
	w.lives()
	w.outage()
	w.compaction()
	w.entrances()
	w.events()
	w.rights()
	w.removal()
	w.conditions()
}

func (w *world) run() {
	cfg := history.DefaultConfig()
	cfg.Dir = w.TempDir()
	log := slog.New(slog.NewTextHandler(w.Output(), nil))
	var err error
	if w.store, err = history.New(cfg, history.Deps{Log: log}); err != nil {
		w.Fatal(err)
	}
	watch := kube.DefaultConfig()
	watch.RetryMax, watch.Reread = 500*time.Millisecond, 100*time.Millisecond
	w.clusters = []kube.Cluster{
		{Name: "blue", Kubeconfig: w.server.kubeconfig(w.proxy.url())},
		{Name: "green", Server: w.server.url(), TokenFile: w.server.file("token"), CAFile: w.server.file("serving.crt")},
	}
	watch.Clusters = w.clusters[:1]
	if w.watcher, err = kube.New(watch, kube.Deps{Sink: w.store, Log: log}); err != nil {
		w.Fatal(err)
	}
	// The second comes while the first is watched.
	w.must(w.watcher.Set(w.clusters))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- w.store.Run(ctx) }()
	go func() { ended <- w.watcher.Run(ctx) }()
	w.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ended, <-ended); err != nil {
			w.Error(err)
		}
	})
}

// state waits until a cluster is in a state, with a message that contains text, and gives
// the first view that has it so.
func (w *world) state(cluster, state, text string) (v inventory.View) {
	w.Helper()
	eventually(w.T, cluster+" "+state, func() error {
		v = w.store.Now()
		e, _ := v.Get(inventory.Cluster{Name: cluster}.Ref())
		c, _ := e.Fact.(inventory.Cluster)
		if c.State != state || !strings.Contains(c.Message, text) || (c.Message == "") != (state != "unreachable") {
			return fmt.Errorf("%+v", c)
		}
		return nil
	})
	return v
}

const pods = 20

func (w *world) createAll() {
	w.Helper()
	ctx := context.Background()
	core := w.server.client.CoreV1()
	_, err := core.Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: map[string]string{"team": "a"}}}, metav1.CreateOptions{})
	w.must(err)
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "cart", Labels: map[string]string{"app": "cart"}},
		Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeNodePort, Selector: map[string]string{"app": "cart"}, ExternalIPs: []string{"192.0.2.7"},
			Ports: []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromString("web")}}},
	}
	// A server that is ready may not know its service CIDR for another moment: it says that the range is full.
	_, err = core.Services("shop").Create(ctx, service, metav1.CreateOptions{})
	for deadline := time.Now().Add(30 * time.Second); apierrors.IsInternalError(err) && time.Now().Before(deadline); {
		<-time.After(50 * time.Millisecond)
		_, err = core.Services("shop").Create(ctx, service, metav1.CreateOptions{})
	}
	w.must(err)
	node, err := core.Nodes().Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "w1",
		Annotations: map[string]string{"k8s.ovn.org/node-encap-ips": `["172.20.0.1"]`}},
		Spec: corev1.NodeSpec{PodCIDRs: []string{"10.244.1.0/24"}, PodCIDR: "10.244.1.0/24"}}, metav1.CreateOptions{})
	w.must(err)
	node.Status = corev1.NodeStatus{
		Addresses:  []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "10.0.1.1"}, {Type: corev1.NodeHostName, Address: "w1"}},
		Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()}}}
	_, err = core.Nodes().UpdateStatus(ctx, node, metav1.UpdateOptions{})
	w.must(err)
	slice := &discoveryv1.EndpointSlice{AddressType: discoveryv1.AddressTypeIPv4,
		ObjectMeta: metav1.ObjectMeta{Name: "cart-1", Labels: map[string]string{discoveryv1.LabelServiceName: "cart"}},
		Ports:      []discoveryv1.EndpointPort{{Name: new("http"), Port: new(int32(8080)), Protocol: new(corev1.ProtocolTCP)}}}
	for n := range pods {
		p := w.createPod(n)
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{Addresses: []string{podIP(n)}, NodeName: new("w1"),
			Conditions: discoveryv1.EndpointConditions{Ready: new(n%2 == 0), Serving: new(true)},
			TargetRef:  &corev1.ObjectReference{Kind: "Pod", Namespace: "shop", Name: p.Name, UID: p.UID}})
	}
	_, err = w.server.client.DiscoveryV1().EndpointSlices("shop").Create(ctx, slice, metav1.CreateOptions{})
	w.must(err)
}

func podIP(n int) string { return fmt.Sprintf("10.244.1.%d", n+10) }

func podName(n int) string { return fmt.Sprintf("cart-7d9f-%02d", n) }

// createPod makes a pod of the deployment cart, and reports it running as a kubelet does.
func (w *world) createPod(n int) *corev1.Pod {
	w.Helper()
	ctx := context.Background()
	api := w.server.client.CoreV1().Pods("shop")
	p, err := api.Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: podName(n), Labels: map[string]string{"app": "cart", "pod-template-hash": "7d9f"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "cart-7d9f", UID: "rs", Controller: new(true)}}},
		Spec: corev1.PodSpec{NodeName: "w1", Containers: []corev1.Container{{Name: "web", Image: "web"}}},
	}, metav1.CreateOptions{})
	w.must(err)
	p.Status = corev1.PodStatus{Phase: corev1.PodRunning, PodIP: podIP(n), PodIPs: []corev1.PodIP{{IP: podIP(n)}},
		Conditions:        []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse, LastTransitionTime: metav1.Now()}},
		ContainerStatuses: []corev1.ContainerStatus{{Name: "web", RestartCount: int32(n)}}}
	p, err = api.UpdateStatus(ctx, p, metav1.UpdateOptions{})
	w.must(err)
	return p
}

// settled waits until the facts of both clusters are exactly what the API lists.
func (w *world) settled(when string) {
	w.Helper()
	for _, name := range []string{"blue", "green"} {
		want := w.listed(name)
		eventually(w.T, name+" "+when, func() error {
			if diff := gocmp.Diff(want, facts(w.store.Now(), name), sameAddresses); diff != "" {
				return fmt.Errorf("(-API +facts):\n%s", diff)
			}
			return nil
		})
	}
}

var sameAddresses = cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})

func facts(v inventory.View, cluster string) []inventory.Fact {
	var all []inventory.Fact
	for _, k := range []inventory.Kind{inventory.KindNamespace, inventory.KindNode, inventory.KindPod, inventory.KindService, inventory.KindMember} {
		for e := range v.All(k) {
			if e.Fact.Ref().Cluster == cluster {
				all = append(all, e.Fact)
			}
		}
	}
	return all
}

// listed gives the facts that the test itself derives from lists.
func (w *world) listed(cluster string) []inventory.Fact {
	w.Helper()
	ctx, all := context.Background(), metav1.ListOptions{}
	core := w.server.client.CoreV1()
	var facts []inventory.Fact
	namespaces, err := core.Namespaces().List(ctx, all)
	w.must(err)
	for _, o := range namespaces.Items {
		facts = append(facts, inventory.Namespace{Cluster: cluster, Name: o.Name, Labels: o.Labels})
	}
	nodes, err := core.Nodes().List(ctx, all)
	w.must(err)
	for _, o := range nodes.Items {
		facts = append(facts, inventory.Node{Cluster: cluster, Name: o.Name, Labels: o.Labels, Ready: true, Created: o.CreationTimestamp.UTC(),
			Overlay:   inventory.Overlay{Addresses: []netip.Addr{netip.MustParseAddr("172.20.0.1")}},
			Addresses: []netip.Addr{netip.MustParseAddr("10.0.1.1")}, PodCIDRs: []netip.Prefix{netip.MustParsePrefix("10.244.1.0/24")}})
	}
	pods, err := core.Pods("").List(ctx, all)
	w.must(err)
	for _, o := range pods.Items {
		if o.Status.Phase != corev1.PodSucceeded {
			facts = append(facts, wantPod(cluster, o))
		}
	}
	services, err := core.Services("").List(ctx, all)
	w.must(err)
	for _, o := range services.Items {
		facts = append(facts, wantService(cluster, o))
	}
	slices, err := w.server.client.DiscoveryV1().EndpointSlices("").List(ctx, all)
	w.must(err)
	for _, o := range slices.Items {
		for _, e := range o.Endpoints {
			facts = append(facts, inventory.Member{Cluster: cluster, Namespace: "shop", Service: "cart", Address: netip.MustParseAddr(e.Addresses[0]),
				PodUID: string(e.TargetRef.UID), Pod: e.TargetRef.Name, Node: *e.NodeName, Ready: *e.Conditions.Ready, Serving: true,
				Ports: []inventory.MemberPort{{Name: "http", Protocol: "TCP", Port: 8080}}})
		}
	}
	sortFacts(facts)
	return facts
}

func sortFacts(facts []inventory.Fact) {
	order := []inventory.Kind{inventory.KindNamespace, inventory.KindNode, inventory.KindPod, inventory.KindService, inventory.KindMember}
	slices.SortFunc(facts, func(a, b inventory.Fact) int {
		x, y := a.Ref(), b.Ref()
		return cmp.Or(cmp.Compare(slices.Index(order, x.Kind), slices.Index(order, y.Kind)), x.Compare(y))
	})
}

func wantPod(cluster string, o corev1.Pod) inventory.Pod {
	p := inventory.Pod{Cluster: cluster, Namespace: "shop", Name: o.Name, UID: string(o.UID), Labels: o.Labels, Node: "w1",
		Workload: inventory.Workload{Kind: "Deployment", Name: "cart"}, Phase: string(o.Status.Phase),
		IPs: []netip.Addr{netip.MustParseAddr(o.Status.PodIP)}, Restarts: o.Status.ContainerStatuses[0].RestartCount,
		Terminating: o.DeletionTimestamp != nil, Created: o.CreationTimestamp.UTC()}
	if c := o.Status.Conditions[0]; c.Status == corev1.ConditionTrue {
		p.Ready, p.ReadySince = true, c.LastTransitionTime.UTC()
	}
	return p
}

func wantService(cluster string, o corev1.Service) inventory.Service {
	s := inventory.Service{Cluster: cluster, Namespace: o.Namespace, Name: o.Name, UID: string(o.UID), Type: string(o.Spec.Type),
		Labels: o.Labels, Selector: o.Spec.Selector, Created: o.CreationTimestamp.UTC(),
		VIPs: []inventory.VIP{{Kind: "cluster-ip", Address: netip.MustParseAddr(o.Spec.ClusterIP)}},
		Ports: []inventory.ServicePort{{Name: o.Spec.Ports[0].Name, Protocol: "TCP", Port: uint16(o.Spec.Ports[0].Port),
			TargetPort: o.Spec.Ports[0].TargetPort.String(), NodePort: uint16(o.Spec.Ports[0].NodePort)}}}
	if o.Name == "cart" {
		s.VIPs = append(s.VIPs, inventory.VIP{Kind: "external-ip", Address: netip.MustParseAddr("192.0.2.7")})
	}
	return s
}

// lives lets pods become ready, terminate, succeed and go, and checks states and their times.
func (w *world) lives() {
	w.Helper()
	ctx := context.Background()
	api := w.server.client.CoreV1().Pods("shop")
	since := time.Now().Add(-time.Hour).Truncate(time.Second)
	var delays []time.Duration
	for n := range pods {
		p, err := api.Get(ctx, podName(n), metav1.GetOptions{})
		w.must(err)
		p.Status.Conditions[0] = corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(since)}
		begun := time.Now()
		_, err = api.UpdateStatus(ctx, p, metav1.UpdateOptions{})
		w.must(err)
		eventually(w.T, "ready", func() error {
			e, _ := w.store.Now().Get(inventory.Pod{Cluster: "blue", UID: string(p.UID)}.Ref())
			if f := e.Fact.(inventory.Pod); !f.Ready || !e.Event.Equal(since) {
				return fmt.Errorf("since %v: %+v", e.Event, f)
			}
			return nil
		})
		delays = append(delays, time.Since(begun))
	}
	slices.Sort(delays)
	w.Logf("from the request to make a pod ready to its fact: median %v, worst %v", delays[pods/2], delays[pods-1])

	p, err := api.Get(ctx, podName(0), metav1.GetOptions{})
	w.must(err)
	p.Status.Phase = corev1.PodSucceeded
	_, err = api.UpdateStatus(ctx, p, metav1.UpdateOptions{})
	w.must(err)
	w.must(api.Delete(ctx, podName(1), metav1.DeleteOptions{GracePeriodSeconds: new(int64(600))}))
	w.must(api.Delete(ctx, podName(2), metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))}))
	w.settled("after changes")
	p, err = api.Get(ctx, podName(1), metav1.GetOptions{})
	w.must(err)
	e, _ := w.store.Now().Get(inventory.Pod{Cluster: "blue", UID: string(p.UID)}.Ref())
	if ago := time.Since(e.Event); ago < 0 || ago > time.Minute {
		w.Errorf("terminating for %v", ago)
	}
}

// outage cuts the way to blue, deletes and creates behind it, kills the server, and checks that afterwards all is
// as listed, and that nothing happened to what did not change.
func (w *world) outage() {
	w.Helper()
	ctx := context.Background()
	api := w.server.client.CoreV1().Pods("shop")
	w.proxy.cut()
	w.state("blue", "unreachable", w.proxy.listen)
	view, feed := w.store.Subscribe()
	defer feed.Close()
	cut := time.Now()

	gone, err := api.Get(ctx, podName(3), metav1.GetOptions{})
	w.must(err)
	w.must(api.Delete(ctx, podName(3), metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))}))
	w.server.kill()
	w.state("green", "unreachable", "")
	if diff := gocmp.Diff(facts(view, "blue"), facts(w.store.Now(), "blue"), sameAddresses); diff != "" {
		w.Errorf("blue changed while it was unreachable (-before +after):\n%s", diff)
	}
	w.server.serve()
	came := w.createPod(pods)
	w.proxy.join()
	for _, name := range []string{"blue", "green"} {
		v := w.state(name, "synced", "")
		if diff := gocmp.Diff(w.listed(name), facts(v, name), sameAddresses); diff != "" {
			w.Errorf("%s is synced again, but (-API +facts):\n%s", name, diff)
		}
	}

	updates, err := feed.Next(ctx)
	w.must(err)
	for _, u := range updates {
		if id := u.Ref.ID; u.Ref.Kind != inventory.KindCluster && u.Ref.Kind != inventory.KindGap && id != string(gone.UID) && id != string(came.UID) {
			w.Errorf("changed over the outage: %v", u.Ref)
		}
	}
	w.gap(cut, true)
	w.gap(time.Now(), false)
}

// gap checks whether nothing was known of blue at a time, as far as is known now.
func (w *world) gap(at time.Time, want bool) {
	w.Helper()
	v, err := w.store.At(context.Background(), at, history.ByEvent)
	w.must(err)
	e, ok := v.Get(inventory.Gap{Cluster: "blue"}.Ref())
	if ok != want {
		w.Errorf("at %v: gap %v, want %v", at, ok, want)
	}
	if f, _ := e.Fact.(inventory.Gap); ok && (f.Since.After(at) || f.Why == "") {
		w.Errorf("gap %+v at %v", f, at)
	}
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}
