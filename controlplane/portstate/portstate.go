package portstate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
)

// State is what a switch says of one of its ports.
type State struct {
	Number uint32 // of the data plane
	Name   string // the switch's own; not that of the configuration
	Admin  Status // whether it is to carry frames
	Oper   Status // whether it does
	// At is since when that is so, by the switch; zero if it does not say. A change that is told late or early, which
	// takes clocks that differ, has the time when it came.
	At time.Time
}

// Status is one of these.
type Status string

// Statuses of ports.
const (
	Up      Status = "up"
	Down    Status = "down"
	Unknown Status = ""
)

// Sink takes what switches say. It must not block for long.
type Sink interface {
	// PortStates says how ports of a switch are. all says that the switch has no others.
	PortStates(sw string, states []State, all bool)
	// PortsUnknown says that nothing is known of a switch's ports any more, since when and why.
	PortsUnknown(sw string, since time.Time, why string)
}

// Switch is whom to ask.
type Switch struct {
	Name    string
	Address string // host:port of its gNMI server
}

// Config says whom to ask, and how patiently.
type Config struct {
	Switches   []Switch
	Timeout    time.Duration // for the answer to one request
	BackoffMin time.Duration // pause before asking again, doubled every time
	BackoffMax time.Duration
	Mute       time.Duration // the same of a switch that has no gNMI
	MaxSkew    time.Duration // by how much the time of a change may differ from when it comes, to be believed
}

// DefaultConfig has everything but switches.
func DefaultConfig() Config {
	return Config{Timeout: 5 * time.Second, BackoffMin: 200 * time.Millisecond, BackoffMax: 3 * time.Second, Mute: 30 * time.Second, MaxSkew: 5 * time.Second}
}

// Validate names every field that is wrong.
func (c Config) Validate() error {
	var errs []error
	for _, d := range []struct {
		field string
		value time.Duration
	}{{"Timeout", c.Timeout}, {"BackoffMin", c.BackoffMin}, {"Mute", c.Mute}, {"MaxSkew", c.MaxSkew}} {
		if d.value <= 0 {
			errs = append(errs, fmt.Errorf("portstate: %s: %s must be positive", d.field, d.value))
		}
	}
	if c.BackoffMax < c.BackoffMin {
		errs = append(errs, fmt.Errorf("portstate: BackoffMax: %s is less than BackoffMin %s", c.BackoffMax, c.BackoffMin))
	}
	for _, s := range c.Switches {
		if s.Name == "" || s.Address == "" {
			errs = append(errs, fmt.Errorf("portstate: switch %q: name and address %q must not be empty", s.Name, s.Address))
		}
	}
	return errors.Join(errs...)
}

// Deps are what a Watcher works with. Log, Sink and Registerer must be there.
type Deps struct {
	Log        *slog.Logger
	Sink       Sink
	Registerer prometheus.Registerer
	Dial       []grpc.DialOption // credentials and dialer; empty is TCP in plain text
}

// Watcher asks all switches.
type Watcher struct {
	cfg     Config
	deps    Deps
	metrics metrics
}

type metrics struct {
	known    *prometheus.GaugeVec
	changes  *prometheus.CounterVec
	failures *prometheus.CounterVec
}

// New checks the configuration. Nothing happens before Run.
func New(cfg Config, deps Deps) (*Watcher, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Log == nil || deps.Sink == nil || deps.Registerer == nil {
		return nil, errors.New("portstate: Log, Sink and Registerer must be given")
	}
	opts := func(name, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: "fabricscope", Subsystem: "portstate", Name: name, Help: help}
	}
	m := metrics{
		known:    prometheus.NewGaugeVec(prometheus.GaugeOpts(opts("known", "Whether the switch tells of its ports.")), []string{"switch"}),
		changes:  prometheus.NewCounterVec(prometheus.CounterOpts(opts("states_total", "States of ports that the switch told.")), []string{"switch"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts(opts("failures_total", "Attempts to ask the switch that failed.")), []string{"switch"}),
	}
	for _, c := range []prometheus.Collector{m.known, m.changes, m.failures} {
		if err := deps.Registerer.Register(c); err != nil {
			return nil, fmt.Errorf("portstate: register metrics: %w", err)
		}
	}
	return &Watcher{cfg, deps, m}, nil
}

// Run asks until ctx ends. It gives no error but ctx's.
func (w *Watcher) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, s := range w.cfg.Switches {
		g.Go(func() error { return w.watch(ctx, s) })
	}
	return g.Wait()
}

// watch keeps asking one switch.
func (w *Watcher) watch(ctx context.Context, s Switch) error {
	pause, lost, said := w.cfg.BackoffMin, time.Now(), ""
	for {
		a := asked{Watcher: w, sw: s, log: w.deps.Log.With("switch", s.Name, "gnmi", s.Address)}
		err := a.ask(ctx)
		w.metrics.known.WithLabelValues(s.Name).Set(0)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		w.metrics.failures.WithLabelValues(s.Name).Inc()
		why, wait := reason(err), pause
		switch {
		case a.told: // nothing is unknown if the next connection is there at once
			pause, wait, lost, said = w.cfg.BackoffMin, w.cfg.BackoffMin, time.Now(), ""
			a.log.Warn("the switch does not tell of its ports any more; asking again", "error", err)
		case why != said:
			said = why
			w.deps.Sink.PortsUnknown(s.Name, lost, why)
			a.log.Info("the state of the switch's ports is not known", "reason", why)
		}
		if errors.Is(err, errMute) {
			wait = w.cfg.Mute
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		pause = min(2*pause, w.cfg.BackoffMax)
	}
}
