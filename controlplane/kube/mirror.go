package kube

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/cache"

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

// Transformer implements cache.TransformingStore: of what is listed only what it means is kept until all of it has come.
func (m *mirror) Transformer() cache.TransformFunc {
	return func(object any) (any, error) {
		o, ok := object.(runtime.Object)
		if !ok {
			return nil, fmt.Errorf("%s: listed a %T", m.resource, object)
		}
		return &sighting{Change: m.change(m.cluster.sink.Now(), o, m.cluster.now())}, nil
	}
}

// sighting is what an object that was listed means. A reflector takes it for the object.
type sighting struct {
	inventory.Change
	recorded bool
}

// GetObjectKind implements runtime.Object.
func (s *sighting) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }

// DeepCopyObject implements runtime.Object.
func (s *sighting) DeepCopyObject() runtime.Object {
	c := *s
	return &c
}

// part implements partial: what is listed is on its way to the disk while the rest is still asked for.
func (m *mirror) part(objects []runtime.Object) error {
	changes := make([]inventory.Change, len(objects))
	for i, o := range objects {
		s, ok := o.(*sighting)
		if !ok {
			return fmt.Errorf("%s: listed a %T", m.resource, o)
		}
		changes[i], s.recorded = s.Change, true
	}
	m.cluster.sink.Record(changes...)
	return nil
}

// portion is how many changes of a list are recorded at once, so that not all wait for the disk in memory.
const portion = 1000

// Replace implements cache.ReflectorStore. What changed while nobody watched goes in first, with its
// own times.
func (m *mirror) Replace(objects []any, _ string) error {
	m.cluster.metrics.events.WithLabelValues(m.cluster.name, m.resource, "list").Inc()
	at := m.cluster.now()
	there := make(map[inventory.Ref]struct{}, len(objects))
	changes := make([]inventory.Change, 0, portion)
	for _, object := range objects {
		s, ok := object.(*sighting)
		if !ok {
			return fmt.Errorf("%s: listed a %T", m.resource, object)
		}
		there[s.Ref] = struct{}{}
		if s.recorded {
			continue
		}
		if changes = append(changes, s.Change); len(changes) == portion {
			m.cluster.sink.Record(changes...)
			changes = changes[:0]
		}
	}
	m.cluster.sink.Record(changes...)
	m.cluster.sink.Retain(m.mapping.kind(), m.cluster.name, there, at)
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
