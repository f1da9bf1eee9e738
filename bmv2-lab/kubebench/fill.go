package main

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

const (
	namespaces = 100
	writers    = 32 // requests at once
)

// Pods have places, which services have in turn: when a pod goes, another takes its place.
func (w *world) serviceAt(place int) int { return place % w.services }
func (w *world) nodeAt(place int) int    { return place % w.nodes }

func namespaceOf(service int) string { return fmt.Sprintf("team-%d", service%namespaces) }
func serviceName(service int) string { return fmt.Sprintf("app-%d", service) }
func nodeName(n int) string          { return fmt.Sprintf("node-%04d", n) }

// podAddress is one of the addresses that a node has for its pods.
func podAddress(node int, host byte) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(node >> 8), byte(node), host})
}

// fill makes the nodes, the services and the pods, and waits until all are ready.
func (w *world) fill(ctx context.Context) error {
	begin := time.Now()
	w.places = make([]string, w.pods)
	for _, step := range []struct {
		what string
		n    int
		make func(context.Context, int) error
	}{
		{"namespaces", namespaces, w.makeNamespace},
		{"nodes", w.nodes, w.makeNode},
		{"services", w.services, w.makeService},
	} {
		report("make %d %s", step.n, step.what)
		if err := w.many(ctx, step.what, step.n, step.make); err != nil {
			return fmt.Errorf("make %s: %w", step.what, err)
		}
	}
	report("make %d pods", w.pods)
	if err := w.copyPods(ctx); err != nil {
		return fmt.Errorf("make pods: %w", err)
	}
	if err := w.witness.start(ctx, func(err error) { w.cancel(fmt.Errorf("the other watcher: %w", err)) }); err != nil {
		return fmt.Errorf("the other watcher: %w", err)
	}
	if err := w.until("pods are ready", func() (int, int) { ready, _ := w.witness.count(); return ready, w.pods }); err != nil {
		return err
	}
	report("make %d endpoint slices", w.services)
	e := newEndpoints(w)
	if err := w.many(ctx, "endpoint slices", w.services, e.make); err != nil {
		return fmt.Errorf("make endpoint slices: %w", err)
	}
	report("%-64s %12v", "the cluster is there after", time.Since(begin).Round(time.Second))
	return nil
}

// many makes n things, some at once.
func (w *world) many(ctx context.Context, what string, n int, one func(context.Context, int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	said := time.Now()
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		if time.Since(said) > 10*time.Second {
			said = time.Now()
			report("  %s: %d of %d", what, i, n)
		}
		group.Go(func() error { return one(ctx, i) })
	}
	return group.Wait()
}

// makeNamespace makes its service account too, as the controller manager would.
func (w *world) makeNamespace(ctx context.Context, n int) error {
	name := namespaceOf(n)
	if _, err := w.client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
		return err
	}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
	_, err := w.client.CoreV1().ServiceAccounts(name).Create(ctx, account, metav1.CreateOptions{})
	return err
}

func (w *world) makeNode(ctx context.Context, n int) error {
	pods := netip.PrefixFrom(podAddress(n, 0), 24).String()
	_, err := w.client.CoreV1().Nodes().Create(ctx, &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: nodeName(n), Labels: map[string]string{"kubernetes.io/hostname": nodeName(n)}},
		Spec:       corev1.NodeSpec{PodCIDR: pods, PodCIDRs: []string{pods}},
	}, metav1.CreateOptions{})
	return err
}

func (w *world) makeService(ctx context.Context, n int) error {
	_, err := w.client.CoreV1().Services(namespaceOf(n)).Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: serviceName(n)},
		Spec: corev1.ServiceSpec{Selector: map[string]string{"app": serviceName(n)},
			Ports: []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromInt32(8080)}}},
	}, metav1.CreateOptions{})
	return err
}

// makePod puts a pod into a place.
func (w *world) makePod(ctx context.Context, n, generation int) error {
	pod := w.pod(n, generation)
	w.places[n] = pod.Name
	_, err := w.client.CoreV1().Pods(pod.Namespace).Create(ctx, pod, metav1.CreateOptions{})
	return err
}

// pod is the manifest of a pod for a place. It is as long as those of real ones, since the controller has to read it.
func (w *world) pod(n, generation int) *corev1.Pod {
	service := w.serviceAt(n)
	off, hash := false, "6b7f9c54d8"
	var env []corev1.EnvVar
	for i := range 12 {
		env = append(env, corev1.EnvVar{Name: fmt.Sprintf("SETTING_%d", i), Value: fmt.Sprintf("value of setting %d of %s", i, serviceName(service))})
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespaceOf(service), Name: fmt.Sprintf("%s-%s-%d-%d", serviceName(service), hash, n, generation),
			Labels: map[string]string{"app": serviceName(service), "pod-template-hash": hash, "tier": "backend"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Controller: new(true),
				Name: serviceName(service) + "-" + hash, UID: "0b0c8bb1-6b63-4b0e-9d0c-6d1f4f7a3c1e"}},
			Annotations: map[string]string{"example.com/configured-by": "a line of a hundred bytes or so that an operator has left on the pod for its own use"}},
		Spec: corev1.PodSpec{NodeName: nodeName(w.nodeAt(n)), AutomountServiceAccountToken: &off,
			Containers: []corev1.Container{{Name: "app", Image: "registry.example/" + serviceName(service) + ":1.2.3", Env: env,
				Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}}}}},
	}
}
