package ports

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// Collector publishes the counts of a Set as metrics of its ports. All drops are one metric,
// with labels for direction and cause.
type Collector struct {
	set     *Set
	up      *prometheus.Desc
	unknown *prometheus.Desc
	dropped *prometheus.Desc
	counts  []portMetric
	drops   []dropMetric
}

type portMetric struct {
	desc  *prometheus.Desc
	value func(*Stats) uint64
}

type dropMetric struct {
	direction, cause string
	value            func(*Stats) uint64
}

// NewCollector makes the metrics of a Set.
func NewCollector(s *Set) *Collector {
	labels := []string{"port", "interface"}
	metric := func(name, help string, value func(*Stats) uint64) portMetric {
		return portMetric{prometheus.NewDesc("fabricscope_ports_"+name+"_total", help, labels, nil), value}
	}
	return &Collector{
		set:     s,
		up:      prometheus.NewDesc("fabricscope_ports_up", "Whether frames can pass: the interface is up, and the port is not shut.", labels, nil),
		unknown: prometheus.NewDesc("fabricscope_ports_no_such_port_drops_total", "Frames sent to port numbers that no port has.", nil, nil),
		dropped: prometheus.NewDesc("fabricscope_ports_drops_total", "Frames dropped at the port.", append(labels, "direction", "cause"), nil),
		counts: []portMetric{
			metric("rx_frames", "Frames received.", func(s *Stats) uint64 { return s.RxFrames }),
			metric("rx_bytes", "Bytes received.", func(s *Stats) uint64 { return s.RxBytes }),
			metric("tx_frames", "Frames sent.", func(s *Stats) uint64 { return s.TxFrames }),
			metric("tx_bytes", "Bytes sent.", func(s *Stats) uint64 { return s.TxBytes }),
			metric("impaired_duplicated", "Frames duplicated on purpose.", func(s *Stats) uint64 { return s.Duplicated }),
			metric("impaired_reordered", "Frames held back on purpose.", func(s *Stats) uint64 { return s.Reordered }),
			metric("impaired_delayed", "Frames delayed on purpose.", func(s *Stats) uint64 { return s.Delayed }),
		},
		drops: []dropMetric{
			{"rx", "queue_full", func(s *Stats) uint64 { return s.RxQueueFull }},
			{"rx", "oversize", func(s *Stats) uint64 { return s.RxOversize }},
			{"rx", "link_down", func(s *Stats) uint64 { return s.RxLinkDown }},
			{"tx", "queue_full", func(s *Stats) uint64 { return s.TxQueueFull }},
			{"tx", "link_down", func(s *Stats) uint64 { return s.TxLinkDown }},
			{"tx", "refused", func(s *Stats) uint64 { return s.TxRefused }},
			{"tx", "impairment", func(s *Stats) uint64 { return s.Lost }},
			{"tx", "delay_full", func(s *Stats) uint64 { return s.DelayFull }},
		},
	}
}

// Describe is prometheus.Collector's.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.up
	ch <- c.unknown
	ch <- c.dropped
	for _, m := range c.counts {
		ch <- m.desc
	}
}

// Collect is prometheus.Collector's.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	for _, st := range c.set.Stats() {
		port, up := strconv.FormatUint(uint64(st.Number), 10), 0.0
		if st.Up {
			up = 1
		}
		ch <- prometheus.MustNewConstMetric(c.up, prometheus.GaugeValue, up, port, st.Interface)
		for _, m := range c.counts {
			ch <- prometheus.MustNewConstMetric(m.desc, prometheus.CounterValue, float64(m.value(&st)), port, st.Interface)
		}
		for _, m := range c.drops {
			ch <- prometheus.MustNewConstMetric(c.dropped, prometheus.CounterValue, float64(m.value(&st)), port, st.Interface, m.direction, m.cause)
		}
	}
	ch <- prometheus.MustNewConstMetric(c.unknown, prometheus.CounterValue, float64(c.set.UnknownPort()))
}
