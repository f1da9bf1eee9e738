package check

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

// Kubectl asks one cluster.
type Kubectl struct {
	Path       string
	Kubeconfig string
}

// Pod is what kubectl says of a pod.
type Pod struct {
	Namespace, Name, UID, IP, Node string
	HostNetwork                    bool
	Ready                          bool
	Labels                         map[string]string
}

func (k Kubectl) get(ctx context.Context, into any, args ...string) error {
	args = append([]string{"--kubeconfig", k.Kubeconfig, "get", "--all-namespaces", "-o", "json"}, args...)
	out, err := exec.CommandContext(ctx, k.Path, args...).Output()
	if err != nil {
		return fmt.Errorf("kubectl get %s: %w", strings.Join(args, " "), err)
	}
	if err := json.Unmarshal(out, into); err != nil {
		return fmt.Errorf("kubectl get %s: %w", strings.Join(args, " "), err)
	}
	return nil
}

// Pods gives the pods that are neither finished nor failed, by UID.
func (k Kubectl) Pods(ctx context.Context) (map[string]Pod, error) {
	var list struct {
		Items []struct {
			Metadata struct {
				Namespace, Name, UID string
				Labels               map[string]string
			}
			Spec struct {
				NodeName    string
				HostNetwork bool
			}
			Status struct {
				Phase, PodIP string
				Conditions   []struct{ Type, Status string }
			}
		}
	}
	if err := k.get(ctx, &list, "pods"); err != nil {
		return nil, err
	}
	pods := map[string]Pod{}
	for _, p := range list.Items {
		if p.Status.Phase == "Succeeded" || p.Status.Phase == "Failed" {
			continue
		}
		pod := Pod{Namespace: p.Metadata.Namespace, Name: p.Metadata.Name, UID: p.Metadata.UID, IP: p.Status.PodIP,
			Node: p.Spec.NodeName, HostNetwork: p.Spec.HostNetwork, Labels: p.Metadata.Labels}
		for _, c := range p.Status.Conditions {
			pod.Ready = pod.Ready || (c.Type == "Ready" && c.Status == "True")
		}
		pods[pod.UID] = pod
	}
	return pods, nil
}

// Members gives the addresses behind every service, as namespace/service to addresses.
func (k Kubectl) Members(ctx context.Context) (map[string][]string, error) {
	type metadata struct {
		Namespace, Name string
		Labels          map[string]string
	}
	var services struct{ Items []struct{ Metadata metadata } }
	if err := k.get(ctx, &services, "services"); err != nil {
		return nil, err
	}
	var list struct {
		Items []struct {
			Metadata  metadata
			Endpoints []struct{ Addresses []string }
		}
	}
	if err := k.get(ctx, &list, "endpointslices.discovery.k8s.io"); err != nil {
		return nil, err
	}
	members := map[string][]string{}
	for _, s := range services.Items {
		members[s.Metadata.Namespace+"/"+s.Metadata.Name] = nil
	}
	for _, s := range list.Items {
		name := s.Metadata.Namespace + "/" + s.Metadata.Labels["kubernetes.io/service-name"]
		if _, found := members[name]; !found {
			continue // of no service, or of one that has gone
		}
		for _, e := range s.Endpoints {
			members[name] = append(members[name], e.Addresses...)
		}
	}
	for name, addresses := range members {
		slices.Sort(addresses)
		members[name] = slices.Compact(addresses)
	}
	return members, nil
}
