package main

import (
	"math"
	"runtime"
	"runtime/metrics"
	"syscall"
	"time"
)

// processorTime is what this process has used so far, in the kernel too.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// heap is what is reachable, in bytes: the least of three collections, because what others make
// while one is under way counts as reachable.
func heap() float64 {
	least := math.Inf(1)
	for range 3 {
		runtime.GC()
		sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(sample)
		least = min(least, float64(sample[0].Value.Uint64()))
	}
	return least
}

// pauses are the stops of the world for garbage collection.
type pauses struct {
	histogram *metrics.Float64Histogram
	count     uint64
	p99       float64 // seconds; the upper bound of its bucket
	longest   float64
}

func readPauses() pauses {
	sample := []metrics.Sample{{Name: "/sched/pauses/total/gc:seconds"}}
	metrics.Read(sample)
	return pauses{histogram: sample[0].Value.Float64Histogram()}
}

// since gives the pauses that came after before.
func (p pauses) since(before pauses) pauses {
	counts := make([]uint64, len(p.histogram.Counts))
	for i, n := range p.histogram.Counts {
		counts[i] = n - before.histogram.Counts[i]
		p.count += counts[i]
	}
	var seen uint64
	for i, n := range counts {
		seen += n
		if n == 0 {
			continue
		}
		p.longest = p.histogram.Buckets[i+1]
		if p.p99 == 0 && float64(seen) >= math.Ceil(0.99*float64(p.count)) {
			p.p99 = p.longest
		}
	}
	return p
}
