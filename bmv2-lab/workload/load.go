package workload

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// load is a role that requests URLs in turn at a steady rate and pings hosts.
// A request that would be one too many at a time is not made, and counted.
func load(name string) func(context.Context, []string, *slog.Logger) error {
	return func(ctx context.Context, args []string, logger *slog.Logger) error {
		flags := flag.NewFlagSet(name, flag.ContinueOnError)
		rate := flags.Float64("rate", 3, "requests a second")
		atOnce := flags.Int("at-once", 8, "requests under way at most")
		every := flags.Duration("ping-every", time.Second, "time between ICMP echo requests")
		var targets, hosts addresses
		flags.Var(&targets, "target", "URL to request (repeatable)")
		flags.Var(&hosts, "ping", "host to ping, every address of it (repeatable)")
		if err := parse(flags, args); err != nil {
			return err
		}
		switch {
		case len(targets) == 0 && len(hosts) == 0:
			return errors.New("neither --target nor --ping is given")
		case *rate <= 0 || *rate > 1000:
			return fmt.Errorf("--rate %v is not in 0..1000", *rate)
		case *atOnce < 1:
			return fmt.Errorf("--at-once %d is less than 1", *atOnce)
		case *every < 10*time.Millisecond:
			return fmt.Errorf("--ping-every %v is less than 10ms", *every)
		}
		generator := &generator{logger: logger, slots: make(chan struct{}, *atOnce), caller: newCaller(5 * time.Second)}
		var running sync.WaitGroup
		if len(targets) > 0 {
			running.Go(func() { generator.request(ctx, targets, time.Duration(float64(time.Second) / *rate)) })
		}
		var err error
		if len(hosts) > 0 {
			err = pingHosts(ctx, hosts, *every, logger)
		}
		running.Wait()
		return err
	}
}

// generator makes HTTP requests.
type generator struct {
	logger *slog.Logger
	slots  chan struct{} // one in it per request under way
	caller *caller

	succeeded, failed, skipped atomic.Uint64
}

// reportInterval is that of the log lines with what was done.
const reportInterval = 10 * time.Second

func (g *generator) request(ctx context.Context, targets []string, interval time.Duration) {
	var running sync.WaitGroup
	defer g.caller.close()
	defer running.Wait()
	ticker, report := time.NewTicker(interval), time.NewTicker(reportInterval)
	defer ticker.Stop()
	defer report.Stop()
	for number := 0; ; {
		select {
		case <-ctx.Done():
			g.log()
			return
		case <-report.C:
			g.log()
		case <-ticker.C:
			if ctx.Err() != nil {
				continue // select picks at random when both are ready
			}
			select {
			case g.slots <- struct{}{}:
			default:
				g.skipped.Add(1)
				continue
			}
			target := targets[number%len(targets)]
			number++
			running.Go(func() {
				defer func() { <-g.slots }()
				g.once(ctx, target)
			})
		}
	}
}

func (g *generator) once(ctx context.Context, target string) {
	// A request under way at the end is finished: its flow ends as a flow does.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if _, err := g.caller.get(ctx, target); err != nil {
		g.failed.Add(1)
		g.logger.Warn("a request failed", "error", err)
		return
	}
	g.succeeded.Add(1)
}

func (g *generator) log() {
	g.logger.Info("requests", "succeeded", g.succeeded.Load(), "failed", g.failed.Load(), "skipped", g.skipped.Load())
}
