package node

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are those of one node; the node's name is a label, so that agents in
// one process share a registry.
type metrics struct {
	pods              prometheus.Gauge
	containerStarts   prometheus.Counter
	readinessChanges  prometheus.Counter
	statusFailures    prometheus.Counter
	peers             prometheus.Gauge
	relayConnections  prometheus.Counter
	supersededUpdates prometheus.Counter
}

func newMetrics(registerer prometheus.Registerer, node string) (*metrics, error) {
	labels := []string{"node"}
	var problems []error
	counter := func(name, help string) prometheus.Counter {
		vector := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "fabricscope_node_" + name, Help: help}, labels)
		return shared(registerer, vector, &problems).WithLabelValues(node)
	}
	gauge := func(name, help string) prometheus.Gauge {
		vector := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "fabricscope_node_" + name, Help: help}, labels)
		return shared(registerer, vector, &problems).WithLabelValues(node)
	}
	made := &metrics{
		pods:              gauge("pods", "Pods that the node agent runs."),
		containerStarts:   counter("container_starts_total", "Container processes started, restarts included."),
		readinessChanges:  counter("readiness_changes_total", "Changes of a container's readiness by its probe."),
		statusFailures:    counter("status_failures_total", "Pod status reports that the API server did not take; each is tried again."),
		peers:             gauge("overlay_peers", "Other nodes that the overlay reaches."),
		relayConnections:  counter("relay_connections_total", "Connections carried from namespaces to the API server."),
		supersededUpdates: counter("superseded_updates_total", "Pod updates dropped because a newer one of the same pod came before they were handled."),
	}
	return made, errors.Join(problems...)
}

// shared registers a collector, or gives the equal one that another agent registered.
func shared[C prometheus.Collector](registerer prometheus.Registerer, collector C, problems *[]error) C {
	if registerer == nil {
		return collector
	}
	err := registerer.Register(collector)
	if err == nil {
		return collector
	}
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		if existing, ok := already.ExistingCollector.(C); ok {
			return existing
		}
	}
	*problems = append(*problems, fmt.Errorf("register a metric of the node agent: %w", err))
	return collector
}
