package fabric

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	frames     *prometheus.CounterVec // by switch, protocol and what became of it
	updates    *prometheus.CounterVec
	failures   *prometheus.CounterVec
	drops      *prometheus.CounterVec
	links      prometheus.Gauge
	neighbours *prometheus.GaugeVec
	computed   prometheus.Counter
	ports      *prometheus.GaugeVec
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "fabricscope", Subsystem: "fabric", Name: name, Help: help,
		}, labels)
	}
	m := &metrics{
		frames:   counter("frames_total", "Control frames by what became of them.", "switch", "protocol", "result"),
		updates:  counter("updates_total", "Table updates written.", "switch"),
		failures: counter("write_failures_total", "Attempts to read or write tables that failed.", "switch"),
		drops:    counter("drops_total", "What had no room or could not be sent.", "switch", "what"),
		links: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: "fabricscope", Subsystem: "fabric", Name: "links", Help: "Directions of links in use for routes."}),
		neighbours: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "fabricscope", Subsystem: "fabric", Name: "neighbours", Help: "Hosts learned."}, []string{"switch"}),
		computed: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "fabricscope", Subsystem: "fabric", Name: "route_computations_total", Help: "Times that the routes were computed."}),
	}
	m.ports = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: "fabricscope", Subsystem: "fabric", Name: "ports", Help: "Ports by their state: up, down or unknown."}, []string{"switch", "state"})
	for _, c := range []prometheus.Collector{m.frames, m.updates, m.failures, m.drops, m.links, m.neighbours, m.computed, m.ports} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("fabric: register metrics: %w", err)
		}
	}
	return m, nil
}
