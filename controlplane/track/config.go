package track

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// Config are the times and bounds of a Tracker.
type Config struct {
	Slots           uint32        // places in a switch's flow cache
	EpochBits       uint          // an epoch of the flow cache is 2 to the power of this many microseconds
	IdleTimeout     time.Duration // a flow silent for this long is taken out of the cache
	EndedTimeout    time.Duration // the same for a TCP flow that ended
	PublishInterval time.Duration // conversations are published at most this often
	CounterInterval time.Duration // port and class counters are read this often
	Linger          time.Duration // a conversation silent for this long is forgotten
	AnswerTimeout   time.Duration // a read-out unanswered for this long is asked again
	MaxInFlight     int           // read-outs of one switch under way at once
	MaxFlows        int           // directions of conversations by ingress port that are kept; others are counted and refused
	MaxHops         int           // likewise of one conversation; 255 at most
	MaxPublish      int           // conversations that are published in one interval
	MaxUnnamed      int           // reports of one switch that wait until the name of its registers is known
	Queue           int           // messages of reports waiting
	WireGuardPorts  []uint16      // UDP ports whose conversations are WireGuard's
}

// DefaultConfig suits a fabric of tens of switches.
func DefaultConfig() Config {
	return Config{
		IdleTimeout: 5 * time.Second, EndedTimeout: time.Second,
		PublishInterval: time.Second, CounterInterval: time.Second,
		Linger: 5 * time.Minute, AnswerTimeout: 2 * time.Second,
		MaxInFlight: 32, MaxFlows: 2 << 20, MaxHops: 128, MaxPublish: 20_000, MaxUnnamed: 1 << 14, Queue: 128,
	}
}

// Validate names the first field that cannot be.
func (c Config) Validate() error {
	for _, f := range []struct {
		name string
		ok   bool
	}{
		{"Slots", c.Slots > 0},
		{"EpochBits", c.EpochBits > 0 && c.EpochBits <= 32},
		{"IdleTimeout", c.IdleTimeout > 0},
		{"EndedTimeout", c.EndedTimeout > 0},
		{"PublishInterval", c.PublishInterval > 0},
		{"CounterInterval", c.CounterInterval > 0},
		{"Linger", c.Linger > 0},
		{"AnswerTimeout", c.AnswerTimeout > 0},
		{"MaxInFlight", c.MaxInFlight > 0},
		{"MaxFlows", c.MaxFlows > 0},
		{"MaxHops", c.MaxHops > 0},
		{"MaxUnnamed", c.MaxUnnamed > 0},
		{"MaxPublish", c.MaxPublish > 0},
		{"Queue", c.Queue > 0},
	} {
		if !f.ok {
			return fmt.Errorf("track: %s must be positive", f.name)
		}
	}
	if c.MaxHops > math.MaxUint8 {
		return fmt.Errorf("track: MaxHops must not be more than %d", math.MaxUint8)
	}
	return nil
}

// Deps are what a Tracker needs of others.
type Deps struct {
	Sink   Sink
	Before inventory.Lister // what the sink held when the last tracker ended; nil: nothing
	// Progress gives the versions of what the sink was given last, and of what outlives a crash
	// with all before it. Nil: everything does at once.
	Progress   func() (given, stored uint64)
	PortName   func(sw string, number uint32) string
	Log        *slog.Logger
	Registerer prometheus.Registerer
}

// Sink takes what a Tracker found out: conversations as they stand, and the accounting of
// ports. Calls come from one goroutine.
type Sink interface {
	Record(changes ...inventory.Change)
}

// ErrStopped is what a Tracker answers when it does not run any more.
var ErrStopped = errors.New("track: stopped")
