package kube

import (
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// namespaces maps core/v1 Namespace.
type namespaces struct{}

func (namespaces) kind() inventory.Kind { return inventory.KindNamespace }

func (namespaces) fact(cluster string, object runtime.Object) (inventory.Fact, bool) {
	o := object.(*corev1.Namespace)
	return inventory.Namespace{Cluster: cluster, Name: o.Name, Labels: o.Labels}, true
}

func (namespaces) event(object runtime.Object, before, _ inventory.Fact, _ bool) time.Time {
	if before == nil {
		return object.(*corev1.Namespace).CreationTimestamp.Time
	}
	return time.Time{}
}

// nodes maps core/v1 Node.
type nodes struct{}

func (nodes) kind() inventory.Kind { return inventory.KindNode }

func (nodes) fact(cluster string, object runtime.Object) (inventory.Fact, bool) {
	o := object.(*corev1.Node)
	n := inventory.Node{Cluster: cluster, Name: o.Name, Labels: o.Labels, Created: o.CreationTimestamp.UTC()}
	for _, a := range o.Status.Addresses {
		if a.Type != corev1.NodeInternalIP && a.Type != corev1.NodeExternalIP {
			continue
		}
		if address, err := netip.ParseAddr(a.Address); err == nil {
			n.Addresses = append(n.Addresses, address.Unmap())
		}
	}
	for _, text := range o.Spec.PodCIDRs {
		if prefix, err := netip.ParsePrefix(text); err == nil {
			n.PodCIDRs = append(n.PodCIDRs, prefix)
		}
	}
	n.Ready, _ = nodeReady(o)
	n.Unschedulable = o.Spec.Unschedulable
	for _, c := range o.Status.Conditions {
		if c.Type != corev1.NodeReady && c.Status == corev1.ConditionTrue {
			n.Problems = append(n.Problems, string(c.Type))
		}
	}
	slices.Sort(n.Problems)
	var pods []netip.Prefix
	if n.Overlay, pods = overlay(o.Annotations); len(pods) > 0 {
		n.PodCIDRs = pods // what was allocated may not be what the plugin uses
	}
	return n, true
}

func nodeReady(o *corev1.Node) (bool, time.Time) {
	for _, c := range o.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue, c.LastTransitionTime.Time
		}
	}
	return false, time.Time{}
}

func (nodes) event(object runtime.Object, before, f inventory.Fact, _ bool) time.Time {
	o := object.(*corev1.Node)
	if before == nil {
		return o.CreationTimestamp.Time
	}
	if before.(inventory.Node).Ready != f.(inventory.Node).Ready {
		_, since := nodeReady(o)
		return since
	}
	return time.Time{}
}

// services maps core/v1 Service.
type services struct{}

func (services) kind() inventory.Kind { return inventory.KindService }

func (services) fact(cluster string, object runtime.Object) (inventory.Fact, bool) {
	o := object.(*corev1.Service)
	s := inventory.Service{
		Cluster: cluster, Namespace: o.Namespace, Name: o.Name, UID: string(o.UID), Type: string(o.Spec.Type),
		Labels: o.Labels, Selector: o.Spec.Selector, VIPs: vips(o), Created: o.CreationTimestamp.UTC(),
	}
	if o.Spec.Type == corev1.ServiceTypeExternalName {
		s.Hostnames = append(s.Hostnames, o.Spec.ExternalName)
	}
	for _, at := range o.Status.LoadBalancer.Ingress {
		if at.IP == "" && at.Hostname != "" {
			s.Hostnames = append(s.Hostnames, at.Hostname)
		}
	}
	for _, p := range o.Spec.Ports {
		target := p.TargetPort.String()
		if target == "0" {
			target = ""
		}
		s.Ports = append(s.Ports, inventory.ServicePort{Name: p.Name, Protocol: string(p.Protocol),
			Port: uint16(p.Port), TargetPort: target, NodePort: uint16(p.NodePort)})
	}
	return s, true
}

// vips gives the addresses of a service. A headless service has none ("None" does not parse).
func vips(o *corev1.Service) []inventory.VIP {
	var all []inventory.VIP
	add := func(kind, text string) {
		if address, err := netip.ParseAddr(text); err == nil {
			all = append(all, inventory.VIP{Kind: kind, Address: address.Unmap()})
		}
	}
	for _, text := range o.Spec.ClusterIPs {
		add("cluster-ip", text)
	}
	for _, text := range o.Spec.ExternalIPs {
		add("external-ip", text)
	}
	for _, ingress := range o.Status.LoadBalancer.Ingress {
		add("load-balancer", ingress.IP)
	}
	return all
}

func (services) event(object runtime.Object, before, _ inventory.Fact, _ bool) time.Time {
	if before == nil {
		return object.(*corev1.Service).CreationTimestamp.Time
	}
	return time.Time{}
}
