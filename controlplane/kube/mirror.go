package kube

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// mapping makes facts of one sort of objects.
type mapping interface {
	kind() inventory.Kind
	// fact gives what the object is now, and false when it counts as ended.
	fact(cluster string, object runtime.Object) (f inventory.Fact, exists bool)
	// event gives when the object became f, after before (nil: it began), or when it ended
	// without being deleted; the zero time when the object does not say.
	event(object runtime.Object, before inventory.Fact, f inventory.Fact, exists bool) time.Time
}

// mirror tells the sink what a reflector sees of a resource whose objects are a fact each.
type mirror struct {
	cluster  *cluster
	resource string
	mapping  mapping
}

func newMirror(c *cluster, resource string, m mapping) *mirror {
	return &mirror{cluster: c, resource: resource, mapping: m}
}

// Add implements cache.ReflectorStore.
func (m *mirror) Add(object any) error { return m.seen("added", object) }

// Update implements cache.ReflectorStore.
func (m *mirror) Update(object any) error { return m.seen("modified", object) }

func (m *mirror) seen(event string, object any) error {
	o, err := m.take(event, object)
	if err != nil {
		return err
	}
	m.cluster.sink.Record(m.change(m.cluster.sink.Now(), o, m.cluster.now()))
	return nil
}

// Delete implements cache.ReflectorStore.
func (m *mirror) Delete(object any) error {
	o, err := m.take("deleted", object)
	if err != nil {
		return err
	}
	f, _ := m.mapping.fact(m.cluster.name, o)
	m.cluster.sink.Record(inventory.Ended(f.Ref(), m.cluster.now()))
	return nil
}

// Replace implements cache.ReflectorStore. What changed while nobody watched goes in first, with its
// own times.
func (m *mirror) Replace(objects []any, _ string) error {
	m.cluster.metrics.events.WithLabelValues(m.cluster.name, m.resource, "list").Inc()
	at, known := m.cluster.now(), m.cluster.sink.Now()
	changes := make([]inventory.Change, 0, len(objects))
	facts := make([]inventory.Fact, 0, len(objects))
	for _, object := range objects {
		o, ok := object.(runtime.Object)
		if !ok {
			return fmt.Errorf("%s: listed a %T", m.resource, object)
		}
		c := m.change(known, o, at)
		changes = append(changes, c)
		if c.Fact != nil {
			facts = append(facts, c.Fact)
		}
	}
	m.cluster.sink.Record(changes...)
	m.cluster.sink.Replace(m.mapping.kind(), m.cluster.name, facts, at)
	m.cluster.health.complete(m.resource)
	return nil
}

// Resync implements cache.ReflectorStore.
func (m *mirror) Resync() error { return nil }

func (m *mirror) take(event string, object any) (runtime.Object, error) {
	m.cluster.metrics.events.WithLabelValues(m.cluster.name, m.resource, event).Inc()
	o, ok := object.(runtime.Object)
	if !ok {
		return nil, fmt.Errorf("%s: %s a %T", m.resource, event, object)
	}
	return o, nil
}

// change is what an object received at a time means.
func (m *mirror) change(known inventory.View, o runtime.Object, at time.Time) inventory.Change {
	f, exists := m.mapping.fact(m.cluster.name, o)
	before, _ := known.Get(f.Ref())
	event := happened(m.mapping.event(o, before.Fact, f, exists), at)
	if !exists {
		return inventory.Ended(f.Ref(), event)
	}
	return inventory.Became(f, event)
}
