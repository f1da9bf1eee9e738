package records

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Config says where records are kept, for how long, and how they become segments.
type Config struct {
	// Dir holds the log, the segments, what was found damaged, and the lock file. It is made
	// when missing.
	Dir string
	// Interval is the export interval: a conversation has at most one record of each.
	Interval time.Duration
	// Linger is how long a silent conversation is remembered, so that its next packets are
	// not counted from the beginning.
	Linger time.Duration
	// Conversations bounds those that are remembered; records of more are dropped and counted.
	Conversations int
	// SegmentAge and SegmentRecords say when the log is cut into a segment: at the first of
	// the two. Twice SegmentRecords may be in memory, with about 100 bytes each; then Append waits.
	SegmentAge     time.Duration
	SegmentRecords int
	// Segments whose records are of the same CompactWindow become one, up to CompactRecords, but for those that have half
	// of SegmentRecords: they would hardly get smaller.
	CompactWindow  time.Duration
	CompactRecords int
	// Retention is how long a record is kept, by the end of its interval, and MaxBytes the
	// size of the segments above which the oldest go; 0 is no bound.
	Retention time.Duration
	MaxBytes  int64
}

// DefaultConfig keeps records for 7 days; Dir is left to be set.
func DefaultConfig() Config {
	return Config{
		Interval: 10 * time.Second, Linger: 5 * time.Minute, Conversations: 1 << 20,
		SegmentAge: 10 * time.Minute, SegmentRecords: 1 << 21,
		CompactWindow: time.Hour, CompactRecords: 1 << 22,
		Retention: 7 * 24 * time.Hour,
	}
}

// mostSegmentRecords bounds SegmentRecords: the addresses of one segment are numbered with few bits.
const mostSegmentRecords = 1 << 22

// Validate reports every field that cannot be used.
func (c Config) Validate() error {
	var errs []error
	check := func(field string, ok bool, want string) {
		if !ok {
			errs = append(errs, fmt.Errorf("%s: must %s", field, want))
		}
	}
	check("dir", c.Dir != "", "name a directory")
	check("interval", c.Interval >= time.Millisecond, "be at least 1ms")
	check("linger", c.Linger >= c.Interval, "not be less than the interval")
	check("conversations", c.Conversations > 0, "be positive")
	check("segment-age", c.SegmentAge > 0, "be positive")
	check("segment-records", c.SegmentRecords > 0 && c.SegmentRecords <= mostSegmentRecords, fmt.Sprintf("be from 1 to %d", mostSegmentRecords))
	check("compact-window", c.CompactWindow >= c.SegmentAge, "not be less than segment-age")
	check("compact-records", c.CompactRecords >= c.SegmentRecords, "not be less than segment-records")
	check("retention", c.Retention > 0, "be positive")
	check("max-bytes", c.MaxBytes >= 0, "not be negative")
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("records: %w", errors.Join(errs...))
}

// Deps is what the store uses of its surroundings. All may be left nil.
type Deps struct {
	Log        *slog.Logger          // nil discards
	Now        func() time.Time      // nil is time.Now
	Registerer prometheus.Registerer // nil registers nowhere

	// Steady is for how long the clock has not stepped; nil is for ever.
	Steady func() time.Duration
}

// steady is for how long the clock has to have been steady before a segment is deleted because of its age: a clock that is wrong by
// years may be put right.
const steady = time.Hour

// forEver is Deps.Steady of a clock that does not step.
func forEver() time.Duration { return math.MaxInt64 }
