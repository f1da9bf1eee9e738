package p4rt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// States of a switch's fact.
const (
	StateConnecting  = "connecting"
	StateReady       = "ready"
	StateStandby     = "standby" // connected, and another controller is primary
	StateUnreachable = "unreachable"
)

// Sink takes facts. It must not block for long.
type Sink interface {
	Record(changes ...inventory.Change)
}

// Deps are what a session works with. Log, Program and Sink must be there.
type Deps struct {
	Log         *slog.Logger
	Program     *Program
	Sink        Sink
	Subscribers []Subscriber
	Metrics     *Metrics          // nil counts nowhere
	Dial        []grpc.DialOption // credentials and dialer; empty is TCP in plain text
}

// Session is the controller's side of one switch.
type Session struct {
	cfg     Config
	deps    Deps
	program *Program
	log     *slog.Logger
	metrics *Metrics

	mu   sync.Mutex // guards conn and last
	conn *connection
	last inventory.Switch // as last reported

	borrowed *p4v1.Uint128 // another controller's high half, with which we are or were primary; of Run's connection
}

// New checks the configuration. Nothing happens before Run.
func New(cfg Config, deps Deps) (*Session, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("p4rt: %w", err)
	}
	if deps.Log == nil || deps.Program == nil || deps.Sink == nil {
		return nil, fmt.Errorf("p4rt: switch %s: Log, Program and Sink must be given", cfg.Name)
	}
	if deps.Metrics == nil {
		m, err := NewMetrics(prometheus.NewRegistry())
		if err != nil {
			return nil, err
		}
		deps.Metrics = m
	}
	return &Session{
		cfg: cfg, deps: deps, program: deps.Program, metrics: deps.Metrics,
		log: deps.Log.With("switch", cfg.Name, "address", cfg.Address),
	}, nil
}

// Name is the switch's name.
func (s *Session) Name() string { return s.cfg.Name }

// DeviceID is the switch's P4Runtime device id.
func (s *Session) DeviceID() uint64 { return s.cfg.DeviceID }

// Program is the program that the switch runs while the session is ready.
func (s *Session) Program() *Program { return s.program }

// Run keeps the session connected until ctx ends. It gives no error but ctx's.
func (s *Session) Run(ctx context.Context) error {
	pause := s.cfg.BackoffMin
	s.metrics.ready.WithLabelValues(s.cfg.Name).Set(0)
	s.metrics.backup.WithLabelValues(s.cfg.Name).Set(0)
	s.state(StateConnecting, "", 0)
	for {
		served, err := s.serve(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.metrics.failures.WithLabelValues(s.cfg.Name).Inc()
		if served {
			pause = s.cfg.BackoffMin
		}
		if s.state(StateUnreachable, err.Error(), 0) {
			s.log.Warn("switch is not reachable; trying again until it is", "error", err)
		}
		// Half of the pause is random, so that sessions that lost their switches together
		// do not come back together.
		wait := pause/2 + rand.N(pause/2+1)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		pause = min(2*pause, s.cfg.BackoffMax)
	}
}

// state reports a change of state and says whether it was one. primary is the election id of
// the primary controller, 0 if there is none or it is not known.
func (s *Session) state(state, message string, primary uint64) bool {
	f := inventory.Switch{
		Name: s.cfg.Name, DeviceID: s.cfg.DeviceID, Address: s.cfg.Address, Role: s.cfg.FabricRole,
		State: state, Message: message, ElectionID: s.cfg.ElectionID, PrimaryID: primary,
	}
	s.mu.Lock()
	changed := f != s.last
	s.last = f
	s.mu.Unlock()
	if changed {
		s.deps.Sink.Record(inventory.Became(f, time.Now()))
	}
	return changed
}

// connected gives the live connection, and for writers only while it is primary.
func (s *Session) connected(write bool) (*connection, error) {
	s.mu.Lock()
	c := s.conn
	s.mu.Unlock()
	switch {
	case c == nil:
		return nil, fmt.Errorf("switch %s: %w", s.cfg.Name, ErrNotConnected)
	case write && !c.primary.Load():
		return nil, fmt.Errorf("switch %s: %w", s.cfg.Name, ErrNotPrimary)
	}
	return c, nil
}

func (s *Session) setConnection(c *connection) {
	s.mu.Lock()
	s.conn = c
	s.mu.Unlock()
}

// errClosed is what ends a stream that the switch closed without an error.
var errClosed = errors.New("the switch closed the stream")
