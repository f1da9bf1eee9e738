package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"runtime"
	"syscall"
)

// settings are the command line.
type settings struct {
	flows   int
	digests int
	rounds  int
	profile string
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("trackbench: ")
	var s settings
	flag.IntVar(&s.flows, "flows", 1_000_000, "live flows, each one direction at one ingress port")
	flag.IntVar(&s.digests, "digests", 2_000_000, "digests that are measured while the flows live")
	flag.IntVar(&s.rounds, "rounds", 3, "rounds; the fastest counts")
	flag.StringVar(&s.profile, "profile", "", "write profiles of the last round to `PREFIX`.cpu and PREFIX.heap")
	generate := flag.String("generate", "", "be the switches, whose clocks were set so")
	flag.Parse()
	runtime.GOMAXPROCS(1)
	if *generate != "" {
		if err := generateAll(os.Stdout, s, *generate); err != nil {
			log.Fatal(err)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, s); err != nil {
		log.Fatal(err)
	}
}

// verdict is how a figure relates to what it should be.
func verdict(good bool) string {
	if good {
		return "ok"
	}
	return "MISSED"
}

func report(format string, args ...any) { fmt.Printf(format+"\n", args...) }
