package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

// settings are the command line.
type settings struct {
	softswitch string
	bmv2       string
	rounds     int
	round      time.Duration
	soak       time.Duration
}

// inside, in the environment, says that the namespace is there.
const inside = "SWITCHBENCH_INSIDE"

func main() {
	log.SetFlags(0)
	log.SetPrefix("switchbench: ")
	if len(os.Args) == 4 && os.Args[1] == "forward" {
		log.Fatal(forward(os.Args[2], os.Args[3]))
	}
	var s settings
	flag.StringVar(&s.softswitch, "softswitch", "build/softswitch", "the softswitch to measure, a `FILE`")
	flag.StringVar(&s.bmv2, "bmv2", "simple_switch_grpc", "what to compare it with, if it is there: a `COMMAND`")
	flag.IntVar(&s.rounds, "rounds", 5, "rounds; medians are taken over them")
	flag.DurationVar(&s.round, "round", 2*time.Second, "how long each device forwards in a round")
	flag.DurationVar(&s.soak, "soak", 3*time.Minute, "how long the memory is watched under load: a heap takes a minute to settle")
	flag.Parse()
	if os.Getenv(inside) == "" {
		os.Exit(enter())
	}
	// The devices end with the thread that started them (Pdeathsig): this one stays.
	runtime.LockOSThread()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, s); err != nil {
		log.Fatal(err)
	}
}

// enter runs this program again in a network namespace of its own.
func enter() int {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	log.Printf("%v (it needs root)", err)
	return 1
}

func run(ctx context.Context, s settings) error {
	if err := cable(); err != nil {
		return err
	}
	b := &bench{settings: s}
	steps := []func(context.Context) error{b.throughput, b.tables, b.cores, b.startup, b.writes, b.memory}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// verdict is how a figure relates to what it should be.
func verdict(good bool) string {
	if good {
		return "ok"
	}
	return "MISSED"
}

func report(format string, args ...any) { fmt.Printf(format+"\n", args...) }
