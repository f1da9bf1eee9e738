package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// looks is how often the memory is looked at, in equal steps: a multiple of 3.
const looks = 12

// memory watches the process under load. The first third of the time is its own: a garbage
// collector's heap takes some cycles to touch all the pages that it will. Flat is what takes no
// more in the last third than in the middle one.
func (b *bench) memory(ctx context.Context) error {
	frames, err := vxlanFrames(flowCount)
	if err != nil {
		return err
	}
	r, err := b.switchUnderTest().start(ctx)
	if err != nil {
		return err
	}
	defer r.stop()
	g, err := generate(frames, 0)
	if err != nil {
		return err
	}
	defer g.end()
	var line strings.Builder
	var most [3]int // of each third
	for i := range looks {
		time.Sleep(b.soak / looks)
		now, err := r.resident()
		if err != nil {
			return err
		}
		fmt.Fprintf(&line, " %.1f", float64(now)/1e6)
		third := &most[i/(looks/3)]
		*third = max(*third, now)
	}
	ratio := float64(most[2]) / float64(most[1])
	report("memory under load, MB, every %v:%s", b.soak/looks, &line)
	report("  most in the last third / most in the middle one %5.2f   (at most 1.05)  %s", ratio, verdict(ratio <= 1.05))
	return nil
}
