package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	burstSlots  = 1 << 15
	burstFrames = burstSlots - 1024/batch*batch // some room: not all slots are free at once
	bursts      = 5                             // of one process
)

// cores compares one goroutine with sending on another processor. The generator would take a
// processor that the switch is to have: so frames are put into the switch's queue while it is
// stopped, and it has both processors to empty it.
func (b *bench) cores(ctx context.Context) error {
	frames, err := vxlanFrames(flowCount)
	if err != nil {
		return err
	}
	devices := []device{b.softswitchOn(nil, "--receive-slots", fmt.Sprint(burstSlots)),
		b.softswitchOn(nil, "--receive-slots", fmt.Sprint(burstSlots), "--parallel-send")}
	figures := make([][]float64, len(devices))
	for range b.rounds {
		for i, d := range devices {
			f, err := d.drain(ctx, frames)
			if err != nil {
				return err
			}
			figures[i] = append(figures[i], f...)
		}
	}
	one, two := median(figures[0]), median(figures[1])
	report("frames/s out of a full queue, two processors (median of %d bursts of %d frames)", len(figures[0]), burstFrames)
	report("  one goroutine        %10.0f", one)
	report("  --parallel-send      %10.0f", two)
	report("  --parallel-send / one goroutine  %5.2f   (above 1)       %s", two/one, verdict(two > one))
	return nil
}

// drain is how many frames a second a device takes out of its full queue, for some bursts.
func (d device) drain(ctx context.Context, frames [][]byte) ([]float64, error) {
	r, err := d.start(ctx)
	if err != nil {
		return nil, err
	}
	defer r.stop()
	var figures []float64
	for i := range bursts + 1 {
		f, err := r.burst(frames)
		if err != nil {
			return nil, fmt.Errorf("%s: %w: %s", d.name, err, r.output)
		}
		if i > 0 { // the first one warms up
			figures = append(figures, f)
		}
	}
	return figures, nil
}

// burst fills the queue of a stopped process and is the rate at which it empties it.
func (r *running) burst(frames [][]byte) (float64, error) {
	if err := r.halt(); err != nil {
		return 0, err
	}
	before, err := received()
	if err != nil {
		return 0, err
	}
	if err := send(frames, burstFrames); err != nil {
		return 0, err
	}
	start := time.Now()
	if err := r.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		return 0, err
	}
	for deadline := start.Add(5 * time.Second); ; time.Sleep(100 * time.Microsecond) {
		now, err := received()
		if err != nil {
			return 0, err
		}
		if now-before >= burstFrames {
			return burstFrames / time.Since(start).Seconds(), nil
		}
		if time.Now().After(deadline) {
			return 0, fmt.Errorf("%d frames of a burst of %d came through", now-before, burstFrames)
		}
	}
}

// halt stops a process for the time being, and waits until all of its threads have stopped.
func (r *running) halt() error {
	if err := r.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", r.cmd.Process.Pid))
		if err != nil {
			return err
		}
		stopped := 0
		for _, name := range threads {
			if b, err := os.ReadFile(name); err == nil && strings.Contains(string(b), "State:\tT") {
				stopped++
			}
		}
		if stopped > 0 && stopped == len(threads) {
			return nil
		}
	}
	return errors.New("the process does not stop")
}

// send sends n frames, a multiple of batch, into in0.
func send(frames [][]byte, n int) error {
	fd, err := packetSocket("in0", 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	msgs := messages(frames)
	for at, sent := 0, 0; sent < n; at = (at + batch) % (len(msgs) / batch * batch) {
		todo := msgs[at:][:min(batch, n-sent)]
		for len(todo) > 0 {
			m, err := mmsg(unix.SYS_SENDMMSG, fd, todo)
			if err != nil {
				continue // the link's queue is full
			}
			todo, sent = todo[m:], sent+m
		}
	}
	return nil
}
