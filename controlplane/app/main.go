package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/fabricscope/fabricscope/controlplane/access"
	"github.com/fabricscope/fabricscope/controlplane/config"
	"github.com/fabricscope/fabricscope/controlplane/kube"
)

const usage = `fabricscoped makes a fabric of P4 switches Kubernetes-aware.

usage: fabricscoped --config FILE [--check]
       fabricscoped backup --config FILE DIR
       fabricscoped restore --config FILE [--replace] DIR

  --config FILE   configuration (docs/CONFIGURATION.md)
  --check         say whether the configuration is good, with the files that it names, and end
  backup          write history and flow records to the new directory DIR, also while the daemon runs
  restore         make a backup what the daemon has, while it does not run
  --replace       of restore: where there is something already, move it aside

SIGHUP reads the configuration again: clusters come and go without a restart. It opens the audit log anew, too.
`

// Main is the daemon's command. It gives the exit status: 0 after SIGTERM or SIGINT and for a
// good configuration, 1 for a failure, 2 for a wrong call.
func Main(args []string, stdout, stderr io.Writer) int {
	verb, wanted := "", 0
	if len(args) > 0 && (args[0] == "backup" || args[0] == "restore") {
		verb, args, wanted = args[0], args[1:], 1
	}
	flags := flag.NewFlagSet("fabricscoped", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, usage) }
	path := flags.String("config", "", "")
	check := flags.Bool("check", false, "")
	replace := flags.Bool("replace", false, "")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if *path == "" || flags.NArg() != wanted || *replace && verb != "restore" {
		fmt.Fprint(stderr, usage)
		return 2
	}
	cfg, err := config.Load(*path)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	if *check {
		if err := errors.Join(kube.Check(clusters(cfg)), access.Check(guardConfig(cfg))); err != nil {
			fmt.Fprintf(stderr, "%s: %v\n", *path, err)
			return 1
		}
		for _, w := range strangers(cfg) {
			fmt.Fprintf(stderr, "%s: warning: %s\n", *path, w)
		}
		fmt.Fprintf(stdout, "%s is good: %d clusters, %d switches\n", *path, len(cfg.Clusters), len(cfg.Switches))
		return 0
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, cfg, invocation{*path, verb, flags.Arg(0), *replace}, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "fabricscoped:", err)
		return 1
	}
	return 0
}

// invocation is what was asked for: to run, or with a verb something else, with its directory.
type invocation struct {
	config, verb, dir string
	replace           bool
}

func run(ctx context.Context, cfg config.Config, c invocation, stdout, stderr io.Writer) error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.LogLevel)); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	switch c.verb {
	case "backup":
		return Backup(ctx, cfg, c.dir, log)
	case "restore":
		return Restore(cfg, c.dir, c.replace, log, stdout)
	}
	return serve(ctx, cfg, c.config, log)
}

// serve runs a daemon until ctx ends, and reads its configuration again on SIGHUP.
func serve(ctx context.Context, cfg config.Config, path string, log *slog.Logger) error {
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
