package diagnose

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// Config are the bounds of a Diagnoser.
type Config struct {
	MaxPorts int           // ports of servers that are followed
	Hold     time.Duration // for how long a condition has to be gone before its finding ends
	Settle   time.Duration // after the start, before findings of an earlier run end
}

// DefaultConfig suits tens of thousands of services.
func DefaultConfig() Config {
	return Config{MaxPorts: 1 << 16, Hold: 10 * time.Second, Settle: time.Minute}
}

// Validate names the first field that cannot be.
func (c Config) Validate() error {
	switch {
	case c.MaxPorts <= 0:
		return errors.New("diagnose: MaxPorts must be positive")
	case c.Hold < 0 || c.Settle < 0:
		return errors.New("diagnose: Hold and Settle must not be negative")
	}
	return nil
}

// Deps are what a Diagnoser needs of others.
type Deps struct {
	Sink       Sink
	Source     Source
	Registerer prometheus.Registerer // nil registers nowhere

	// Self gives what the daemon finds about itself, without IDs; nil finds nothing.
	Self func() []inventory.Finding
}

// Sink takes findings.
type Sink interface {
	Record(changes ...inventory.Change)
}

// Source tells what is so now and what changes.
type Source interface {
	Subscribe() (inventory.Lister, Feed)
	// Facts gives what is so now.
	Facts() inventory.Lister
}

// Feed is a stream of updates.
type Feed interface {
	Next(ctx context.Context) ([]inventory.Update, error)
	Close()
}

// look is how often findings are made of what is known.
const look = time.Second

// Diagnoser follows the facts and records findings.
type Diagnoser struct {
	cfg     Config
	deps    Deps
	open    *prometheus.GaugeVec
	refused prometheus.Counter
}

// New gives a Diagnoser that does nothing until Run.
func New(cfg Config, deps Deps) (*Diagnoser, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	d := &Diagnoser{cfg: cfg, deps: deps,
		open: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "fabricscope_diagnose_findings",
			Help: "Findings that hold now, by kind."}, []string{"kind"}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{Name: "fabricscope_diagnose_ports_refused_total",
			Help: "Changes of conversations that were not looked at because too many ports of servers are followed."})}
	if deps.Registerer == nil {
		return d, nil
	}
	for _, c := range []prometheus.Collector{d.open, d.refused} {
		if err := deps.Registerer.Register(c); err != nil {
			return nil, fmt.Errorf("diagnose: register metrics: %w", err)
		}
	}
	return d, nil
}

// Run follows the facts until ctx ends.
func (d *Diagnoser) Run(ctx context.Context) error {
	view, feed := d.deps.Source.Subscribe()
	defer feed.Close()
	now := time.Now()
	s := newState(d.cfg, now, d.refused)
	s.facts = d.deps.Source.Facts
	s.self = d.deps.Self
	s.load(view, now)
	looked := now
	for {
		wait, cancel := context.WithTimeout(ctx, max(0, look-time.Since(looked)))
		updates, err := feed.Next(wait)
		cancel()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("diagnose: follow the facts: %w", err)
		}
		now := time.Now()
		for _, u := range updates {
			s.update(u, now)
		}
		if now.Sub(looked) < look {
			continue
		}
		looked = now
		if changes := s.look(now); len(changes) > 0 {
			d.deps.Sink.Record(changes...)
		}
		d.open.Reset()
		for kind, n := range s.counts() {
			d.open.WithLabelValues(kind).Set(float64(n))
		}
	}
}
