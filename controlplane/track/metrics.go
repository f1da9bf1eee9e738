package track

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

type metrics struct {
	reports       *prometheus.CounterVec
	requestErrors *prometheus.CounterVec
	counterErrors *prometheus.CounterVec
	unanswered    *prometheus.CounterVec
	duplicates    *prometheus.GaugeVec
	gaps          *prometheus.GaugeVec
	unfinished    *prometheus.GaugeVec
	slots         *prometheus.GaugeVec
	residue       *prometheus.GaugeVec
	residueBytes  *prometheus.GaugeVec
	missing       *prometheus.GaugeVec
	unsettled     *prometheus.GaugeVec
	clockError    *prometheus.GaugeVec
	clockZero     *prometheus.GaugeVec
	misplaced     *prometheus.GaugeVec
	conversations prometheus.Gauge
	flows         prometheus.Gauge
	waiting       prometheus.Gauge
	queued        prometheus.Gauge
	underWay      *prometheus.GaugeVec
	forgotten     *prometheus.GaugeVec
	refused       *prometheus.GaugeVec
	dropped       *prometheus.CounterVec
	incarnations  *prometheus.CounterVec
	lost          *prometheus.CounterVec
	slotsRead     *prometheus.CounterVec
	readOuts      *prometheus.CounterVec
	readOutTime   *prometheus.GaugeVec
	publications  prometheus.Counter
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "fabricscope_track_" + name, Help: help}, labels)
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "fabricscope_track_" + name, Help: help}, labels)
	}
	m := &metrics{
		reports:       counter("reports_total", "Reports of flow cache slots.", "switch", "cause"),
		requestErrors: counter("request_errors_total", "Read-outs that could not be asked for.", "switch"),
		counterErrors: counter("counter_errors_total", "Reads of port counters that failed.", "switch"),
		unanswered:    counter("unanswered_total", "Read-outs that the switch did not answer.", "switch"),
		duplicates:    gauge("duplicate_reports", "Reports that said nothing new.", "switch"),
		gaps:          gauge("lost_generations", "Slot generations of which no report came.", "switch"),
		unfinished:    gauge("unfinished_generations", "Slot generations whose last report did not come.", "switch"),
		slots:         gauge("live_slots", "Slots of the flow cache that hold a flow.", "switch"),
		residue:       gauge("residue_packets", "Packets that a port counted and nothing explains.", "switch", "port"),
		residueBytes:  gauge("residue_bytes", "Bytes that a port counted and nothing explains.", "switch", "port"),
		missing:       gauge("missing_packets", "Packets of the residue of which it is certain that their reports were lost.", "switch", "port"),
		unsettled:     gauge("suspected_generations", "Slot generations of which no report came, and may have held packets of the port that are not settled yet.", "switch", "port"),
		clockError:    gauge("clock_error_seconds", "By how much the time of a switch may be off from ours.", "switch"),
		clockZero:     gauge("clock_zero_seconds", "Our time when the clock of a switch was zero, in seconds since 1970, by the round trips of read-outs.", "switch"),
		misplaced:     gauge("misplaced_reports", "Reports of slots that the flow cache does not have.", "switch"),
		conversations: gauge("conversations", "Conversations in memory.").WithLabelValues(),
		flows:         gauge("flows", "Directions of conversations in memory, by ingress port.").WithLabelValues(),
		waiting:       gauge("publish_waiting", "Conversations that changed and are not published yet.").WithLabelValues(),
		queued:        gauge("queued", "Messages that wait for the tracker.").WithLabelValues(),
		underWay:      gauge("reads_under_way", "Slots that were asked for and whose answer is awaited.", "switch"),
		forgotten:     gauge("forgotten_conversations", "Conversations that ended and are not in memory any more.", "cause"),
		dropped:       counter("dropped_reports_total", "Reports dropped while it was not known which incarnation of the registers they are of.", "switch"),
		incarnations:  counter("new_incarnations_total", "Times that the counters of a switch that was known had begun anew.", "switch"),
		lost:          counter("lost_packets_total", "Packets that ports had counted by the last look before their counters began anew, and no record has.", "switch"),
		slotsRead:     counter("slots_read_total", "Answers to read-outs.", "switch"),
		readOuts:      counter("full_read_outs_total", "Read-outs of a whole flow cache that were finished: one for each connection as primary, and one before packets are called missing.", "switch"),
		readOutTime:   gauge("full_read_out_seconds", "Duration of the last read-out of the whole flow cache.", "switch"),
		publications:  counter("publications_total", "Times that what had changed began to be published.").WithLabelValues(),
		refused:       gauge("refused_flows", "Flows that are in no conversation, but in the accounting of their ports.", "cause"),
	}
	if r == nil {
		return m, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.reports, m.requestErrors, m.counterErrors, m.unanswered,
		m.duplicates, m.gaps, m.unfinished, m.slots, m.residue, m.residueBytes, m.missing, m.unsettled, m.clockError, m.clockZero, m.misplaced, m.conversations, m.flows, m.waiting, m.queued, m.underWay, m.forgotten, m.refused,
		m.dropped, m.incarnations, m.lost, m.slotsRead, m.readOuts, m.readOutTime, m.publications} {
		errs = append(errs, r.Register(c))
	}
	return m, errors.Join(errs...)
}

func (m *metrics) ledger(a *account) {
	m.slots.WithLabelValues(a.name).Set(float64(a.ledger.live))
	m.underWay.WithLabelValues(a.name).Set(float64(len(a.asked)))
	m.duplicates.WithLabelValues(a.name).Set(float64(a.ledger.stats.duplicates))
	m.gaps.WithLabelValues(a.name).Set(float64(a.ledger.stats.gaps))
	m.unfinished.WithLabelValues(a.name).Set(float64(a.ledger.stats.unfinished))
	m.misplaced.WithLabelValues(a.name).Set(float64(a.ledger.stats.misplaced))
}

func (m *metrics) accounting(f *inventory.Accounting) {
	m.residue.WithLabelValues(f.Switch, f.Port).Set(float64(f.ResiduePackets))
	m.residueBytes.WithLabelValues(f.Switch, f.Port).Set(float64(f.ResidueBytes))
	var suspected uint64
	if n := len(f.Losses); n > 0 && !f.Losses[n-1].Settled {
		suspected = f.Losses[n-1].Generations
	}
	m.missing.WithLabelValues(f.Switch, f.Port).Set(float64(f.MissingPackets))
	m.unsettled.WithLabelValues(f.Switch, f.Port).Set(float64(suspected))
}

func (m *metrics) joiner(j *joiner) {
	m.conversations.Set(float64(j.conversations.len()))
	m.flows.Set(float64(j.hops.len()))
	m.waiting.Set(float64(j.changed.len()))
	m.forgotten.WithLabelValues("linger").Set(float64(j.stats.forgotten))
	m.forgotten.WithLabelValues("room").Set(float64(j.stats.displaced))
	m.refused.WithLabelValues("room").Set(float64(j.stats.refused))
	m.refused.WithLabelValues("hops").Set(float64(j.stats.crowded))
}

// readOut counts a full read-out that has just been finished.
func (m *metrics) readOut(a *account) {
	m.readOuts.WithLabelValues(a.name).Inc()
	m.readOutTime.WithLabelValues(a.name).Set(a.readout.took.Seconds())
}

func causeName(c flow.Cause) string {
	switch c {
	case flow.CauseNew:
		return "new"
	case flow.CauseEvict:
		return "evict"
	case flow.CauseTCPEnd:
		return "tcp-end"
	case flow.CauseActive:
		return "active"
	case flow.CauseRead:
		return "read"
	case flow.CauseFreed:
		return "freed"
	}
	return "unknown"
}
