package app

import (
	"log/slog"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fabricscope/fabricscope/controlplane/clock"
	"github.com/fabricscope/fabricscope/controlplane/config"
	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/history"
	"github.com/fabricscope/fabricscope/controlplane/history/records"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

func newRecords(cfg config.Config, steady *clock.Clock, log *slog.Logger, r prometheus.Registerer) (*records.Store, error) {
	c := records.DefaultConfig()
	c.Dir = filepath.Join(cfg.StateDir, recordsDir)
	c.Interval, c.Linger = cfg.Flows.ExportInterval, max(cfg.Flows.Linger, cfg.Flows.ExportInterval)
	c.Conversations = cfg.Flows.MaxFlows // each has a flow at least
	c.Retention, c.MaxBytes = cfg.History.FlowRetention, cfg.History.FlowMaxBytes
	return records.New(c, records.Deps{Log: log, Registerer: r, Steady: steady.Steady})
}

// newRecorder makes records of conversations once the store has them, and of what it had of them when the last daemon
// ended.
func newRecorder(flows *records.Store, store *history.Store) *records.Recorder {
	r := records.NewRecorder(flows, store.Flush)
	for e := range store.Now().All(inventory.KindConversation) {
		r.Observe(e.Fact.(flow.Conversation))
	}
	return r
}

// identified is where conversations go once it is known who talks: into the state and its history, and
// into flow records.
type identified struct {
	store    *history.Store
	recorder *records.Recorder
}

// Record implements correlate.Sink. The recorder waits for what the store was given before.
func (i identified) Record(changes ...inventory.Change) {
	i.store.Record(changes...)
	for _, c := range changes {
		if conv, ok := c.Fact.(flow.Conversation); ok {
			i.recorder.Observe(conv)
		}
	}
}
