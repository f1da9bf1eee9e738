package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// bench runs the measurements.
type bench struct {
	settings
}

// warmup is how long a device forwards before it is measured.
const warmup = 300 * time.Millisecond

// throughput compares how many frames a second the devices forward.
func (b *bench) throughput(ctx context.Context) error {
	frames, err := vxlanFrames(flowCount)
	if err != nil {
		return err
	}
	devices := []device{b.forwarder(), b.switchUnderTest()}
	if d, ok := b.reference(); ok {
		devices = append(devices, d)
	}
	figures := make([][]float64, len(devices))
	for range b.rounds {
		for i, d := range devices {
			f, err := d.measure(ctx, frames, b.round)
			if err != nil {
				return err
			}
			figures[i] = append(figures[i], f)
		}
	}
	report("frames/s (VXLAN, %d bytes, %d flows; median of %d rounds)", frameLength, len(frames), b.rounds)
	for i, d := range devices {
		report("  %-20s %10.0f   (%.0f to %.0f)", d.name, median(figures[i]), slices.Min(figures[i]), slices.Max(figures[i]))
	}
	plain := median(figures[1]) / median(figures[0])
	report("  softswitch / plain forwarder     %5.2f   (at least 0.6)  %s", plain, verdict(plain >= 0.6))
	if len(devices) == 3 {
		times := median(figures[1]) / median(figures[2])
		report("  softswitch / simple_switch_grpc  %5.1f   (at least 10)   %s", times, verdict(times >= 10))
	} else {
		report("  softswitch / simple_switch_grpc      -   (not installed)")
	}
	return nil
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}

// measure is how many frames a second a device forwards.
func (d device) measure(ctx context.Context, frames [][]byte, how time.Duration) (float64, error) {
	r, err := d.start(ctx)
	if err != nil {
		return 0, err
	}
	defer r.stop()
	g, err := generate(frames, d.rate)
	if err != nil {
		return 0, err
	}
	defer g.end()
	if err := arrives(ctx); err != nil {
		return 0, fmt.Errorf("%s: %w: %s", d.name, err, r.output)
	}
	time.Sleep(warmup)
	return rate(how)
}

// rate is how many frames a second come out.
func rate(how time.Duration) (float64, error) {
	before, err := received()
	if err != nil {
		return 0, err
	}
	start := time.Now()
	time.Sleep(how)
	after, err := received()
	return float64(after-before) / time.Since(start).Seconds(), err
}

// arrives waits for a frame to come out.
func arrives(ctx context.Context) error {
	before, err := received()
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline) && ctx.Err() == nil; {
		if now, err := received(); err != nil || now > before {
			return err
		}
		time.Sleep(500 * time.Microsecond)
	}
	return fmt.Errorf("no frame comes through")
}

// startup measures the time from the start of the process to the first frame that it forwards:
// the pipeline and the entries come over P4Runtime meanwhile.
func (b *bench) startup(ctx context.Context) error {
	frames, err := vxlanFrames(batch)
	if err != nil {
		return err
	}
	var figures []float64
	for range b.rounds {
		g, err := generate(frames, 5000)
		if err != nil {
			return err
		}
		start := time.Now()
		r, err := b.switchUnderTest().start(ctx)
		if err == nil {
			err = arrives(ctx)
			figures = append(figures, float64(time.Since(start).Milliseconds()))
			r.stop()
		}
		g.end()
		if err != nil {
			return err
		}
	}
	ms := median(figures)
	report("start to first frame, pipeline and entries over P4Runtime: %.0f ms   (below 300)  %s", ms, verdict(ms < 300))
	return nil
}
