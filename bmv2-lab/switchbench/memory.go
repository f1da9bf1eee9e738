package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// looks is how often the memory is looked at, in equal steps: a multiple of 3.
const looks = 12

// memory watches the process under load. The first third of the time is its own: a garbage
// collector's heap takes some cycles to touch all the pages that it will. Flat is what takes no
// more in the last third than in the middle one. The same goes for the heap, which a collection
// makes small from time to time, by its least; goroutines are not to become more at all.
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
	var most, heap, goroutines [3]float64 // of each third
	for i := range looks {
		time.Sleep(b.soak / looks)
		now, err := r.resident()
		if err != nil {
			return err
		}
		fmt.Fprintf(&line, " %.1f", float64(now)/1e6)
		m, err := metrics("go_memstats_heap_alloc_bytes", "go_goroutines")
		if err != nil {
			return err
		}
		third := i / (looks / 3)
		most[third] = max(most[third], float64(now))
		goroutines[third] = max(goroutines[third], m[1])
		if i%(looks/3) == 0 || m[0] < heap[third] {
			heap[third] = m[0]
		}
	}
	report("memory under load, MB, every %v:%s", b.soak/looks, &line)
	ratio := most[2] / most[1]
	report("  most in the last third / most in the middle one %5.2f   (at most 1.05)  %s", ratio, verdict(ratio <= 1.05))
	report("  least of the heap, MB, in each third            %.1f %.1f %.1f", heap[0]/1e6, heap[1]/1e6, heap[2]/1e6)
	report("  goroutines in each third                        %.0f %.0f %.0f   (no more)  %s", goroutines[0], goroutines[1], goroutines[2],
		verdict(goroutines[2] <= goroutines[1]))
	return nil
}

// metrics reads metrics of softswitch that have no labels.
func metrics(names ...string) ([]float64, error) {
	resp, err := http.Get("http://" + adminAddr + "/metrics")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	found := map[string]float64{}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) != 2 || f[0] == "#" {
			continue
		}
		if found[f[0]], err = strconv.ParseFloat(f[1], 64); err != nil {
			return nil, fmt.Errorf("softswitch's metric %s: %w", f[0], err)
		}
	}
	out := make([]float64, len(names))
	for i, n := range names {
		v, ok := found[n]
		if !ok {
			return nil, fmt.Errorf("softswitch has no metric %s", n)
		}
		out[i] = v
	}
	return out, lines.Err()
}
