// Package clock notices when the wall clock steps: when it goes on by another amount than the time that passed, because somebody
// set it, NTP corrected it, or the machine slept. Times of things are those of the wall clock; how long something has been so must not
// depend on its steps.
package clock

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"
)

// Smallest is the least difference that is a step. What is less may be the time that reading both clocks took; NTP
// corrects less than 128 ms without a step.
const Smallest = 500 * time.Millisecond

// every is how often Run looks.
const every = time.Second

// kept is how many steps are remembered.
const kept = 16

// Step is one step of the wall clock.
type Step struct {
	From, To time.Time     // what the wall clock would have said when it was noticed, within a second, and what it said
	By       time.Duration // above zero for a step forward
	passed   time.Duration // when it was noticed
}

// Clock watches the wall clock. Its methods may be called from any goroutine.
type Clock struct {
	wall   func() time.Time     // without a monotonic reading
	passed func() time.Duration // since some time; it never steps

	mu      sync.Mutex
	at      time.Time     // guarded by mu; the wall clock when it was looked at last
	mark    time.Duration // guarded by mu; and what had passed
	steps   []Step        // guarded by mu; the newest, oldest first
	count   int           // guarded by mu; of all steps
	stepped time.Duration // guarded by mu; what had passed at the newest
}

// New watches the system's clock from now on.
func New() *Clock {
	began := time.Now()
	return newClock(func() time.Time { return time.Now().Round(0) }, func() time.Duration { return time.Since(began) })
}

func newClock(wall func() time.Time, passed func() time.Duration) *Clock {
	c := &Clock{wall: wall, passed: passed}
	c.at, c.mark = wall(), passed()
	return c
}

// Run looks once a second, until ctx ends, and gives told each step.
func (c *Clock) Run(ctx context.Context, told func(Step)) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for said := 0; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		c.Steady()
		for _, s := range c.since(said) {
			told(s)
			said++
		}
	}
}

// Steady gives for how long the clock has not stepped. Before the first step that is for ever.
func (c *Clock) Steady() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.look()
	if c.count == 0 {
		return math.MaxInt64
	}
	return c.mark - c.stepped
}

// Recent gives the steps of the last while, oldest first.
func (c *Clock) Recent(within time.Duration) []Step {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.look()
	var recent []Step
	for _, s := range c.steps {
		if c.mark-s.passed <= within {
			recent = append(recent, s)
		}
	}
	return recent
}

// since gives the steps after a number of them, as far as they are remembered.
func (c *Clock) since(number int) []Step {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.steps[max(0, len(c.steps)-(c.count-number)):])
}

// look compares the clocks. c.mu is held.
func (c *Clock) look() {
	wall, passed := c.wall(), c.passed()
	by := wall.Sub(c.at) - (passed - c.mark)
	if by.Abs() >= Smallest {
		if len(c.steps) == kept {
			c.steps = c.steps[1:]
		}
		c.steps = append(c.steps, Step{From: c.at.Add(passed - c.mark), To: wall, By: by, passed: passed})
		c.stepped = passed
		c.count++
	}
	c.at, c.mark = wall, passed
}
