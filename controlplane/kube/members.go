package kube

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// members tells the sink what stands behind each service. The endpoints of a service are spread over slices,
// and one endpoint can be in several (while it moves, or with other ports), so that the slices are
// remembered. It is used by one reflector, from one goroutine.
type members struct {
	cluster *cluster
	slices  map[serviceKey]map[string]slice // by service and name of the slice
}

type serviceKey struct{ namespace, name string }

// slice is what one EndpointSlice contributes.
type slice struct {
	members   []inventory.Member
	triggered time.Time // when what led to its last change happened, if known
}

func newMembers(c *cluster) *members {
	return &members{cluster: c, slices: map[serviceKey]map[string]slice{}}
}

// Add implements cache.ReflectorStore.
func (m *members) Add(object any) error { return m.seen("added", object) }

// Update implements cache.ReflectorStore.
func (m *members) Update(object any) error { return m.seen("modified", object) }

// Delete implements cache.ReflectorStore.
func (m *members) Delete(object any) error {
	return m.change("deleted", object, func(of map[string]slice, o *discoveryv1.EndpointSlice) time.Time {
		delete(of, o.Name)
		return time.Time{}
	})
}

// Resync implements cache.ReflectorStore.
func (m *members) Resync() error { return nil }

func (m *members) seen(event string, object any) error {
	return m.change(event, object, func(of map[string]slice, o *discoveryv1.EndpointSlice) time.Time {
		is := m.slice(o)
		was := of[o.Name]
		of[o.Name] = is
		if is.triggered.Equal(was.triggered) {
			return time.Time{}
		}
		return is.triggered
	})
}

// change applies an event to the slices of its service and records how the members differ
// by it. apply gives when that happened, if it is known.
func (m *members) change(event string, object any, apply func(map[string]slice, *discoveryv1.EndpointSlice) time.Time) error {
	m.cluster.metrics.events.WithLabelValues(m.cluster.name, "endpointslices", event).Inc()
	o, ok := object.(*discoveryv1.EndpointSlice)
	if !ok {
		return fmt.Errorf("endpointslices: %s a %T", event, object)
	}
	key, ok := serviceOf(o)
	if !ok {
		return nil
	}
	before := merge(m.slices[key])
	if m.slices[key] == nil {
		m.slices[key] = map[string]slice{}
	}
	at := m.cluster.now()
	since := happened(apply(m.slices[key], o), at)
	after := merge(m.slices[key])
	if len(m.slices[key]) == 0 {
		delete(m.slices, key)
	}
	var changes []inventory.Change
	for ref := range before {
		if _, stays := after[ref]; !stays {
			changes = append(changes, inventory.Ended(ref, since))
		}
	}
	for _, member := range after {
		changes = append(changes, inventory.Became(member, since))
	}
	m.cluster.sink.Record(changes...)
	return nil
}

// Replace implements cache.ReflectorStore.
func (m *members) Replace(objects []any, _ string) error {
	m.cluster.metrics.events.WithLabelValues(m.cluster.name, "endpointslices", "list").Inc()
	m.slices = map[serviceKey]map[string]slice{}
	for _, object := range objects {
		o, ok := object.(*discoveryv1.EndpointSlice)
		if !ok {
			return fmt.Errorf("endpointslices: listed a %T", object)
		}
		key, ok := serviceOf(o)
		if !ok {
			continue
		}
		if m.slices[key] == nil {
			m.slices[key] = map[string]slice{}
		}
		m.slices[key][o.Name] = m.slice(o)
	}
	var facts []inventory.Fact
	for _, of := range m.slices {
		for _, member := range merge(of) {
			facts = append(facts, member)
		}
	}
	m.cluster.sink.Replace(inventory.KindMember, m.cluster.name, facts, m.cluster.now())
	return nil
}

func serviceOf(o *discoveryv1.EndpointSlice) (serviceKey, bool) {
	name := o.Labels[discoveryv1.LabelServiceName]
	return serviceKey{o.Namespace, name}, name != "" && o.AddressType != discoveryv1.AddressTypeFQDN
}

func (m *members) slice(o *discoveryv1.EndpointSlice) slice {
	var s slice
	if text, ok := o.Annotations[corev1.EndpointsLastChangeTriggerTime]; ok {
		if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
			s.triggered = t
		}
	}
	var ports []inventory.MemberPort
	for _, p := range o.Ports {
		if p.Port != nil {
			ports = append(ports, inventory.MemberPort{Name: deref(p.Name, ""), Port: uint16(*p.Port),
				Protocol: string(deref(p.Protocol, corev1.ProtocolTCP))})
		}
	}
	for _, e := range o.Endpoints {
		if member, ok := m.member(o, e); ok {
			member.Ports = ports
			s.members = append(s.members, member)
		}
	}
	return s
}

// member makes the fact of one endpoint, without its ports. Of its addresses the first counts, as it does for
// kube-proxy; a condition that is not there is as EndpointConditions documents it.
func (m *members) member(o *discoveryv1.EndpointSlice, e discoveryv1.Endpoint) (inventory.Member, bool) {
	if len(e.Addresses) == 0 {
		return inventory.Member{}, false
	}
	address, err := netip.ParseAddr(e.Addresses[0])
	if err != nil {
		return inventory.Member{}, false
	}
	ready := deref(e.Conditions.Ready, true)
	member := inventory.Member{
		Cluster: m.cluster.name, Namespace: o.Namespace, Service: o.Labels[discoveryv1.LabelServiceName],
		Address: address.Unmap(), Node: deref(e.NodeName, ""),
		Ready: ready, Serving: deref(e.Conditions.Serving, ready), Terminating: deref(e.Conditions.Terminating, false),
	}
	if t := e.TargetRef; t != nil && t.Kind == "Pod" {
		member.PodUID, member.Pod = string(t.UID), t.Name
	}
	return member, true
}

// merge makes one member of the appearances of each in several slices: with the ports of all, and usable as
// the best of them.
func merge(of map[string]slice) map[inventory.Ref]inventory.Member {
	all := map[inventory.Ref]inventory.Member{}
	for _, s := range of {
		for _, member := range s.members {
			other, ok := all[member.Ref()]
			if ok {
				member.Ports = append(slices.Clip(member.Ports), other.Ports...)
				member.Ready = member.Ready || other.Ready
				member.Serving = member.Serving || other.Serving
				member.Terminating = member.Terminating && other.Terminating
				member.Node = max(member.Node, other.Node)
			}
			all[member.Ref()] = member
		}
	}
	for ref, member := range all {
		member.Ports = slices.Clone(member.Ports)
		slices.SortFunc(member.Ports, func(a, b inventory.MemberPort) int {
			return cmp.Or(cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Port, b.Port), cmp.Compare(a.Name, b.Name))
		})
		member.Ports = slices.Compact(member.Ports)
		all[ref] = member
	}
	return all
}

func deref[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}
