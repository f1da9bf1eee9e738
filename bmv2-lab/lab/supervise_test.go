package lab

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fabricscope/fabricscope/bmv2-lab/cluster/process"
)

// supervised starts a daemon of a shell script, and gives what supervise returns.
func supervised(t *testing.T, script string) (*daemon, context.CancelFunc, <-chan error) {
	t.Helper()
	d := &daemon{progress: io.Discard, pidFile: filepath.Join(t.TempDir(), "pid"),
		spec: process.Spec{Name: "fabricscoped", Path: "/bin/sh", Args: []string{"-c", script}}}
	if err := d.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.stop(time.Second) })
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.supervise(ctx) }()
	return d, cancel, ended
}

func TestSuperviseStartsAKilledDaemonAgain(t *testing.T) {
	d, cancel, ended := supervised(t, "exec sleep 60")
	first := d.current()
	if err := d.kill(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); d.current() == first; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no other process after 10 s")
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestSuperviseGivesUpOnADaemonThatEnds(t *testing.T) {
	_, cancel, ended := supervised(t, "exit 3")
	defer cancel()
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("got %v, want an error that tells the exit status", err)
	}
}
