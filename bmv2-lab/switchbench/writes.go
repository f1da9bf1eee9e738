package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	p4 "github.com/p4lang/p4runtime/go/p4/v1"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/ports"
	"github.com/fabricscope/fabricscope/p4src"
)

const (
	writeBatch = 500   // entries in a request
	writeRate  = 50000 // frames/s meanwhile: far below what the switch forwards
)

// writes measures table writes over P4Runtime while frames pass, none of which may be lost.
func (b *bench) writes(ctx context.Context) error {
	frames, err := vxlanFrames(flowCount)
	if err != nil {
		return err
	}
	r, err := b.switchUnderTest().start(ctx)
	if err != nil {
		return err
	}
	defer r.stop()
	before, err := received()
	if err != nil {
		return err
	}
	g, err := generate(frames, writeRate)
	if err != nil {
		return err
	}
	written, took, err := r.churn(ctx, b.round*2)
	g.end()
	if err != nil {
		return err
	}
	sent := g.sent.Load()
	out, err := cameOut(sent, before)
	if err != nil {
		return err
	}
	dropped, err := drops()
	if err != nil {
		return fmt.Errorf("%w: %s", err, r.output)
	}
	perSecond := float64(written) / took.Seconds()
	report("table writes/s over P4Runtime, %d in a request, while %d frames/s pass: %.0f   (at least 50000)  %s",
		writeBatch, writeRate, perSecond, verdict(perSecond >= 50000))
	report("  frames meanwhile: %d sent = %d came out + %d dropped and counted   %s; none dropped   %s",
		sent, out, dropped, verdict(sent == out+dropped), verdict(dropped == 0))
	return nil
}

// cameOut waits until all that was sent has come out, or for long enough that it will not and
// that the kernel's drops have been looked at, and is how many frames have.
func cameOut(sent, before uint64) (uint64, error) {
	for deadline := time.Now().Add(3 * time.Second); ; time.Sleep(time.Millisecond) {
		after, err := received()
		if err != nil || after-before >= sent || time.Now().After(deadline) {
			return after - before, err
		}
	}
}

// drops is how many frames the switch says that it has dropped, at all ports and for any cause.
func drops() (uint64, error) {
	resp, err := http.Get("http://" + adminAddr + "/ports")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	var all []ports.Stats
	if err := json.NewDecoder(resp.Body).Decode(&all); err != nil {
		return 0, fmt.Errorf("counts of the ports: %w", err)
	}
	sum := uint64(0)
	for _, s := range all {
		sum += s.Dropped()
	}
	return sum, nil
}

// churn inserts and deletes routes for a while.
func (r *running) churn(ctx context.Context, how time.Duration) (written int, took time.Duration, err error) {
	entries := make([]*p4.TableEntry, writeBatch)
	for i := range entries {
		entries[i] = r.entry(p4src.TableIPv4Route, prefix(32, 10, 9, byte(i>>8), byte(i)), p4src.ActionSetNexthop, []byte{5})
	}
	start := time.Now()
	for took < how {
		for _, kind := range []p4.Update_Type{p4.Update_INSERT, p4.Update_DELETE} {
			if err := r.write(ctx, kind, entries...); err != nil {
				return 0, 0, err
			}
			written += len(entries)
		}
		took = time.Since(start)
	}
	return written, took, nil
}
