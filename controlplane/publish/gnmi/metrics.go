package gnmi

import (
	"path"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/status"
)

type metrics struct {
	rpcs          *prometheus.CounterVec   // by method and code
	notifications *prometheus.CounterVec   // by mode
	leaves        *prometheus.CounterVec   // likewise
	synced        *prometheus.HistogramVec // likewise
	get           prometheus.Histogram
	delay         prometheus.Histogram
	bytes         prometheus.Counter
	merged        prometheus.Counter
	behind        prometheus.Counter
	stuck         prometheus.Counter
	refused       *prometheus.CounterVec // by what
	silent        prometheus.Counter
}

func newMetrics() *metrics {
	return &metrics{
		rpcs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fabricscope_gnmi_rpcs_total", Help: "RPCs that ended, by method and gRPC code.",
		}, []string{"method", "code"}),
		notifications: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fabricscope_gnmi_notifications_total", Help: "Notifications sent to subscribers, by mode of the subscription.",
		}, []string{"mode"}),
		leaves: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fabricscope_gnmi_leaves_total", Help: "Updates of leaves sent to subscribers, by mode of the subscription.",
		}, []string{"mode"}),
		synced: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "fabricscope_gnmi_sync_seconds", Help: "From a request or a poll to sync_response, by mode of the subscription.", Buckets: seconds(),
		}, []string{"mode"}),
		get: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "fabricscope_gnmi_get_seconds", Help: "Time to make an answer to Get.", Buckets: seconds(),
		}),
		delay: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "fabricscope_gnmi_change_delay_seconds", Buckets: seconds(),
			Help: "From the moment that a change was known to its sending, each subscriber by itself. Merged changes count once, from the newest.",
		}),
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
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fabricscope_gnmi_refused_total", Help: "What was refused because there were too many already, by what.",
		}, []string{"what"}),
		silent: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "fabricscope_gnmi_silent_calls_total", Help: "Calls cut off because they did not say what they want.",
		}),
	}
}

// seconds are buckets from a tenth of a millisecond to a minute.
func seconds() []float64 {
	return []float64{1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60}
}

// sent are the metrics of what goes to one subscriber.
type sent struct {
	notifications, leaves prometheus.Counter
	sync                  prometheus.Observer
}

func (m *metrics) sent(mode string) sent {
	return sent{m.notifications.WithLabelValues(mode), m.leaves.WithLabelValues(mode), m.synced.WithLabelValues(mode)}
}

// since notes how long something took.
func (m *metrics) since(o prometheus.Observer, began time.Time) {
	o.Observe(time.Since(began).Seconds())
}

// ended counts an RPC; of its method the last part is lower case.
func (m *metrics) ended(method string, err error) {
	m.rpcs.WithLabelValues(strings.ToLower(path.Base(method)), status.Code(err).String()).Inc()
}

// register makes the metrics public, with what is counted elsewhere.
func (m *metrics) register(s *Server, r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	all := []prometheus.Collector{m.rpcs, m.notifications, m.leaves, m.synced, m.get, m.delay, m.bytes, m.merged, m.behind, m.stuck, m.refused, m.silent}
	for _, g := range []struct {
		name, help string
		value      func() float64
	}{
		{"subscribers", "Subscribe calls going on.", func() float64 { return float64(s.subscribers.count()) }},
		{"connections", "Connections, with those whose TLS handshake is going on.", func() float64 { return float64(s.connections.count()) }},
		{"calls", "Calls of any kind going on.", func() float64 { return float64(s.calls.count()) }},
		{"past_calls", "Calls about the past going on.", func() float64 { return float64(s.past.count()) }},
		{"answers_bytes", "Bytes of answers to Get that are made or wait for their clients to take them.", func() float64 { return float64(s.answers.count()) }},
		{"subscriber_groups", "Different requests among the subscriptions to changes.", func() float64 { return float64(s.hub.size()) }},
		{"merged_waiting_objects", "Objects whose changes wait for slow subscribers, merged, of all subscribers.",
			func() float64 { return float64(s.hub.merged.Load()) }},
		{"subscriber_lag_changes", "Changes that the slowest subscriber has not taken yet.", func() float64 { return float64(s.hub.lag()) }},
	} {
		all = append(all, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "fabricscope_gnmi_" + g.name, Help: g.help}, g.value))
	}
	for _, c := range all {
		if err := r.Register(c); err != nil {
			return err
		}
	}
	return nil
}
