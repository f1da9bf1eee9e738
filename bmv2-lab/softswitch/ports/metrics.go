package ports

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// Collector publishes the counts of a Set as metrics of its ports.
type Collector struct {
	set     *Set
	up      *prometheus.Desc
	unknown *prometheus.Desc
	counts  []portMetric
}

type portMetric struct {
	desc  *prometheus.Desc
	value func(*Stats) uint64
}

// NewCollector makes the metrics of a Set.
func NewCollector(s *Set) *Collector {
	labels := []string{"port", "interface"}
	metric := func(name, help string, value func(*Stats) uint64) portMetric {
		return portMetric{prometheus.NewDesc("fabricscope_ports_"+name+"_total", help, labels, nil), value}
	}
	return &Collector{
		set:     s,
		up:      prometheus.NewDesc("fabricscope_ports_up", "Whether the port's interface is up.", labels, nil),
		unknown: prometheus.NewDesc("fabricscope_ports_unknown_port_total", "Frames sent to port numbers that no port has.", nil, nil),
		counts: []portMetric{
			metric("rx_frames", "Frames received.", func(s *Stats) uint64 { return s.RxFrames }),
			metric("rx_bytes", "Bytes received.", func(s *Stats) uint64 { return s.RxBytes }),
			metric("tx_frames", "Frames sent.", func(s *Stats) uint64 { return s.TxFrames }),
			metric("tx_bytes", "Bytes sent.", func(s *Stats) uint64 { return s.TxBytes }),
			metric("rx_dropped", "Frames that did not fit a queue before the switch.", func(s *Stats) uint64 { return s.RxDropped }),
			metric("rx_oversize", "Frames longer than the switch takes.", func(s *Stats) uint64 { return s.RxOversize }),
			metric("tx_dropped", "Frames that the kernel refused.", func(s *Stats) uint64 { return s.TxDropped }),
			metric("impaired_lost", "Frames lost on purpose.", func(s *Stats) uint64 { return s.Lost }),
			metric("impaired_duplicated", "Frames duplicated on purpose.", func(s *Stats) uint64 { return s.Duplicated }),
			metric("impaired_reordered", "Frames held back on purpose.", func(s *Stats) uint64 { return s.Reordered }),
			metric("impaired_delayed", "Frames delayed on purpose.", func(s *Stats) uint64 { return s.Delayed }),
			metric("delay_dropped", "Frames that found the delay line full.", func(s *Stats) uint64 { return s.DelayDropped }),
		},
	}
}

// Describe is prometheus.Collector's.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.up
	ch <- c.unknown
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
	}
	ch <- prometheus.MustNewConstMetric(c.unknown, prometheus.CounterValue, float64(c.set.UnknownPort()))
}
