package gnmi

import (
	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	rpcs          *prometheus.CounterVec // by method and code
	notifications *prometheus.CounterVec // by mode
	bytes         prometheus.Counter
	merged        prometheus.Counter
	behind        prometheus.Counter
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
		bytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "fabricscope_gnmi_notification_bytes_total", Help: "Bytes of the notifications sent to subscribers.",
		}),
		merged: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "fabricscope_gnmi_merged_changes_total", Help: "Changes that slow subscribers got merged with later ones.",
		}),
		behind: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "fabricscope_gnmi_lagging_subscribers_total", Help: "Subscribers cut off because they were too far behind.",
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
	groups := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "fabricscope_gnmi_subscriber_groups", Help: "Different requests among the subscriptions to changes.",
	}, func() float64 { return float64(s.hub.size()) })
	lag := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "fabricscope_gnmi_subscriber_lag_changes", Help: "Changes that the slowest subscriber has not taken yet.",
	}, func() float64 { return float64(s.hub.lag()) })
	for _, c := range []prometheus.Collector{m.rpcs, m.notifications, m.bytes, m.merged, m.behind, m.stuck, subscribers, groups, lag} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
