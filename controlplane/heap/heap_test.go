package heap

import (
	"context"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestPercent(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		live int64
		want int
	}{{0, 400}, {10 * mib, 400}, {300 * mib, 241}, {512 * mib, 100}, {640 * mib, 60}, {900 * mib, 50}, {5000 * mib, 50}} {
		if got := percent(c.live, 1024*mib); got != c.want {
			t.Errorf("%d MiB: %d%%, want %d%%", c.live/mib, got, c.want)
		}
	}
}

// gogc is what the process is set to.
func gogc() uint64 {
	s := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// TestRun wants the process set for as long as it runs, and never where the environment says what is wanted.
func TestRun(t *testing.T) {
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	before := gogc()
	check := func(c Config, want uint64) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			h, err := New(c)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- h.Run(ctx) }()
			time.Sleep(2 * every)
			synctest.Wait()
			if got := gogc(); got != want {
				t.Errorf("%+v: %d%%, want %d%%", c, got, want)
			}
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			if got := gogc(); got != before {
				t.Errorf("%d%% afterwards, %d%% before", got, before)
			}
		})
	}
	check(DefaultConfig(), most)
	check(Config{}, before)
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, "off")
			check(DefaultConfig(), before)
		})
	}
}

// TestLargeHeap wants a heap that is over the target collected as Go does it.
func TestLargeHeap(t *testing.T) {
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	runtime.GC() // so that it is known how large the heap is
	synctest.Test(t, func(t *testing.T) {
		h := &Heap{target: 1}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- h.Run(ctx) }()
		time.Sleep(2 * every)
		synctest.Wait()
		if got := gogc(); got != least {
			t.Errorf("%d%%, want %d%%", got, least)
		}
		cancel()
		<-ended
	})
}

func TestValidate(t *testing.T) {
	if _, err := New(Config{Target: 1000}); err == nil || !strings.Contains(err.Error(), "1000") {
		t.Errorf("error %v", err)
	}
}
