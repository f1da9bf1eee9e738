// Historybench measures how fast flow records and intervals are written and found, and how much space
// they take, and prints each number beside its aim.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"runtime/pprof"
	"slices"
	"syscall"
	"time"
)

// settings are the command line.
type settings struct {
	records   int
	intervals int
	span      time.Duration
	dir       string
	profile   string
	steps     string
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("historybench: ")
	var s settings
	flag.IntVar(&s.records, "records", 4<<20, "flow `RECORDS` to write, as many a day as 50 million; 0 for none")
	flag.IntVar(&s.intervals, "intervals", 1_500_000, "`INTERVALS` to write; 0 for none")
	flag.DurationVar(&s.span, "span", 30*24*time.Hour, "the `TIME` that they are spread over: 10 million in 3 days come as close as 100 million in 30")
	flag.StringVar(&s.dir, "dir", "", "`DIRECTORY` to write to (default: a new one, deleted at the end)")
	flag.StringVar(&s.steps, "steps", "services,snapshots,timelines,asked,bursts", "the `STEPS` to measure of the intervals")
	flag.StringVar(&s.profile, "profile", "", "`FILE` for a profile of the processor's time")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, s); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, s settings) error {
	if s.profile != "" {
		stop, err := profile(s.profile)
		if err != nil {
			return err
		}
		defer stop()
	}
	if s.dir == "" {
		dir, err := os.MkdirTemp("", "historybench-")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		s.dir = dir
	}
	if s.records > 0 {
		if err := benchRecords(ctx, s); err != nil {
			return fmt.Errorf("flow records: %w", err)
		}
	}
	if s.intervals > 0 {
		if err := benchIntervals(ctx, s); err != nil {
			return fmt.Errorf("intervals: %w", err)
		}
	}
	return nil
}

// profile writes where the processor's time goes, until stop.
func profile(path string) (stop func(), err error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close()
	}, nil
}

// report prints a line.
func report(format string, args ...any) { fmt.Printf(format+"\n", args...) }

// measured prints a number beside its aim.
func measured(what, value, aim string) {
	if aim != "" {
		aim = "   aim: " + aim
	}
	report("%-64s %12s%s", what, value, aim)
}

// cpu gives the processor time that this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		log.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// quantile gives the time that a share of all took at most.
func quantile(times []time.Duration, share float64) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[int(share*float64(len(sorted)-1)+0.5)]
}

// milliseconds writes a time.
func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}
