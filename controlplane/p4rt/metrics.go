package p4rt

import "github.com/prometheus/client_golang/prometheus"

// Metrics are the counters of all sessions of a process, by switch.
type Metrics struct {
	digests    *prometheus.CounterVec
	lists      *prometheus.CounterVec
	packetIns  *prometheus.CounterVec
	packetOuts *prometheus.CounterVec
	drops      *prometheus.CounterVec
	connects   *prometheus.CounterVec
	failures   *prometheus.CounterVec
	refused    *prometheus.CounterVec
	updates    *prometheus.CounterVec
	write      *prometheus.HistogramVec
	ready      *prometheus.GaugeVec
	backup     *prometheus.GaugeVec
	queued     *prometheus.GaugeVec

	connections *prometheus.CounterVec
}

// NewMetrics registers the metrics. Make one for all sessions.
func NewMetrics(r prometheus.Registerer) (*Metrics, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "fabricscope", Subsystem: "p4rt", Name: name, Help: help,
		}, append([]string{"switch"}, labels...))
	}
	m := &Metrics{
		digests:    counter("digests_total", "Digests received."),
		lists:      counter("digest_lists_total", "Digest lists received."),
		packetIns:  counter("packet_ins_total", "Packet-ins received."),
		packetOuts: counter("packet_outs_total", "Packet-outs sent."),
		drops:      counter("drops_total", "Digests, packets and messages dropped at a full or missing queue.", "queue", "what"),
		connects:   counter("connects_total", "Terms: times the session became primary with the pipeline in place."),
		failures:   counter("connection_failures_total", "Attempts to connect that failed and connections that ended."),
		refused:    counter("refused_total", "Messages that the switch reported as refused.", "what"),
		updates:    counter("updates_total", "Table updates written.", "result"),
		write: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "fabricscope", Subsystem: "p4rt", Name: "write_seconds",
			Help: "Time of one Write request.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}, []string{"switch"}),
		ready: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "fabricscope", Subsystem: "p4rt", Name: "ready",
			Help: "1 while the session is primary with the pipeline in place.",
		}, []string{"switch"}),
		backup: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "fabricscope", Subsystem: "p4rt", Name: "backup",
			Help: "1 while the session is connected and not primary.",
		}, []string{"switch"}),
		queued: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "fabricscope", Subsystem: "p4rt", Name: "queued",
			Help: "Digests and packets that were received and wait for their subscriber.",
		}, []string{"switch", "queue"}),
		connections: counter("connections_total", "Connections on which the switch answered the arbitration; those but the first are reconnects."),
	}
	for _, c := range []prometheus.Collector{
		m.digests, m.lists, m.packetIns, m.packetOuts, m.drops, m.connects,
		m.failures, m.refused, m.updates, m.write, m.ready, m.queued, m.backup, m.connections,
	} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
