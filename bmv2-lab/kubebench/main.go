// Kubebench measures the controller against a real API server with thousands of nodes, which kwok simulates: how long
// it takes to know everything, how long from a change to the answer that has it, and with how much memory. What it
// remembers is compared at moments of the run with what another watcher saw.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
)

// settings are the command line.
type settings struct {
	nodes    int
	pods     int
	services int
	rate     int
	burst    int
	time     time.Duration
	limit    time.Duration
	kwok     string
	daemon   string
	dir      string
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("kubebench: ")
	var s settings
	flag.IntVar(&s.nodes, "nodes", 5000, "simulated nodes")
	flag.IntVar(&s.pods, "pods", 150_000, "pods on them")
	flag.IntVar(&s.services, "services", 5000, "services that the pods are spread over")
	flag.IntVar(&s.rate, "rate", 100, "changes of pods a second")
	flag.IntVar(&s.burst, "burst", 1000, "changes a second in each burst: five seconds of every thirty")
	flag.DurationVar(&s.time, "time", 3*time.Minute, "how long pods change")
	flag.StringVar(&s.kwok, "kwok", "build/kwok", "kwok's `EXECUTABLE`")
	flag.StringVar(&s.daemon, "daemon", "build/fabricscoped", "the controller's `EXECUTABLE`")
	flag.DurationVar(&s.limit, "limit", time.Hour, "how long all of it may take")
	flag.StringVar(&s.dir, "dir", filepath.Join(os.TempDir(), "fabricscope-kubebench"), "`DIRECTORY` to work in; at the end it is deleted, but for the logs of what failed")
	flag.Parse()
	klog.SetLogger(logr.Discard()) // the clients' own lines repeat the errors
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, s); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, s settings) (err error) {
	if s.nodes < 1 || s.pods < s.nodes || s.pods/s.nodes > podsPerNode || s.services < 1 {
		return fmt.Errorf("-nodes, -pods, -services: there can be 1 to %d pods at a node, and there has to be a service", podsPerNode)
	}
	if s.dir, err = filepath.Abs(s.dir); err != nil {
		return err
	}
	release, err := s.claim()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release(err != nil)) }()
	ctx, cancel := context.WithTimeoutCause(ctx, s.limit, fmt.Errorf("it has not come to its end within %v", s.limit))
	defer cancel()
	report("%d nodes, %d pods, %d services", s.nodes, s.pods, s.services)
	w, err := startWorld(ctx, s)
	if err != nil {
		return fmt.Errorf("%w (logs in %s)", err, s.dir)
	}
	defer w.stop()
	for _, step := range []func(context.Context) error{w.fill, w.learn, w.change, w.recall, w.restarts} {
		if err := step(w.ctx); err != nil {
			if cause := context.Cause(w.ctx); cause != nil {
				err = cause
			}
			return fmt.Errorf("%w (logs in %s)", err, s.dir)
		}
	}
	return nil
}

// report prints a line.
func report(format string, args ...any) { fmt.Printf(format+"\n", args...) }

// measured prints a number beside its aim.
func measured(what, value, aim string) { report("%-64s %12s   aim: %s", what, value, aim) }
