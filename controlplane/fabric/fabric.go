package fabric

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/p4rt"
	"github.com/fabricscope/fabricscope/p4src"
)

// inboxLength bounds what waits for the loop. Whoever finds it full waits, and then the
// bounded queues of package p4rt fill and count.
const inboxLength = 256

// Sink takes facts. It must not block for long.
type Sink interface {
	Record(changes ...inventory.Change)
}

// Deps are what a Fabric works with. All but Before must be there.
type Deps struct {
	Log        *slog.Logger
	Sink       Sink
	Registerer prometheus.Registerer
	// Before is what was known when the daemon started, if anything: links and endpoints in
	// it are taken as they were, asked after at once, and ended if they do not answer.
	Before inventory.Lister
}

// Fabric routes. See the package's documentation.
type Fabric struct {
	cfg     Config
	deps    Deps
	metrics *metrics
	nodes   map[string]*node
	inbox   chan func(*loop)
	stopped chan struct{} // closed when Run returns
}

// New checks the configuration. Nothing happens before Run.
func New(cfg Config, deps Deps) (*Fabric, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Log == nil || deps.Sink == nil || deps.Registerer == nil {
		return nil, errors.New("fabric: Log, Sink and Registerer must be given")
	}
	m, err := newMetrics(deps.Registerer)
	if err != nil {
		return nil, err
	}
	f := &Fabric{cfg: cfg, deps: deps, metrics: m, nodes: map[string]*node{},
		inbox: make(chan func(*loop), inboxLength), stopped: make(chan struct{})}
	for _, s := range cfg.Switches {
		p := newProgrammer(managedTables(cfg.Enabled), deps.Log.With("switch", s.Name))
		p.updates = func(n int) { m.updates.WithLabelValues(s.Name).Add(float64(n)) }
		p.failed = func() { m.failures.WithLabelValues(s.Name).Inc() }
		if f.nodes[s.Name], err = newNode(cfg, s, p); err != nil {
			return nil, fmt.Errorf("fabric: switch %s: %w", s.Name, err)
		}
	}
	return f, nil
}

// Subscriber is how sessions reach the fabric: one for all of them.
func (f *Fabric) Subscriber() p4rt.Subscriber {
	return p4rt.Subscriber{Name: "fabric", Handler: handler{f}, Accept: func(p *p4rt.PacketIn) bool {
		r := p4src.PuntReason(p.Field(p4src.PacketInReason).Uint64())
		return r == p4src.PuntLLDP || r == p4src.PuntARP || r == p4src.PuntGlean || r == p4src.PuntGateway || r == p4src.PuntExpired
	}}
}

// Run works until ctx ends. It gives no error but ctx's. Run it once, and not shorter than
// the sessions that have its Subscriber.
func (f *Fabric) Run(ctx context.Context) error {
	defer close(f.stopped)
	g, ctx := errgroup.WithContext(ctx)
	for _, n := range f.nodes {
		g.Go(func() error { return n.programmer.run(ctx) })
	}
	g.Go(func() error { return newLoop(f, time.Now()).run(ctx) })
	return g.Wait()
}

// do has the loop run fn; it does nothing once Run has returned.
func (f *Fabric) do(fn func(*loop)) {
	select {
	case f.inbox <- fn:
	case <-f.stopped:
	}
}

func portFact(n *node, p Port) inventory.Port {
	return inventory.Port{Switch: n.cfg.Name, Number: p.Number, Name: p.Name, Peer: p.Peer}
}

// names gives the switches in the order of the configuration.
func (f *Fabric) names() []string {
	var out []string
	for _, s := range f.cfg.Switches {
		out = append(out, s.Name)
	}
	return slices.Clip(out)
}
