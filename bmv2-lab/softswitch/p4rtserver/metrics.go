package p4rtserver

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	packetIns, packetOuts, packetOutErrors prometheus.Counter
	packetInDrops, digestDrops             *prometheus.CounterVec // by reason
	digestsSent, digestDuplicates          prometheus.Counter
	streamDrops                            prometheus.Counter
	updates                                *prometheus.CounterVec // by code
	readsRefused                           *prometheus.CounterVec // by reason
	sessions, readBytes                    prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "fabricscope_p4rtserver_" + name + "_total", Help: help})
	}
	vec := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "fabricscope_p4rtserver_" + name + "_total", Help: help}, []string{label})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "fabricscope_p4rtserver_" + name, Help: help})
	}
	m := &metrics{
		packetIns:        counter("packet_ins", "Packets sent to controllers."),
		packetOuts:       counter("packet_outs", "Packets that controllers sent in."),
		packetOutErrors:  counter("packet_out_errors", "Packet-outs that were refused."),
		packetInDrops:    vec("packet_in_drops", "Packets for the controller that were dropped.", "reason"),
		digestDrops:      vec("digest_drops", "Digest messages that were dropped.", "reason"),
		digestsSent:      counter("digests_sent", "Digest messages sent to controllers."),
		digestDuplicates: counter("digest_duplicates", "Digest messages that were pending or not acknowledged yet."),
		streamDrops:      counter("stream_drops", "Messages that did not fit a client's queue."),
		updates:          vec("updates", "Updates of Write requests by canonical code.", "code"),
		readsRefused:     vec("reads_refused", "Reads that ended because memory was short or their client did not take the answer.", "reason"),
		sessions:         gauge("sessions", "Streams of controllers that are open."),
		readBytes:        gauge("read_bytes", "Bytes of answers to Reads that wait for their clients."),
	}
	for _, c := range []prometheus.Collector{m.packetIns, m.packetOuts, m.packetOutErrors, m.packetInDrops,
		m.digestDrops, m.digestsSent, m.digestDuplicates, m.streamDrops, m.updates, m.readsRefused, m.sessions, m.readBytes} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("P4Runtime metrics: %w", err)
		}
	}
	return m, nil
}
