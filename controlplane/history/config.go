package history

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Config says where the history is kept, for how long, and how it is written.
type Config struct {
	// Dir holds history.db, its write-ahead log and the lock file. It is made when missing.
	Dir string
	// Retention is how long an ended interval is kept, counted from the commit of its end.
	Retention time.Duration
	// MaxBytes bounds what of the file is in use: what ended longest ago goes first, before Retention and FlowRetention. 0
	// is no bound.
	MaxBytes int64
	// FlowRetention is how long a flow record is kept, counted from its commit.
	FlowRetention time.Duration
	// Linger is how long after its last packet a conversation still belongs to the state
	// of a moment, live or past.
	Linger time.Duration
	// FlowInterval bounds the rows of one conversation: of all its states within one
	// interval of commit time the last is kept. 0 keeps every state.
	FlowInterval time.Duration
	// BatchDelay is the longest that a change waits to be committed together with others.
	BatchDelay time.Duration
	// Readers is how many questions about the past are answered at once; more wait. A replay is one until it is closed.
	Readers int
	// QueueSize is how many changes may wait to be written. At that many Record blocks,
	// or drops and counts while writing fails.
	QueueSize int
}

// DefaultConfig keeps objects for 30 days and flows for 7; Dir is left to be set.
func DefaultConfig() Config {
	return Config{
		Retention:     30 * 24 * time.Hour,
		FlowRetention: 7 * 24 * time.Hour,
		Linger:        5 * time.Minute,
		FlowInterval:  time.Second,
		BatchDelay:    20 * time.Millisecond,
		Readers:       4,
		QueueSize:     1 << 16,
	}
}

// Validate reports every field that cannot be used.
func (c Config) Validate() error {
	var errs []error
	if c.Dir == "" {
		errs = append(errs, errors.New("dir: must name a directory"))
	}
	atLeast := func(field string, d, least time.Duration) {
		if d < least {
			errs = append(errs, fmt.Errorf("%s: %v is less than %v", field, d, least))
		}
	}
	atLeast("retention", c.Retention, time.Minute)
	atLeast("flow-retention", c.FlowRetention, time.Minute)
	if c.MaxBytes < 0 {
		errs = append(errs, fmt.Errorf("max-bytes: %d is negative", c.MaxBytes))
	}
	atLeast("linger", c.Linger, time.Second)
	atLeast("flow-interval", c.FlowInterval, 0)
	atLeast("batch-delay", c.BatchDelay, 0)
	if c.BatchDelay > 10*time.Second {
		errs = append(errs, fmt.Errorf("batch-delay: %v is more than 10s", c.BatchDelay))
	}
	if c.Readers < 1 {
		errs = append(errs, fmt.Errorf("readers: %d is less than 1", c.Readers))
	}
	if c.QueueSize < 1 {
		errs = append(errs, fmt.Errorf("queue-size: %d is less than 1", c.QueueSize))
	}
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("history: %w", errors.Join(errs...))
}

// Deps is what the store uses of its surroundings. All may be left nil.
type Deps struct {
	Log        *slog.Logger          // nil discards
	Now        func() time.Time      // clock of commit times; nil is time.Now
	Registerer prometheus.Registerer // nil registers nowhere

	// Steady is for how long the clock has not stepped; nil is for ever.
	Steady func() time.Duration
}

// steady is for how long the clock has to have been steady before something is deleted because of its age: a clock that is wrong by
// years may be put right.
const steady = time.Hour

// forEver is Deps.Steady of a clock that does not step.
func forEver() time.Duration { return math.MaxInt64 }
