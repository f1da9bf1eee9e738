package correlate

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
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
	return registerAll(r, m.legs, m.found, m.alone, m.forgotten)
}

func registerAll(r prometheus.Registerer, list ...prometheus.Collector) error {
	for _, c := range list {
		if err := r.Register(c); err != nil {
			return fmt.Errorf("correlate: register metrics: %w", err)
		}
	}
	return nil
}

// cableMetrics count what is lost on cables; as many labels as there are links.
type cableMetrics struct {
	packets, lost *prometheus.CounterVec
	lossy         *prometheus.GaugeVec
}

func newCableMetrics() *cableMetrics {
	ends := []string{"from", "to"}
	return &cableMetrics{
		packets: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "fabricscope_link_packets_total",
			Help: "Packets of flows that were compared at both ends of a link, by the switch/port at these."}, ends),
		lost: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "fabricscope_link_lost_packets_total",
			Help: "Packets of these that went into the link and did not come out."}, ends),
		lossy: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "fabricscope_link_lossy",
			Help: "1 while a link is held to lose packets."}, ends),
	}
}

// count moves the metrics of a link from one fact to a later one.
func (m *cableMetrics) count(before, now inventory.LinkLoss) {
	from, to := now.A.String(), now.B.String()
	m.packets.WithLabelValues(from, to).Add(float64(now.Packets - before.Packets))
	m.lost.WithLabelValues(from, to).Add(float64(now.Lost - before.Lost))
	lossy := 0.0
	if now.Lossy {
		lossy = 1
	}
	m.lossy.WithLabelValues(from, to).Set(lossy)
}

func (m *cableMetrics) forget(c *cable) {
	from, to := c.link.A.String(), c.link.B.String()
	m.packets.DeleteLabelValues(from, to)
	m.lost.DeleteLabelValues(from, to)
	m.lossy.DeleteLabelValues(from, to)
}

func (m *cableMetrics) register(r prometheus.Registerer) error {
	return registerAll(r, m.packets, m.lost, m.lossy)
}
