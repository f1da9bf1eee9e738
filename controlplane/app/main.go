package app

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/fabricscope/fabricscope/controlplane/config"
	"github.com/fabricscope/fabricscope/controlplane/kube"
)

const usage = `fabricscoped makes a fabric of P4 switches Kubernetes-aware.

usage: fabricscoped --config FILE [--check]

  --config FILE   configuration (docs/CONFIGURATION.md)
  --check         say whether the configuration is good, and end

SIGHUP reads the configuration again: clusters come and go without a restart.
`

// Main is the daemon's command. It gives the exit status: 0 after SIGTERM or SIGINT and for a
// good configuration, 1 for a failure, 2 for a wrong call.
func Main(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("fabricscoped", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, usage) }
	path := flags.String("config", "", "")
	check := flags.Bool("check", false, "")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if *path == "" || flags.NArg() > 0 {
		fmt.Fprint(stderr, usage)
		return 2
	}
	cfg, err := config.Load(*path)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	if *check {
		if err := kube.Check(clusters(cfg)); err != nil {
			fmt.Fprintf(stderr, "%s: %v\n", *path, err)
			return 1
		}
		fmt.Fprintf(stdout, "%s is good: %d clusters, %d switches\n", *path, len(cfg.Clusters), len(cfg.Switches))
		return 0
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, cfg, *path, stderr); err != nil {
		fmt.Fprintln(stderr, "fabricscoped:", err)
		return 1
	}
	return 0
}

func run(ctx context.Context, cfg config.Config, path string, stderr io.Writer) error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.LogLevel)); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	d, err := New(cfg, log)
	if err != nil {
		return err
	}
	log.Info("fabricscoped runs", "clusters", len(cfg.Clusters), "switches", len(cfg.Switches), "state", cfg.StateDir)
	ctx, cancel := context.WithCancel(ctx)
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGHUP)
	defer signal.Stop(asked)
	reloading := make(chan struct{})
	go func() {
		defer close(reloading)
		d.reloadOn(ctx, asked, path)
	}()
	err = d.Run(ctx)
	cancel()
	<-reloading
	return err
}
