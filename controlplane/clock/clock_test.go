package clock

import (
	"context"
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestSteps steps the clock forward and back by hours, and a little, beside a time that passes.
func TestSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var off atomic.Int64 // by how much the wall clock is ahead
		c := newClock(func() time.Time { return time.Now().Round(0).Add(time.Duration(off.Load())) }, func() time.Duration { return time.Since(began) })
		ctx, stop := context.WithCancel(t.Context())
		var told []Step
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx, func(s Step) { told = append(told, s) }) }()

		time.Sleep(time.Minute)
		if c.Steady() != math.MaxInt64 {
			t.Errorf("steady for %v before the first step", c.Steady())
		}
		off.Store(int64(100 * time.Millisecond)) // as NTP without a step
		time.Sleep(time.Minute)
		off.Store(int64(3 * time.Hour))
		if got := c.Steady(); got != 0 {
			t.Errorf("steady for %v, want that a step is noticed at once", got)
		}
		time.Sleep(10 * time.Minute)
		off.Store(0)
		time.Sleep(5 * time.Minute)
		stop()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		want := []Step{
			{From: began.Add(2*time.Minute + 100*time.Millisecond), To: began.Add(3*time.Hour + 2*time.Minute), By: 3*time.Hour - 100*time.Millisecond},
			{From: began.Add(3*time.Hour + 12*time.Minute + time.Second), To: began.Add(12*time.Minute + time.Second), By: -3 * time.Hour},
		}
		for name, got := range map[string][]Step{"told": told, "recent": c.Recent(time.Hour)} {
			if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Step{}), cmpopts.EquateApproxTime(2*time.Second)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
		if got := c.Recent(6 * time.Minute); len(got) != 1 || got[0].By != -3*time.Hour {
			t.Errorf("the last minutes: %v", got)
		}
		if got := c.Steady(); got < 5*time.Minute-2*time.Second || got > 5*time.Minute {
			t.Errorf("steady for %v", got)
		}
	})
}
