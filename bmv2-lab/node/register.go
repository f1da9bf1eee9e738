package node

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// agentVersion is what the Node object says of its kubelet.
const agentVersion = "fabriclab"

// register makes the Node object, or brings one of an earlier run up to date,
// and waits for the controller manager to give it a pod CIDR.
func (a *Agent) register(ctx context.Context) (netip.Prefix, error) {
	wanted, err := a.nodeObject()
	if err != nil {
		return netip.Prefix{}, err
	}
	nodes := a.kit.client.CoreV1().Nodes()
	_, err = nodes.Create(ctx, wanted, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		patch, encodeErr := json.Marshal(metadataPatch{Metadata: metadata{Labels: wanted.Labels, Annotations: wanted.Annotations}})
		if encodeErr != nil {
			return netip.Prefix{}, fmt.Errorf("encode the node's metadata: %w", encodeErr)
		}
		_, err = nodes.Patch(ctx, wanted.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{})
	}
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("register node %s at %s: %w", wanted.Name, a.kit.api.Host, err)
	}
	if err := a.reportNode(ctx, false, "the overlay is not set up"); err != nil {
		return netip.Prefix{}, err
	}
	for {
		node, err := nodes.Get(ctx, wanted.Name, metav1.GetOptions{})
		if err != nil {
			return netip.Prefix{}, fmt.Errorf("wait for the pod CIDR of node %s: %w", wanted.Name, err)
		}
		if node.Spec.PodCIDR != "" {
			return netip.ParsePrefix(node.Spec.PodCIDR)
		}
		if !sleep(ctx, 50*time.Millisecond) {
			return netip.Prefix{}, fmt.Errorf("wait for the pod CIDR of node %s (the controller manager gives it): %w", wanted.Name, ctx.Err())
		}
	}
}

type metadata struct {
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type metadataPatch struct {
	Metadata metadata `json:"metadata"`
}

func (a *Agent) nodeObject() (*corev1.Node, error) {
	annotations, err := overlayAnnotations(a.config.Overlay, a.config.Address)
	if err != nil {
		return nil, err
	}
	labels := map[string]string{
		corev1.LabelHostname:   a.config.Name,
		corev1.LabelOSStable:   runtime.GOOS,
		corev1.LabelArchStable: runtime.GOARCH,
	}
	maps.Copy(labels, a.config.Labels)
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: a.config.Name, Labels: labels, Annotations: annotations},
	}, nil
}

type nodeStatusPatch struct {
	Status corev1.NodeStatus `json:"status"`
}

// reportNode sends the node's status: addresses, capacity and conditions.
func (a *Agent) reportNode(ctx context.Context, ready bool, message string) error {
	capacity := corev1.ResourceList{
		corev1.ResourceCPU:    *resource.NewQuantity(int64(runtime.NumCPU()), resource.DecimalSI),
		corev1.ResourceMemory: resource.MustParse("4Gi"),
		corev1.ResourcePods:   resource.MustParse("110"),
	}
	now := metav1.Now()
	state, reason := corev1.ConditionFalse, "AgentNotReady"
	if ready {
		state, reason = corev1.ConditionTrue, "AgentReady"
	}
	conditions := []corev1.NodeCondition{{
		Type: corev1.NodeReady, Status: state, Reason: reason, Message: message, LastHeartbeatTime: now, LastTransitionTime: now,
	}}
	for _, pressure := range []corev1.NodeConditionType{corev1.NodeMemoryPressure, corev1.NodeDiskPressure, corev1.NodePIDPressure} {
		conditions = append(conditions, corev1.NodeCondition{
			Type: pressure, Status: corev1.ConditionFalse, Reason: "NotMeasured", LastHeartbeatTime: now, LastTransitionTime: now,
		})
	}
	patch, err := json.Marshal(nodeStatusPatch{Status: corev1.NodeStatus{
		Capacity:    capacity,
		Allocatable: capacity,
		Conditions:  conditions,
		Addresses: []corev1.NodeAddress{
			{Type: corev1.NodeInternalIP, Address: a.config.Address.String()},
			{Type: corev1.NodeHostName, Address: a.config.Name},
		},
		NodeInfo: corev1.NodeSystemInfo{
			OperatingSystem:         runtime.GOOS,
			Architecture:            runtime.GOARCH,
			KubeletVersion:          agentVersion,
			ContainerRuntimeVersion: "process://1",
		},
	}})
	if err != nil {
		return fmt.Errorf("encode the node's status: %w", err)
	}
	_, err = a.kit.client.CoreV1().Nodes().Patch(ctx, a.config.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	if err != nil {
		return fmt.Errorf("report the status of node %s: %w", a.config.Name, err)
	}
	return nil
}

// keepLease renews the node's Lease, by which the controller manager sees that
// the node lives, until the context ends.
func (a *Agent) keepLease(ctx context.Context) {
	for {
		if err := a.renewLease(ctx); err != nil && ctx.Err() == nil {
			a.logger.Warn("cannot renew the node's lease, will try again", "error", err)
		}
		if !sleep(ctx, a.config.LeaseInterval) {
			return
		}
	}
}

func (a *Agent) renewLease(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, a.config.LeaseInterval)
	defer cancel()
	leases := a.kit.client.CoordinationV1().Leases(corev1.NamespaceNodeLease)
	seconds := int32(4 * a.config.LeaseInterval / time.Second)
	seconds = max(seconds, 1)
	now := metav1.NowMicro()
	spec := coordinationv1.LeaseSpec{HolderIdentity: &a.config.Name, LeaseDurationSeconds: &seconds, RenewTime: &now}
	lease, err := leases.Get(ctx, a.config.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		_, err = leases.Create(ctx, &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: a.config.Name}, Spec: spec}, metav1.CreateOptions{})
		return err
	}
	if err != nil {
		return err
	}
	lease.Spec = spec
	_, err = leases.Update(ctx, lease, metav1.UpdateOptions{})
	return err
}

// peersOf reads the overlay's peers from the nodes there are; nodes whose
// annotations cannot be read are left out and named in the error's text.
func peersOf(nodes []*corev1.Node, self string, vni uint32) (map[string]peer, error) {
	peers, problems := map[string]peer{}, []string{}
	for _, node := range nodes {
		if node.Name == self {
			continue
		}
		found, ok, err := peerOf(node, vni)
		if err != nil {
			problems = append(problems, err.Error())
		}
		if ok {
			peers[node.Name] = found
		}
	}
	if len(problems) > 0 {
		slices.Sort(problems)
		return peers, fmt.Errorf("overlay peers left out: %s", strings.Join(problems, "; "))
	}
	return peers, nil
}
