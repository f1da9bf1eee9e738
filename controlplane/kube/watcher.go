package kube

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/rest"
)

// Watcher watches clusters.
type Watcher struct {
	clusters []*cluster
}

// cluster is one API and what is watched of it.
type cluster struct {
	name    string
	rest    *rest.Config
	retry   retry
	sink    Sink
	log     *slog.Logger
	now     func() time.Time
	metrics *metrics
	health  *health
}

type retry struct{ min, max time.Duration }

// New checks the credentials of every cluster and makes a watcher that Run starts. It reaches no
// API server.
func New(cfg Config, deps Deps) (*Watcher, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Sink == nil {
		panic("kube: no sink")
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	m, err := newMetrics(deps.Registerer)
	if err != nil {
		return nil, fmt.Errorf("kube: metrics: %w", err)
	}
	w := &Watcher{}
	var errs []error
	for _, c := range cfg.Clusters {
		r, err := c.restConfig()
		if err != nil {
			errs = append(errs, fmt.Errorf("cluster %s: %w", c.Name, err))
			continue
		}
		w.clusters = append(w.clusters, &cluster{
			name: c.Name, rest: r, retry: retry{cfg.RetryMin, cfg.RetryMax}, sink: deps.Sink,
			log: deps.Log.With("cluster", c.Name), now: deps.Now, metrics: m,
		})
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("kube: %w", errors.Join(errs...))
	}
	return w, nil
}

// Run watches until ctx ends. The state of a cluster whose API does not answer is in its
// fact; Run's own error is nil, or that a client could not be made of the credentials.
func (w *Watcher) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var running sync.WaitGroup
	errs := make([]error, len(w.clusters))
	for i, c := range w.clusters {
		running.Go(func() {
			if err := c.run(ctx); err != nil {
				errs[i] = fmt.Errorf("kube: cluster %s: %w", c.name, err)
				cancel()
			}
		})
	}
	running.Wait()
	return errors.Join(errs...)
}

// metrics are of all clusters.
type metrics struct {
	events   *prometheus.CounterVec // cluster, resource, event
	failures *prometheus.CounterVec // cluster, resource
	synced   *prometheus.GaugeVec   // cluster
}

func newMetrics(to prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		events: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "fabricscope_kube_events_total",
			Help: "Watch events received, and lists as a whole (event list)."}, []string{"cluster", "resource", "event"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "fabricscope_kube_failures_total",
			Help: "List and watch requests that failed."}, []string{"cluster", "resource"}),
		synced: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "fabricscope_kube_synced",
			Help: "1 while everything of the cluster is known and followed."}, []string{"cluster"}),
	}
	if to == nil {
		return m, nil
	}
	return m, errors.Join(to.Register(m.events), to.Register(m.failures), to.Register(m.synced))
}
