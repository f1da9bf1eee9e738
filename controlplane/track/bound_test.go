package track

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestBound: a bound is never less than what it bounds, and more by an eighth at most.
func TestBound(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	times := []time.Duration{0, 1, time.Microsecond, 7 * time.Microsecond, 8 * time.Microsecond, 15 * time.Microsecond, 15*time.Microsecond + 1, 16 * time.Microsecond, 4 * time.Hour}
	for range 10_000 {
		times = append(times, time.Duration(r.Int64N(1<<(1+r.IntN(43)))))
	}
	for _, d := range times {
		got := boundOf(d).duration()
		exact := (d + time.Microsecond - 1).Truncate(time.Microsecond)
		if got < d || got > exact+exact/8 {
			t.Errorf("the bound of %v is %v", d, got)
		}
	}
	if got := boundOf(100 * time.Hour).duration(); got < 4*time.Hour {
		t.Errorf("the bound of 100 hours is %v", got)
	}
	if got := boundOf(-time.Second); got != 0 {
		t.Errorf("the bound of a negative time is %v", got.duration())
	}
}
