package gnmi

import (
	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	rpcs          *prometheus.CounterVec // by method and code
	notifications *prometheus.CounterVec // by mode
	leaves        prometheus.Counter
	stuck         prometheus.Counter
}

func newMetrics(s *Server, r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		rpcs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fabricscope_gnmi_rpcs_total", Help: "RPCs that ended, by method and gRPC code.",
		}, []string{"method", "code"}),
		notifications: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fabricscope_gnmi_notifications_total", Help: "Notifications sent to subscribers, by mode of the subscription.",
		}, []string{"mode"}),
		leaves: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "fabricscope_gnmi_leaf_updates_total", Help: "Leaf updates sent to subscribers.",
		}),
		stuck: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "fabricscope_gnmi_stuck_subscribers_total", Help: "Subscribers cut off because they took nothing.",
		}),
	}
	if r == nil {
		return m, nil
	}
	subscribers := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "fabricscope_gnmi_subscribers", Help: "Subscribe calls going on.",
	}, func() float64 { return float64(s.subscribers.Load()) })
	for _, c := range []prometheus.Collector{m.rpcs, m.notifications, m.leaves, m.stuck, subscribers} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
