package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/fabricscope/fabricscope/bmv2-lab/cluster/process"
	"github.com/fabricscope/fabricscope/bmv2-lab/node/netns"
)

// place is where a pod lives on this machine: its namespace, address and, if
// it has a token, the relay of the API server.
type place struct {
	name      string // of the namespace; empty on the host network
	namespace *netns.Namespace
	node      *netns.Namespace
	device    string // the bridge's end of the veth pair
	release   func() // lets the address go
	relay     *relay
	sandbox   sandbox
}

// remove may be called on a place that is only partly made.
func (p *place) remove() error {
	if p.relay != nil {
		p.relay.Stop()
	}
	var problems []error
	if p.name != "" {
		// The namespace's end would remove the veth pair too, but in the
		// kernel's own time.
		if _, err := p.node.Run(context.Background(), "", "ip", "link", "del", p.device); err != nil && !alreadyGone(err) {
			problems = append(problems, err)
		}
		if p.namespace != nil {
			problems = append(problems, p.namespace.Close())
		}
		problems = append(problems, netns.Remove(p.name))
	}
	if p.release != nil {
		p.release()
	}
	return errors.Join(problems...)
}

// build makes the pod's place and starts its containers. What cannot be made
// is removed, shown as the reason why the containers wait, and tried again.
func (w *podWorker) build(ctx context.Context) {
	err := unsupported(w.pod)
	if err == nil {
		err = w.makePlace(ctx)
	}
	if err != nil {
		w.logger.Error("cannot make a pod", "error", err)
		if w.place != nil {
			err = errors.Join(err, w.place.remove())
			w.place, w.state.podIP = nil, netip.Addr{}
		}
		for i := range w.state.containers {
			w.state.containers[i].waitingReason, w.state.containers[i].waitingMessage = "CreateContainerError", err.Error()
		}
		w.retry = time.Now().Add(backoffLast / 6)
		return
	}
	for i := range w.pod.Spec.Containers {
		w.startContainer(ctx, i)
	}
}

func (w *podWorker) makePlace(ctx context.Context) error {
	directory := w.directory()
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return fmt.Errorf("make the pod's directory: %w", err)
	}
	w.place = &place{sandbox: sandbox{hostname: w.pod.Name, directory: directory}}
	if w.pod.Spec.HostNetwork {
		w.place.namespace, w.state.podIP = w.kit.namespace, w.kit.config.Address
	} else if err := w.makeNamespace(ctx); err != nil {
		return err
	}
	w.place.sandbox.namespace = w.place.namespace
	if w.pod.Spec.DNSPolicy == corev1.DNSClusterFirst && !w.pod.Spec.HostNetwork {
		path := filepath.Join(directory, "resolv.conf")
		content := resolvConf(w.pod.Namespace, w.kit.config.ClusterDomain, w.kit.config.ClusterDNS)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			return fmt.Errorf("write the pod's resolv.conf: %w", err)
		}
		w.place.sandbox.resolvConf = path
	}
	if !wantsToken(w.pod) {
		return nil
	}
	kubeconfig, renewal, err := writeToken(ctx, w.kit.client, w.kit.api, w.pod, directory)
	if err != nil {
		return err
	}
	w.renewal = renewal
	w.place.sandbox.extra = []string{"KUBECONFIG=" + kubeconfig}
	if !w.pod.Spec.HostNetwork { // the node's own relay is there already
		w.place.relay, err = startRelay(w.place.namespace, w.kit.relayed, w.kit.metrics.relayConnections)
	}
	return err
}

// makeNamespace makes the pod's network namespace and joins it to the bridge.
func (w *podWorker) makeNamespace(ctx context.Context) error {
	address, err := w.kit.pool.take()
	if err != nil {
		return err
	}
	w.place.release = func() { w.kit.pool.release(address) }
	w.place.name = podNamespacePrefix(w.kit.config.Name) + shortUID(w.pod.UID)
	w.place.node, w.place.device = w.kit.namespace, "veth"+shortUID(w.pod.UID)
	if err := netns.Remove(w.place.name); err != nil {
		return err
	}
	if w.place.namespace, err = netns.Add(w.place.name); err != nil {
		return err
	}
	prefix := netip.PrefixFrom(address, w.kit.pool.prefix.Bits())
	err = connectPod(ctx, w.kit.namespace, w.place.namespace, w.place.name, w.place.device, prefix, w.kit.pool.gateway, w.kit.config.Overlay.MTU())
	if err != nil {
		return err
	}
	w.state.podIP = address
	return nil
}

// podNamespacePrefix begins the names of the network namespaces of a node's pods.
func podNamespacePrefix(node string) string { return "fabriclab-" + node + "-pod-" }

// shortUID tells pods of one node apart in the 15 bytes of a device's name.
func shortUID(uid types.UID) string {
	return string(uid[:min(len(uid), 8)])
}

// startContainer starts a container's process and its probe. A failure is shown
// as the reason why it waits, and tried again like the end of a process.
func (w *podWorker) startContainer(ctx context.Context, index int) {
	spec, state, run := w.pod.Spec.Containers[index], &w.state.containers[index], &w.runs[index]
	started, err := w.launch(spec)
	if err != nil {
		w.logger.Error("cannot start a container", "container", spec.Name, "error", err)
		state.waitingReason, state.waitingMessage = waitingReason(err), err.Error()
		run.backoff = min(max(2*run.backoff, backoffFirst), backoffLast)
		run.restartAt = time.Now().Add(run.backoff)
		return
	}
	w.kit.metrics.containerStarts.Inc()
	run.process = started
	run.number++
	state.running, state.started, state.ready = true, started.Started(), spec.ReadinessProbe == nil
	state.waitingReason, state.waitingMessage = "", ""
	state.id = "process://" + strconv.Itoa(started.PID())
	number := run.number
	w.helpers.Go(func() {
		<-started.Done()
		w.events <- podEvent{container: index, number: number, exited: true}
	})
	if spec.ReadinessProbe == nil {
		return
	}
	probing, stop := context.WithCancel(ctx)
	run.stopProbe = stop
	prober := &prober{probe: spec.ReadinessProbe, ports: spec.Ports, address: w.state.podIP.String(), namespace: w.place.namespace, unit: time.Second}
	w.helpers.Go(func() {
		prober.run(probing, func(ready bool, reason error) {
			w.events <- podEvent{container: index, number: number, ready: ready, reason: reason}
		})
	})
}

func (w *podWorker) launch(spec corev1.Container) (*process.Process, error) {
	variables, known, err := environment(w.pod, spec, podFacts{podIP: w.state.podIP, hostIP: w.state.hostIP})
	if err != nil {
		return nil, fmt.Errorf("container %s: %w", spec.Name, err)
	}
	command, err := commandOf(spec, w.kit.config.Images, known)
	if err != nil {
		return nil, fmt.Errorf("container %s: %w", spec.Name, err)
	}
	return startContainer(w.place.sandbox, spec, command, variables)
}

func (w *podWorker) renewToken(ctx context.Context) {
	_, renewal, err := writeToken(ctx, w.kit.client, w.kit.api, w.pod, w.directory())
	if err != nil {
		w.logger.Warn("cannot renew the pod's token, will try again", "error", err)
		renewal = time.Now().Add(10 * time.Second)
	}
	w.renewal = renewal
}

// statusPatch is a strategic merge patch of a pod's status: conditions merge by
// their type, so the scheduler's stay.
type statusPatch struct {
	Metadata struct {
		UID types.UID `json:"uid"`
	} `json:"metadata"`
	Status corev1.PodStatus `json:"status"`
}

func patchStatus(ctx context.Context, client kubernetes.Interface, pod *corev1.Pod, status corev1.PodStatus) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	patch := statusPatch{Status: status}
	patch.Metadata.UID = pod.UID
	body, err := json.Marshal(patch)
	if err != nil {
		return fmt.Errorf("encode a pod's status: %w", err)
	}
	_, err = client.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, types.StrategicMergePatchType, body, metav1.PatchOptions{}, "status")
	if apierrors.IsNotFound(err) {
		return nil // deleted: the informer says so, too
	}
	return err
}

// forget reports the end of the pod's containers and deletes its object, which
// has waited for that. It tries until it succeeds or the context ends.
func (w *podWorker) forget(ctx context.Context) {
	now := int64(0)
	options := metav1.DeleteOptions{GracePeriodSeconds: &now, Preconditions: &metav1.Preconditions{UID: &w.pod.UID}}
	for {
		if w.state.podIP.IsValid() {
			w.report(ctx)
		}
		err := w.kit.client.CoreV1().Pods(w.pod.Namespace).Delete(ctx, w.pod.Name, options)
		if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
			return
		}
		if ctx.Err() == nil {
			w.logger.Warn("cannot delete the pod's object, will try again", "error", err)
		}
		if !sleep(ctx, 500*time.Millisecond) {
			return
		}
	}
}
