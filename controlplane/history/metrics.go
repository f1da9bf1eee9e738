package history

import (
	"errors"
	"math"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the store's own health.
type metrics struct {
	rows      *prometheus.CounterVec
	batches   prometheus.Counter
	failures  prometheus.Counter
	dropped   prometheus.Counter
	unchanged prometheus.Counter
	latency   prometheus.Histogram
	deleted   *prometheus.CounterVec
	stuck     atomic.Bool // what is so now takes more than MaxBytes
}

func newMetrics(s *Store, to prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "fabricscope_history_" + name, Help: help})
	}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "fabricscope_history_" + name, Help: help}, value)
	}
	m := &metrics{
		rows: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fabricscope_history_rows_total", Help: "Rows written, by table."}, []string{"table"}),
		batches:   counter("batches_total", "Transactions committed to disk."),
		failures:  counter("write_failures_total", "Transactions that failed; each is tried again."),
		dropped:   counter("dropped_total", "Changes that will never be on disk, dropped while writing failed."),
		unchanged: counter("unchanged_total", "Facts recorded that were so already."),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "fabricscope_history_commit_seconds", Help: "Time to write one batch to disk.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14)}),
	}
	m.deleted = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "fabricscope_history_deleted_total",
		Help: "Rows deleted, by table and by what they were beyond: the age or the bytes that are kept."}, []string{"table", "cause"})
	if to == nil {
		return m, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.rows, m.batches, m.failures, m.dropped, m.unchanged, m.latency, m.deleted,
		gauge("queue", "Changes that wait for the disk.", func() float64 { return float64(s.Status().Queued) }),
		gauge("version", "Number of the last update.", func() float64 { return float64(s.Status().Version) }),
		gauge("writing", "1 while changes reach the disk, 0 while that fails.", func() float64 {
			if s.Status().Err != nil {
				return 0
			}
			return 1
		}),
		gauge("isolated_files", "Files that were found damaged at the start and are in quarantine.", func() float64 { return float64(len(s.isolated)) }),
		gauge("damaged_rows", "Rows that were found damaged since the start and taken out.", func() float64 { return float64(s.Status().Damaged) }),
		gauge("damaged", "1 if anything of the file was found damaged since the start.", func() float64 {
			if s.Status().Damage != nil {
				return 1
			}
			return 0
		}),
		gauge("over_bound", "1 while what is so now takes more than the history may.", func() float64 {
			if m.stuck.Load() {
				return 1
			}
			return 0
		}),
		gauge("begins_seconds", "From when on it is known what existed, in seconds since 1970; 0 while nothing was deleted.", s.begins),
		gauge("disk_bytes", "Size of the file and its write-ahead log.", s.disk.size),
	} {
		errs = append(errs, to.Register(c))
	}
	return m, errors.Join(errs...)
}

func (m *metrics) wrote(intervals, flows int, took time.Duration) {
	m.rows.WithLabelValues("interval").Add(float64(intervals))
	m.rows.WithLabelValues("flow_record").Add(float64(flows))
	m.batches.Inc()
	m.latency.Observe(took.Seconds())
}

func (m *metrics) swept(gone swept) {
	m.deleted.WithLabelValues("life", gone.cause).Add(float64(gone.parts))
	m.deleted.WithLabelValues("flow_record", gone.cause).Add(float64(gone.flowRows))
}

// begins gives the horizon of what existed, in seconds since 1970.
func (s *Store) begins() float64 {
	var horizon int64
	if err := s.disk.reader.QueryRow(`SELECT horizon_ns FROM progress`).Scan(&horizon); err != nil {
		return math.NaN()
	}
	return float64(horizon) / float64(time.Second)
}
