package records

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the store's own health.
type metrics struct {
	appended, compacted, retired prometheus.Counter
	failures                     *prometheus.CounterVec
	observed, dropped            prometheus.Counter
	logBytes, queries, found     prometheus.Counter
	work                         *prometheus.CounterVec
}

// took notes how long something took that began at a time.
func (m *metrics) took(a activity, began time.Time) {
	m.work.WithLabelValues(string(a)).Add(time.Since(began).Seconds())
}

func newMetrics(s *Store, to prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "fabricscope_records_" + name, Help: help})
	}
	gauge := func(name, help string, value func(Status) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "fabricscope_records_" + name, Help: help},
			func() float64 { return value(s.Status()) })
	}
	m := &metrics{
		appended:  counter("appended_total", "Flow records acknowledged."),
		compacted: counter("compacted_segments_total", "Segments that became part of another."),
		retired:   counter("retired_segments_total", "Segments deleted because of their age or the bytes of all."),
		observed:  counter("observed_total", "States of conversations that were observed."),
		dropped:   counter("dropped_total", "Conversations whose last counters are in no record, because the disk failed for too long or there were too many."),
		logBytes:  counter("log_bytes_total", "Bytes of batches written to the log, before compression."),
		queries:   counter("queries_total", "Queries and exports that were answered, or failed."),
		found:     counter("found_total", "Records given to queries and exports."),
		work: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "fabricscope_records_work_seconds_total",
			Help: "Time that writing to the disk took, by what for."}, []string{"what"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "fabricscope_records_failures_total",
			Help: "Writes to disk that failed, by what for; each is tried again."}, []string{"what"}),
	}
	for _, a := range []activity{logging, segmenting, compacting, retaining} {
		m.work.WithLabelValues(string(a))
	}
	if to == nil {
		return m, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.appended, m.compacted, m.retired, m.observed, m.dropped, m.failures, m.logBytes, m.queries, m.found, m.work,
		gauge("head", "Records that are in the log and in no segment yet.", func(st Status) float64 { return float64(st.Head) }),
		gauge("segments", "Parquet segments.", func(st Status) float64 { return float64(st.Segments) }),
		gauge("segment_records", "Records in all segments.", func(st Status) float64 { return float64(st.Records) }),
		gauge("segment_bytes", "Bytes of all segments.", func(st Status) float64 { return float64(st.Bytes) }),
		gauge("isolated_files", "Files found damaged since the start, now in quarantine.", func(st Status) float64 { return float64(len(st.Isolated)) }),
		gauge("writing", "1 while records reach the disk, 0 while that fails.", func(st Status) float64 {
			if st.Err != nil {
				return 0
			}
			return 1
		}),
	} {
		errs = append(errs, to.Register(c))
	}
	return m, errors.Join(errs...)
}
