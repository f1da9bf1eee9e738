package correlate

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fabricscope/fabricscope/controlplane/flow"
)

// stitchMetrics count the legs of connections across address translation.
type stitchMetrics struct {
	legs      prometheus.Gauge
	found     *prometheus.CounterVec
	alone     prometheus.Counter
	forgotten prometheus.Counter
}

func newStitchMetrics() *stitchMetrics {
	return &stitchMetrics{
		legs: prometheus.NewGauge(prometheus.GaugeOpts{Name: "fabricscope_correlate_legs",
			Help: "Conversations to services' addresses or from nodes to their members that are held to be joined."}),
		found: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "fabricscope_correlate_legs_joined_total",
			Help: "Connections whose two legs were joined, by how: exact or guess. One that was a guess before counts in both."}, []string{"how"}),
		alone: prometheus.NewCounter(prometheus.CounterOpts{Name: "fabricscope_correlate_legs_alone_total",
			Help: "Conversations to services' addresses that ended without another leg."}),
		forgotten: prometheus.NewCounter(prometheus.CounterOpts{Name: "fabricscope_correlate_legs_forgotten_total",
			Help: "Legs that were dropped because too many were held."}),
	}
}

// joined counts a connection once, at its back.
func (m *stitchMetrics) joined(l flow.Leg) {
	if l.Side != flow.Front {
		return
	}
	how := "guess"
	if l.Exact {
		how = "exact"
	}
	m.found.WithLabelValues(how).Inc()
}

func (m *stitchMetrics) register(r prometheus.Registerer) error {
	for _, c := range []prometheus.Collector{m.legs, m.found, m.alone, m.forgotten} {
		if err := r.Register(c); err != nil {
			return fmt.Errorf("correlate: register metrics: %w", err)
		}
	}
	return nil
}
