package kube

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// Watcher watches clusters.
type Watcher struct {
	cfg     Config
	deps    Deps
	metrics *metrics
	wake    chan struct{} // holds one when wanted may have changed

	stopped map[string]time.Time // of Run; until when clusters were watched that were watched in this run

	mu     sync.Mutex
	wanted []access // guarded by mu
}

// New makes a watcher that Run starts. It reaches no API server.
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
	w := &Watcher{cfg: cfg, deps: deps, metrics: m, wake: make(chan struct{}, 1), stopped: map[string]time.Time{}}
	return w, w.Set(cfg.Clusters)
}

// Set makes clusters those that are watched, now or once Run runs. The facts of one that is not among them
// any more end, as of a time that is not known better than by this call; one whose access changed is connected
// anew, and keeps its facts. One whose files cannot be used is watched as it was before, or else is in the state
// unreachable, until they can: they are looked at again and again, and its fact names file and field meanwhile. After an
// error, which names every field of the configuration that is wrong, all is as before.
func (w *Watcher) Set(clusters []Cluster) error {
	if err := validateClusters(clusters); err != nil {
		return fmt.Errorf("kube: %w", err)
	}
	w.mu.Lock()
	wanted := make([]access, len(clusters))
	for i, c := range clusters {
		before := access{cluster: c}
		if j := slices.IndexFunc(w.wanted, func(a access) bool { return a.cluster.Name == c.Name }); j >= 0 {
			before = w.wanted[j]
		}
		wanted[i] = w.read(c, before)
	}
	w.wanted = wanted
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
	return nil
}

// Check says whether all clusters could be watched with what their files say. It reaches no API server.
func Check(clusters []Cluster) error {
	if err := validateClusters(clusters); err != nil {
		return fmt.Errorf("kube: %w", err)
	}
	var errs []error
	for _, c := range clusters {
		if _, err := c.access(); err != nil {
			errs = append(errs, fmt.Errorf("cluster %s: %w", c.Name, err))
		}
	}
	if len(errs) > 0 {
		return fmt.Errorf("kube: %w", errors.Join(errs...))
	}
	return nil
}

// running is a cluster that is watched.
type running struct {
	cluster *cluster
	cancel  context.CancelFunc
	ended   chan struct{}
}

func (r *running) stop() {
	r.cancel()
	<-r.ended
}

// Run watches until ctx ends. The state of a cluster whose API does not answer is in its fact.
func (w *Watcher) Run(ctx context.Context) error {
	all := map[string]*running{}
	defer func() {
		for _, r := range all {
			r.cancel()
		}
		for _, r := range all {
			<-r.ended
		}
	}()
	look := time.NewTicker(w.cfg.Reread)
	defer look.Stop()
	for {
		w.reconcile(ctx, all)
		select {
		case <-ctx.Done():
			return nil
		case <-w.wake:
		case <-look.C:
			w.reread()
		}
	}
}

// reconcile starts and stops clusters until those that run are the wanted ones.
func (w *Watcher) reconcile(ctx context.Context, all map[string]*running) {
	w.mu.Lock()
	wanted := slices.Clone(w.wanted)
	w.mu.Unlock()
	for name, r := range all {
		i := slices.IndexFunc(wanted, func(a access) bool { return a.cluster.Name == name })
		if i >= 0 && wanted[i].same(r.cluster.access) {
			r.cluster.health.files(wanted[i].broken)
			continue
		}
		w.stopped[name] = w.deps.Now()
		r.stop()
		delete(all, name)
	}
	for e := range w.deps.Sink.Now().All(inventory.KindCluster) {
		name := e.Fact.(inventory.Cluster).Name
		if !slices.ContainsFunc(wanted, func(a access) bool { return a.cluster.Name == name }) {
			w.forget(name)
		}
	}
	for _, a := range wanted {
		if all[a.cluster.Name] == nil {
			all[a.cluster.Name] = w.start(ctx, a)
		}
	}
}

func (w *Watcher) start(ctx context.Context, a access) *running {
	ctx, cancel := context.WithCancel(ctx)
	since, again := w.stopped[a.cluster.Name]
	if !again {
		since = w.deps.Sink.Resumed()
	}
	c := &cluster{
		name: a.cluster.Name, access: a, retry: retry{w.cfg.RetryMin, w.cfg.RetryMax},
		look: w.cfg.Reread, sink: w.deps.Sink, log: w.deps.Log.With("cluster", a.cluster.Name), now: w.deps.Now, since: since, metrics: w.metrics,
	}
	c.prepare()
	r := &running{cluster: c, cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(r.ended)
		c.run(ctx)
	}()
	return r
}

// forget ends every fact of a cluster that is not watched any more.
func (w *Watcher) forget(name string) {
	at := w.deps.Now()
	kinds := []inventory.Kind{inventory.KindEvent, inventory.KindEntrance, inventory.KindMember, inventory.KindService,
		inventory.KindPod, inventory.KindNode, inventory.KindNamespace, inventory.KindGap, inventory.KindCluster}
	for _, k := range kinds {
		w.deps.Sink.Replace(k, name, nil, at)
	}
	w.metrics.synced.DeleteLabelValues(name)
	w.deps.Log.Info("cluster is not watched any more", "cluster", name)
}

// reread looks whether files with credentials say something new.
func (w *Watcher) reread() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, old := range w.wanted {
		w.wanted[i] = w.read(old.cluster, old)
	}
}

// read gives how to reach a cluster by its files, or by what was there before with why they cannot be used.
func (w *Watcher) read(c Cluster, before access) access {
	a, err := c.access()
	if err == nil {
		if before.rest != nil && !a.same(before) {
			w.deps.Log.Info("credentials changed", "cluster", c.Name)
		}
		return a
	}
	if text := cut(err.Error()); text != before.broken {
		before.broken = text
		w.deps.Log.Warn("the files that say how to reach a cluster cannot be used", "cluster", c.Name, "watched", before.rest != nil, "error", err)
	}
	before.cluster = c
	return before
}

// metrics are of all clusters.
type metrics struct {
	events   *prometheus.CounterVec // cluster, resource, event
	failures *prometheus.CounterVec // cluster, resource
	gaps     *prometheus.CounterVec // cluster
	synced   *prometheus.GaugeVec   // cluster
}

func newMetrics(to prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		events: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "fabricscope_kube_events_total",
			Help: "Watch events received, and lists as a whole (event list)."}, []string{"cluster", "resource", "event"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "fabricscope_kube_failures_total",
			Help: "List and watch requests that failed."}, []string{"cluster", "resource"}),
		gaps: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "fabricscope_kube_gaps_total",
			Help: "Times after which everything had to be listed again, since changes could have been missed."}, []string{"cluster"}),
		synced: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "fabricscope_kube_synced",
			Help: "1 while everything of the cluster is known and followed."}, []string{"cluster"}),
	}
	if to == nil {
		return m, nil
	}
	return m, errors.Join(to.Register(m.events), to.Register(m.failures), to.Register(m.gaps), to.Register(m.synced))
}
