// Run carries out the conformance cases on softswitch and, where it is installed, on
// simple_switch_grpc, each as a process between veths in a network namespace of its own. It
// prints a line a case and a total; the exit status is 1 if a case failed. It needs root.
//
//	run [-softswitch FILE] [-bmv2 COMMAND] [-v] [CASE…]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/fabricscope/fabricscope/bmv2-lab/conformance"
	"github.com/fabricscope/fabricscope/bmv2-lab/conformance/rig"
	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/stf"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("conformance: ")
	softswitch := flag.String("softswitch", "build/softswitch", "the softswitch to test, a `FILE`; empty for none")
	bmv2 := flag.String("bmv2", "simple_switch_grpc", "the reference, a `COMMAND`; left out where it is not installed")
	verbose := flag.Bool("v", false, "print what statements of the cases print")
	flag.Parse()
	if !rig.Inside() {
		status, err := rig.Enter()
		if err != nil {
			log.Print(err)
		}
		os.Exit(status)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r := &runner{out: io.Discard}
	if *verbose {
		r.out = os.Stdout
	}
	var err error
	if r.cases, err = choose(flag.Args()); err != nil {
		log.Fatal(err)
	}
	if *softswitch != "" {
		r.switches = append(r.switches, tested{rig.Softswitch(*softswitch), false})
	}
	if m := rig.SimpleSwitch(*bmv2); m.Installed() {
		r.switches = append(r.switches, tested{m, true})
	} else {
		fmt.Printf("%s is not on PATH: softswitch only\n", *bmv2)
	}
	if err := r.run(ctx); err != nil {
		log.Fatal(err)
	}
}

// choose reads the cases with these names; no name stands for all.
func choose(names []string) ([]conformance.Case, error) {
	if len(names) == 0 {
		var err error
		if names, err = conformance.Names(); err != nil {
			return nil, err
		}
	}
	var out []conformance.Case
	for _, n := range names {
		c, err := conformance.Load(n)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// tested is a kind of switch, and whether it is the one that cases are confirmed on.
type tested struct {
	rig.Model
	reference bool
}

type runner struct {
	cases    []conformance.Case
	switches []tested
	out      io.Writer
}

// casePatience is how long a case may take.
const casePatience = time.Minute

// run runs all cases on all switches.
func (r *runner) run(ctx context.Context) error {
	failed := 0
	for i, s := range r.switches {
		n, err := r.all(ctx, s, rig.Options{Device: uint64(i + 1), Ports: conformance.Ports()})
		if err != nil {
			return err
		}
		failed += n
	}
	if failed > 0 {
		return fmt.Errorf("%d failed", failed)
	}
	return nil
}

// all runs all cases on one kind of switch, which it starts anew for another number of queues,
// and returns how many failed.
func (r *runner) all(ctx context.Context, s tested, o rig.Options) (failed int, err error) {
	began := time.Now()
	packets, expectations, leftOut := 0, 0, 0
	var d *rig.Rig
	defer func() {
		if d != nil {
			d.Close()
		}
	}()
	for _, c := range r.cases {
		if d == nil || o.Queues != c.Queues {
			if d != nil {
				d.Close()
			}
			o.Queues = c.Queues
			if d, err = rig.Start(ctx, s.Model, o); err != nil {
				d = nil
				return failed, err
			}
		}
		limited, cancel := context.WithTimeout(ctx, casePatience)
		result, err := conformance.Run(limited, d, c, s.reference, r.out)
		cancel()
		switch {
		case ctx.Err() != nil:
			return failed, ctx.Err()
		case d.Ended():
			return failed, fmt.Errorf("%s has ended in case %s: %s", s.Name, c.Name, d.Output())
		case errors.Is(err, stf.ErrUnsupported) && s.reference:
			leftOut++
			fmt.Printf("%-18s %-18s left out: %v\n", s.Name, c.Name, err)
			continue
		case err != nil:
			failed++
			fmt.Printf("%-18s %-18s FAILED: %v %s\n", s.Name, c.Name, err, d.Output())
			continue
		}
		packets += result.Packets
		expectations += result.Expectations
		verdict := "ok"
		if !result.Passed() {
			failed++
			verdict = "FAILED"
		}
		fmt.Printf("%-18s %-18s %3d packets %3d expectations  %s\n", s.Name, c.Name, result.Packets, result.Expectations, verdict)
		for _, p := range result.Problems {
			fmt.Println(p)
		}
	}
	fmt.Printf("%s: %d of %d cases ok, %d left out, %d packets, %d expectations, %.1f s\n", s.Name, len(r.cases)-failed-leftOut,
		len(r.cases), leftOut, packets, expectations, time.Since(began).Seconds())
	return failed, nil
}
