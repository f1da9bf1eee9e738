package kube_test

import (
	"context"
	"fmt"
	"path/filepath"

	gocmp "github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fabricscope/fabricscope/bmv2-lab/cluster"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// conditions lets the cluster's own controller write EndpointSlices, of pods that are ready, that are not, and that
// are being deleted and answer still, for a service that wants only members that are ready and one that takes all.
func (w *world) conditions() {
	w.Helper()
	ctx := context.Background()
	config := w.server.kubeconfig(w.server.url())
	w.server.start("kube-controller-manager", filepath.Join(w.server.binaries, cluster.KubeControllerManager),
		"--kubeconfig="+config, "--controllers=endpointslice-controller", "--leader-elect=false", "--secure-port=0")
	core := w.server.client.CoreV1()
	_, err := core.Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "rollout"}}, metav1.CreateOptions{})
	w.must(err)
	for name, all := range map[string]bool{"ready-only": false, "everyone": true} {
		_, err := core.Services("rollout").Create(ctx, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "db"}, PublishNotReadyAddresses: all, ClusterIP: corev1.ClusterIPNone,
				Ports: []corev1.ServicePort{{Port: 5432}}}}, metav1.CreateOptions{})
		w.must(err)
	}
	for name, ready := range map[string]corev1.ConditionStatus{"up": corev1.ConditionTrue, "starting": corev1.ConditionFalse, "leaving": corev1.ConditionTrue} {
		w.database(name, ready)
	}
	w.must(core.Pods("rollout").Delete(ctx, "leaving", metav1.DeleteOptions{GracePeriodSeconds: new(int64(600))}))
	w.conditionsAre(map[string]string{
		"ready-only up":       "ready serving",
		"ready-only starting": "",
		"ready-only leaving":  "serving terminating",
		"everyone up":         "ready serving",
		"everyone starting":   "ready",
		"everyone leaving":    "ready serving terminating",
	})
	// It drains, and its probe fails while it is there.
	w.answers("leaving", corev1.ConditionFalse)
	w.conditionsAre(map[string]string{
		"ready-only up":       "ready serving",
		"ready-only starting": "",
		"ready-only leaving":  "terminating",
		"everyone up":         "ready serving",
		"everyone starting":   "ready",
		"everyone leaving":    "ready terminating",
	})
	w.must(core.Pods("rollout").Delete(ctx, "leaving", metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))}))
	w.answers("starting", corev1.ConditionTrue)
	w.conditionsAre(map[string]string{
		"ready-only up":       "ready serving",
		"ready-only starting": "ready serving",
		"everyone up":         "ready serving",
		"everyone starting":   "ready serving",
	})
}

// database makes a pod that runs on the node, and is ready or not.
func (w *world) database(name string, ready corev1.ConditionStatus) {
	w.Helper()
	_, err := w.server.client.CoreV1().Pods("rollout").Create(context.Background(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": "db"}},
		Spec:       corev1.PodSpec{NodeName: "w1", Containers: []corev1.Container{{Name: "db", Image: "db"}}}}, metav1.CreateOptions{})
	w.must(err)
	w.answers(name, ready)
}

// answers reports whether a pod is ready, as a kubelet does.
func (w *world) answers(name string, ready corev1.ConditionStatus) {
	w.Helper()
	ctx, api := context.Background(), w.server.client.CoreV1().Pods("rollout")
	address := map[string]string{"up": "10.244.1.201", "starting": "10.244.1.202", "leaving": "10.244.1.203"}[name]
	eventually(w.T, "status of "+name, func() error {
		p, err := api.Get(ctx, name, metav1.GetOptions{})
		w.must(err)
		p.Status = corev1.PodStatus{Phase: corev1.PodRunning, PodIP: address, PodIPs: []corev1.PodIP{{IP: address}},
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: ready, LastTransitionTime: metav1.Now()}}}
		if _, err = api.UpdateStatus(ctx, p, metav1.UpdateOptions{}); apierrors.IsConflict(err) {
			return err
		}
		w.must(err)
		return nil
	})
}

// conditionsAre waits until these are the members of the services in blue, by service and pod, with what is true of them.
func (w *world) conditionsAre(want map[string]string) {
	w.Helper()
	eventually(w.T, "conditions of members", func() error {
		got := map[string]string{}
		for e := range w.store.Now().All(inventory.KindMember) {
			m := e.Fact.(inventory.Member)
			if m.Cluster != "blue" || m.Namespace != "rollout" {
				continue
			}
			text := ""
			for _, c := range []struct {
				name string
				is   bool
			}{{"ready", m.Ready}, {"serving", m.Serving}, {"terminating", m.Terminating}} {
				if c.is {
					text += " " + c.name
				}
			}
			got[m.Service+" "+m.Pod] = text[min(1, len(text)):]
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			return fmt.Errorf("(-want +got):\n%s", diff)
		}
		return nil
	})
}
