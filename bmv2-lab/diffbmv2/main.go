package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/fabricscope/fabricscope/bmv2-lab/conformance"
	"github.com/fabricscope/fabricscope/bmv2-lab/conformance/rig"
)

// settings are the command line.
type settings struct {
	softswitch, bmv2 string
	packets          int
	perTrial         int
	entries          int
	seed             uint64
	keepGoing        bool
	programs         []string
}

// untried is the exit status of what cannot be tried.
const untried = 2

func main() {
	log.SetFlags(0)
	log.SetPrefix("diffbmv2: ")
	var s settings
	flag.StringVar(&s.softswitch, "softswitch", "build/softswitch", "the softswitch to try, a `FILE`")
	flag.StringVar(&s.bmv2, "bmv2", "simple_switch_grpc", "what it is compared with, a `COMMAND`")
	flag.IntVar(&s.packets, "n", 1000, "packets for each program")
	flag.IntVar(&s.perTrial, "trial", 40, "packets between two sets of entries")
	flag.IntVar(&s.entries, "entries", 8, "entries of a table at most; many leave little to miss, and few nothing to search")
	flag.Uint64Var(&s.seed, "seed", 0, "repeats a run; 0 takes another one each time")
	flag.BoolVar(&s.keepGoing, "k", false, "go on with the next program after a difference")
	flag.Parse()
	s.programs = flag.Args()
	if len(s.programs) == 0 {
		log.Print("a program is needed: PROGRAM.json (with PROGRAM.p4info.txtpb next to it) or PROGRAM.p4")
		os.Exit(untried)
	}
	if !rig.SimpleSwitch(s.bmv2).Installed() {
		log.Printf("%s is not on PATH: there is nothing to compare with", s.bmv2)
		os.Exit(untried)
	}
	if !rig.Inside() {
		status, err := rig.Enter()
		if err != nil {
			log.Print(err)
			status = untried
		}
		os.Exit(status)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(s.run(ctx))
}

// run tries all programs and returns the exit status.
func (s *settings) run(ctx context.Context) int {
	status := 0
	for _, file := range s.programs {
		different, err := s.program(ctx, file)
		switch {
		case ctx.Err() != nil:
			return untried
		case err != nil:
			fmt.Printf("%s: cannot be tried: %v\n", file, err)
			status = max(status, untried)
		case different:
			status = 1
		}
		if status != 0 && !s.keepGoing {
			return status
		}
	}
	return status
}

// maxCrashes of simple_switch_grpc end a program's try.
const maxCrashes = 5

// program tries one program.
func (s *settings) program(ctx context.Context, file string) (different bool, err error) {
	p, err := loadProgram(file)
	if err != nil {
		return false, err
	}
	seed := s.seed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	x := &pair{prog: p, refused: map[string]int{}, options: pairOptions{
		softswitch: rig.Softswitch(s.softswitch), bmv2: rig.SimpleSwitch(s.bmv2), ports: conformance.Ports()}}
	defer x.stop()
	sent, endless, crashes := 0, 0, 0
	began := time.Now()
	for n := uint64(0); sent < s.packets && crashes < maxCrashes; n++ {
		t := makeTrial(p, seed+n, min(s.perTrial, s.packets-sent), s.entries)
		d, err := x.run(ctx, t)
		sent += len(t.packets)
		switch {
		case errors.Is(err, errEndless):
			endless++
		case err != nil:
			return false, fmt.Errorf("seed %d: %w", seed+n, err)
		case d != nil && d.kind == crashed:
			if crashes++; crashes == 1 {
				fmt.Printf("%s: simple_switch_grpc crashes, seed %d: %s\n", file, seed+n, d.text)
			}
		case d != nil:
			fmt.Printf("%s: DIFFERENT after %d packets, seed %d (-seed %d -n %d repeats it): %s\n", file, sent, seed+n, seed+n, s.perTrial, d.kind)
			small := minimise(ctx, x, t, d)
			x.report(ctx, small, d)
			return true, nil
		}
	}
	fmt.Printf("%s: the same, %d packets, seed %d, %.1f s", file, sent, seed, time.Since(began).Seconds())
	if crashes > 0 {
		fmt.Printf(", %d trials left when simple_switch_grpc crashed", crashes)
	}
	if endless > 0 {
		fmt.Printf(", %d trials left with a packet that does not end", endless)
	}
	fmt.Println()
	for text, n := range x.refused {
		fmt.Printf("  %d times: %s\n", n, text)
	}
	return false, nil
}

// makeTrial makes the trial of a seed.
func makeTrial(p *program, seed uint64, packets, entries int) trial {
	g := newGenerator(p, rand.New(rand.NewPCG(seed, 1)), entries)
	ports := conformance.Ports()
	t := trial{setup: g.entries(ports)}
	for range packets {
		t.packets = append(t.packets, g.packet(ports))
	}
	return t
}
