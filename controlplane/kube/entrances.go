package kube

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/tools/cache"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// entrances tells the sink of Ingresses and Gateways. A Gateway's services are named by its routes, so that
// what several reflectors bring is remembered here, and one change can mean another entrance.
type entrances struct {
	cluster *cluster

	mu     sync.Mutex
	parts  map[string]*part // guarded by mu; by resource
	before map[inventory.Ref]inventory.Entrance
}

// part is what one resource contributes.
type part struct {
	owner    *entrances
	resource string
	listed   bool              // guarded by the owner's mu
	objects  map[objectKey]any // guarded by the owner's mu; an inventory.Entrance or a route each
}

type objectKey struct{ namespace, name string }

// route is what a route of the Gateway API says: which services the gateways that it names lead to.
type route struct {
	gateways []objectKey
	services []string
}

func newEntrances(c *cluster) *entrances {
	return &entrances{cluster: c, parts: map[string]*part{}, before: map[inventory.Ref]inventory.Entrance{}}
}

// part is the store of a resource's reflector.
func (e *entrances) part(resource string) cache.ReflectorStore {
	e.mu.Lock()
	defer e.mu.Unlock()
	p := &part{owner: e, resource: resource, objects: map[objectKey]any{}}
	e.parts[resource] = p
	return p
}

// drop takes a resource out whose API is gone, with all that it contributed.
func (e *entrances) drop(resource string) {
	e.change(func() { delete(e.parts, resource) })
}

// change applies a change and records how the entrances differ by it.
func (e *entrances) change(apply func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	apply()
	after := e.facts()
	at := e.cluster.now()
	var changes []inventory.Change
	for ref := range e.before {
		if _, stays := after[ref]; !stays {
			changes = append(changes, inventory.Ended(ref, at))
		}
	}
	for _, f := range after {
		changes = append(changes, inventory.Became(f, at))
	}
	e.before = after
	e.cluster.sink.Record(changes...)
}

// facts derives the entrances from the parts. e.mu is held.
func (e *entrances) facts() map[inventory.Ref]inventory.Entrance {
	all := map[inventory.Ref]inventory.Entrance{}
	behind := map[objectKey][]string{} // services by gateway
	for _, p := range e.parts {
		for _, o := range p.objects {
			if r, ok := o.(route); ok {
				for _, g := range r.gateways {
					behind[g] = append(behind[g], r.services...)
				}
			}
		}
	}
	for _, p := range e.parts {
		for key, o := range p.objects {
			f, ok := o.(inventory.Entrance)
			if !ok {
				continue
			}
			if f.Kind == inventory.EntranceGateway {
				f.Services = slices.Compact(slices.Sorted(slices.Values(behind[key])))
			}
			all[f.Ref()] = f
		}
	}
	return all
}

// Add implements cache.ReflectorStore.
func (p *part) Add(object any) error { return p.seen("added", object) }

// Update implements cache.ReflectorStore.
func (p *part) Update(object any) error { return p.seen("modified", object) }

func (p *part) seen(event string, object any) error {
	key, o, err := p.read(event, object)
	if err != nil {
		return err
	}
	p.owner.change(func() { p.objects[key] = o })
	return nil
}

// Delete implements cache.ReflectorStore.
func (p *part) Delete(object any) error {
	key, _, err := p.read("deleted", object)
	if err != nil {
		return err
	}
	p.owner.change(func() { delete(p.objects, key) })
	return nil
}

// Resync implements cache.ReflectorStore.
func (p *part) Resync() error { return nil }

// Replace implements cache.ReflectorStore. Once everything is listed, entrances that an earlier run knew and
// that are no more end, too.
func (p *part) Replace(objects []any, _ string) error {
	fresh := map[objectKey]any{}
	for _, object := range objects {
		key, o, err := p.read("list", object)
		if err != nil {
			return err
		}
		fresh[key] = o
	}
	p.owner.change(func() { p.objects, p.listed = fresh, true })
	p.owner.level()
	return nil
}

// level ends what nothing that was listed contributes to.
func (e *entrances) level() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for p := range maps.Values(e.parts) {
		if !p.listed {
			return
		}
	}
	var facts []inventory.Fact
	for _, f := range e.before {
		facts = append(facts, f)
	}
	e.cluster.sink.Replace(inventory.KindEntrance, e.cluster.name, facts, e.cluster.now())
}

// read takes from an object what is used of it.
func (p *part) read(event string, object any) (objectKey, any, error) {
	c := p.owner.cluster
	c.metrics.events.WithLabelValues(c.name, p.resource, event).Inc()
	o, err := meta.Accessor(object)
	if err != nil {
		return objectKey{}, nil, fmt.Errorf("%s: %s a %T", p.resource, event, object)
	}
	key := objectKey{o.GetNamespace(), o.GetName()}
	if i, ok := object.(*networkingv1.Ingress); ok {
		return key, ingress(c.name, i), nil
	}
	slim, err := readGatewayObject(c.name, p.resource, object)
	return key, slim, err
}

// ingress maps networking.k8s.io/v1 Ingress.
func ingress(cluster string, o *networkingv1.Ingress) inventory.Entrance {
	f := inventory.Entrance{Cluster: cluster, Kind: inventory.EntranceIngress, Namespace: o.Namespace, Name: o.Name,
		Class: deref(o.Spec.IngressClassName, ""), Ports: []uint16{80}}
	if len(o.Spec.TLS) > 0 {
		f.Ports = append(f.Ports, 443)
	}
	for _, at := range o.Status.LoadBalancer.Ingress {
		f.Addresses, f.Hostnames = place(f.Addresses, f.Hostnames, at.IP, at.Hostname)
	}
	backend := func(b *networkingv1.IngressBackend) {
		if b != nil && b.Service != nil {
			f.Services = append(f.Services, o.Namespace+"/"+b.Service.Name)
		}
	}
	backend(o.Spec.DefaultBackend)
	for _, r := range o.Spec.Rules {
		if r.HTTP != nil {
			for _, path := range r.HTTP.Paths {
				backend(&path.Backend)
			}
		}
	}
	slices.Sort(f.Services)
	f.Services = slices.Compact(f.Services)
	return f
}

// place adds where a load balancer answers: an address, or a name where it has none.
func place(addresses []netip.Addr, names []string, ip, name string) ([]netip.Addr, []string) {
	if address, err := netip.ParseAddr(ip); err == nil {
		return append(addresses, address.Unmap()), names
	}
	if name != "" {
		names = append(names, name)
	}
	return addresses, names
}
