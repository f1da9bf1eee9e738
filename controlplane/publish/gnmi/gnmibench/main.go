package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"runtime/pprof"
	"syscall"
	"time"
)

// longest is how long everything may take: what hangs is to be seen.
const longest = 5 * time.Minute

// settings are the command line.
type settings struct {
	pods        int
	subscribers int
	stuck       int
	services    int
	watched     int
	rate        int
	leaves      int
	time        time.Duration
	only        string
	profile     string
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("gnmibench: ")
	if len(os.Args) > 1 && os.Args[1] == "client" {
		if err := client(os.Args[2:]); err != nil {
			log.Fatal("client: ", err)
		}
		return
	}
	var s settings
	flag.IntVar(&s.pods, "pods", 150_000, "pods in the tree")
	flag.IntVar(&s.subscribers, "subscribers", 1000, "subscribers to changes")
	flag.IntVar(&s.stuck, "stuck", 100, "how many of them take nothing")
	flag.IntVar(&s.services, "services", 3000, "services that the pods are spread over")
	flag.IntVar(&s.watched, "watched", 100, "services that the changes, and the subscribers, are about")
	flag.IntVar(&s.rate, "rate", 1000, "changes a second")
	flag.IntVar(&s.leaves, "leaves", 500_000, "leaves that change a second for one subscriber")
	flag.DurationVar(&s.time, "time", 10*time.Second, "how long changes are made in each measurement")
	flag.StringVar(&s.only, "only", "", "reads, crowd or flood alone")
	flag.StringVar(&s.profile, "profile", "", "write what the server's processor time went into to this `FILE`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	if err := run(ctx, s); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, s settings) error {
	dir, err := os.MkdirTemp("", "gnmibench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b, err := startServer(ctx, s, dir)
	if err != nil {
		return err
	}
	if s.profile != "" {
		f, err := os.Create(s.profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	for _, step := range []struct {
		name string
		run  func(context.Context) error
	}{{"reads", b.reads}, {"crowd", b.crowd}, {"flood", b.flood}} {
		if err == nil && (s.only == "" || s.only == step.name) {
			err = step.run(ctx)
		}
	}
	if stopped := b.stop(); err == nil {
		err = stopped
	}
	return err
}

// report prints a number beside its aim.
func report(what, got, aim string) { fmt.Printf("%-64s %14s   aim %s\n", what, got, aim) }
