package workload

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
)

// Main runs one role of the shop until the context ends, which is to be when
// the process gets SIGINT or SIGTERM. The first argument is the role: frontend,
// catalog, cart, store, loadgen, client or dns; flags follow. Logs go to output.
func Main(ctx context.Context, args []string, output io.Writer) error {
	roles := map[string]func(context.Context, []string, *slog.Logger) error{
		"frontend": service("frontend"),
		"catalog":  service("catalog"),
		"cart":     service("cart"),
		"store":    service("store"),
		"loadgen":  load("loadgen"),
		"client":   load("client"),
		"dns":      serveDNS,
	}
	names := []string{}
	for name := range roles {
		names = append(names, name)
	}
	slices.Sort(names)
	if len(args) == 0 {
		return fmt.Errorf("shop: no role given: want one of %s", strings.Join(names, ", "))
	}
	role, known := roles[args[0]]
	if !known {
		return fmt.Errorf("shop: unknown role %q: want one of %s", args[0], strings.Join(names, ", "))
	}
	logger := slog.New(slog.NewTextHandler(output, nil)).With("role", args[0])
	if err := role(ctx, args[1:], logger); err != nil {
		return fmt.Errorf("shop %s: %w", args[0], err)
	}
	return nil
}

// parse reads a role's flags; anything else in the arguments is an error.
func parse(flags *flag.FlagSet, args []string) error {
	flags.SetOutput(io.Discard) // the error says it all
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	return nil
}

// hostname is the pod's name inside the cluster.
func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return name
}

// addresses is a flag that may be given several times.
type addresses []string

// String is for package flag.
func (a *addresses) String() string { return strings.Join(*a, ",") }

// Set is for package flag.
func (a *addresses) Set(value string) error {
	*a = append(*a, value)
	return nil
}
