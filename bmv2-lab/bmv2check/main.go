// Bmv2check runs everything that checks the accounting on simple_switch_grpc, one after the other,
// and prints a line about each: captures of all kinds of traffic, a small flow cache under
// pressure, restarts, the lab with both clusters, and the conformance cases. What they print
// goes to files. The exit status is 1 if one of them failed, and 2 where there is no
// simple_switch_grpc. It needs root, and the commands beside it.
//
//	bmv2check [-switch FILE] [-flows N] [-logs DIRECTORY] [NAME...]
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("bmv2check: ")
	program := flag.String("switch", "simple_switch_grpc", "simple_switch_grpc, a `FILE`")
	flows := flag.Int("flows", 20_000, "`N` flows for the small flow cache")
	logs := flag.String("logs", filepath.Join("build", "bmv2"), "the `DIRECTORY` for what the checks print")
	flag.Parse()
	path, err := exec.LookPath(*program)
	if err == nil {
		path, err = filepath.Abs(path) // tests run in directories of their own
	}
	if err == nil && filepath.Base(path) != "simple_switch_grpc" {
		err = fmt.Errorf("%s is no simple_switch_grpc", path)
	}
	if err != nil {
		log.Printf("%v: SWITCH=FILE names one", err)
		os.Exit(2)
	}
	self, err := os.Executable()
	if err != nil {
		log.Fatal(err)
	}
	p := plan{program: path, binaries: filepath.Dir(self), directory: *logs, flows: *flows}
	checks, err := choose(p.checks(), flag.Args())
	if err != nil {
		log.Print(err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, checks, *logs, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// choose gives the checks with these names; no name stands for all.
func choose(all []check, names []string) ([]check, error) {
	if len(names) == 0 {
		return all, nil
	}
	var chosen []check
	for _, name := range names {
		i := slices.IndexFunc(all, func(c check) bool { return c.name == name })
		if i < 0 {
			return nil, fmt.Errorf("no check is called %q", name)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// run runs the checks and prints a table. The error says that one failed.
func run(ctx context.Context, checks []check, directory string, out io.Writer) error {
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return err
	}
	var failed []string
	for _, c := range checks {
		result := c.run(ctx, filepath.Join(directory, c.name+".log"))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		verdict := "ok"
		if result.err != nil {
			verdict = "FAILED"
			failed = append(failed, c.name)
			result.lines = append(result.lines, result.err.Error())
		}
		fmt.Fprintf(out, "%-12s %-6s %6.1f s  %s\n", c.name, verdict, result.took.Seconds(), c.what)
		for _, line := range result.lines {
			fmt.Fprintf(out, "%29s%s\n", "", line)
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("failed: %s; what they printed is in %s", strings.Join(failed, ", "), directory)
	}
	return nil
}
