// Package heap has the garbage collector wait while there is memory to spare. Go collects when the heap has doubled; a
// daemon that keeps some hundred megabytes of facts and has a gigabyte does so more often than it needs to, and each
// collection reads all the facts. Below a target the heap may grow to the target instead. A limit
// (debug.SetMemoryLimit) would not do: one that the facts themselves come near to has Go collect without end.
package heap

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Config says how large the heap may become before it is collected.
type Config struct {
	// Target is up to how many bytes the heap may grow between collections when more than a third of it was free after
	// the last one; a heap that needs more grows by half of what it needs. 0 leaves it to Go, whose heap doubles.
	Target int64
}

// leastTarget is what no daemon is below.
const leastTarget = 64 << 20

// DefaultConfig is what makes a daemon with a cluster of 150,000 pods stay under 1.5 GiB.
func DefaultConfig() Config { return Config{Target: 1 << 30} }

// Validate reports a target that cannot be used.
func (c Config) Validate() error {
	if c.Target != 0 && c.Target < leastTarget {
		return fmt.Errorf("heap: target: %d is neither 0 nor at least %d", c.Target, leastTarget)
	}
	return nil
}

// Heap sets how long the collector of the process waits. There can be one at a time.
type Heap struct{ target int64 }

// New makes one that Run starts.
func New(cfg Config) (*Heap, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Heap{target: cfg.Target}, nil
}

const (
	// every is how often it looks at what the last collection left.
	every = 250 * time.Millisecond
	// least and most are bounds of the percentage by which the heap grows between collections. What was measured while
	// the daemon starts is soon too little, so most does not let it go far.
	least, most = 50, 400
	// still is a change of the percentage that is not worth stopping all goroutines for.
	still = 10
)

// Run keeps to the target until ctx ends, and then leaves the process as it was. It does nothing where the environment
// has GOGC or GOMEMLIMIT: somebody has decided already.
func (h *Heap) Run(ctx context.Context) error {
	if h.target == 0 || os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		<-ctx.Done()
		return nil
	}
	now := most
	defer debug.SetGCPercent(debug.SetGCPercent(now))
	tick := time.NewTicker(every)
	defer tick.Stop()
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		metrics.Read(sample)
		if p := percent(int64(sample[0].Value.Uint64()), h.target); p >= now+still || p <= now-still {
			debug.SetGCPercent(p)
			now = p
		}
	}
}

// percent is by how much a heap grows to the target, of which the last collection left live bytes.
func percent(live, target int64) int {
	if live <= 0 {
		return most
	}
	return int(max(min((target-live)*100/live, most), least))
}
