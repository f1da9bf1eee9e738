package lab

import (
	"context"
	"fmt"
	"io"
	"sync"
	"syscall"
	"time"

	"github.com/fabricscope/fabricscope/bmv2-lab/cluster/process"
)

// daemon is fabricscoped, started again whenever somebody kills it, as a service manager does:
// who kills it at the prompt can ask the next one about the past.
type daemon struct {
	spec     process.Spec
	pidFile  string
	progress io.Writer

	mu      sync.Mutex
	process *process.Process // guarded by mu
}

// start starts a process and takes it for the current one.
func (d *daemon) start() error {
	p, err := process.Start(d.spec)
	if err != nil {
		return err
	}
	d.mu.Lock()
	d.process = p
	d.mu.Unlock()
	return p.WritePID(d.pidFile)
}

// current is the process that runs, or ran last.
func (d *daemon) current() *process.Process {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.process
}

// supervise starts the daemon again when a signal ended it, until ctx ends. A daemon that ends
// by itself is an error.
func (d *daemon) supervise(ctx context.Context) error {
	for {
		p := d.current()
		select {
		case <-ctx.Done():
			return nil
		case <-p.Done():
		}
		if ctx.Err() != nil {
			return nil
		}
		exit := p.Exit()
		if exit.Signal == 0 {
			return p.Err()
		}
		fmt.Fprintf(d.progress, "    fabricscoped ended after %.0f s (signal: %s); it is started again\n",
			exit.Finished.Sub(p.Started()).Seconds(), exit.Signal)
		if err := d.start(); err != nil {
			return err
		}
	}
}

// reload lets the current process read its configuration again.
func (d *daemon) reload() error {
	if err := syscall.Kill(d.current().PID(), syscall.SIGHUP); err != nil {
		return fmt.Errorf("tell fabricscoped to read its configuration: %w", err)
	}
	return nil
}

// kill ends the current process as kill -9 does, and returns when it has ended.
func (d *daemon) kill() error {
	p := d.current()
	if err := syscall.Kill(p.PID(), syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill fabricscoped: %w", err)
	}
	<-p.Done()
	return nil
}

// stop ends what runs; supervise must have returned.
func (d *daemon) stop(grace time.Duration) { d.current().Stop(grace) }
