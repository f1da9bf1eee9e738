package lab

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/klog/v2"

	"github.com/fabricscope/fabricscope/bmv2-lab/cluster/process"
	"github.com/fabricscope/fabricscope/bmv2-lab/topology"
)

// Lab is a running lab. Its methods are for one goroutine.
type Lab struct {
	Config   Config
	Topology *topology.Topology

	blue, green *tenant

	log      *slog.Logger
	begin    time.Time
	network  *network
	daemon   *daemon
	captures []*capture
	tracking []*process.Process // of the workers' translations
	group    *errgroup.Group
	ctx      context.Context // ends when a part of the lab fails
	cancel   context.CancelFunc
	stopping []func() // what to undo, in the order in which it was done
}

// New checks the configuration and empties the run's directory.
func New(c Config) (*Lab, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	t, text, err := topology.Lab()
	if err != nil {
		return nil, err
	}
	l := &Lab{Config: c, Topology: t, begin: time.Now()}
	for _, d := range []string{"log", "state", "topology.json", "capture"} {
		if err := os.RemoveAll(filepath.Join(c.Directory, d)); err != nil {
			return nil, fmt.Errorf("lab: clear an earlier run: %w", err)
		}
	}
	if err := os.MkdirAll(filepath.Join(c.Directory, "log"), 0o755); err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	if _, err := writeTopology(c.Directory, text); err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	file, err := os.Create(filepath.Join(c.Directory, "log", "lab.log"))
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	l.undo(func() { file.Close() })
	l.log = slog.New(slog.NewTextHandler(file, nil))
	klog.SetSlogLogger(l.log) // what client-go says is no progress
	return l, nil
}

// Start brings everything up, until pods can run. Stop must be called even after an error.
func (l *Lab) Start(ctx context.Context) error {
	ctx, l.cancel = context.WithCancel(ctx)
	l.group, l.ctx = errgroup.WithContext(ctx)
	if err := l.reapDaemon(); err != nil {
		return err
	}
	if err := l.makeTenants(); err != nil {
		return err
	}
	l.launch(l.blue)
	steps := []step{
		{"fabric of 5 switches in Mininet", l.startNetwork},
		{"Kubernetes control plane", func() error { return l.await(l.blue.Ready(), "the control plane") }},
		{"fabricscoped", l.startDaemon},
		{"pipelines and links", l.awaitFabric},
		{"hosts", l.plug},
		{"nodes", func() error { return l.startNodes(l.blue) }},
	}
	if l.Config.Capture {
		steps = slices.Insert(steps, slices.IndexFunc(steps, func(s step) bool { return s.name == "hosts" }), step{"capture", l.startCapture},
			step{"tracking of connections", l.startTracking})
	}
	for _, s := range steps {
		if err := l.Step(s.name, s.do); err != nil {
			return err
		}
	}
	l.launch(l.green) // which joins when blue's shop runs: see joinGreen
	return nil
}

type step struct {
	name string
	do   func() error
}

// Step does one thing and says so.
func (l *Lab) Step(name string, do func() error) error {
	begin := time.Now()
	fmt.Fprintf(l.Config.Progress, "==> %s ...\n", name)
	if err := do(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	fmt.Fprintf(l.Config.Progress, "    %s: %.1f s (%.0f s since start)\n", name, time.Since(begin).Seconds(), time.Since(l.begin).Seconds())
	return nil
}

// Stop undoes everything, last first, and gives the error of a part that failed by itself.
func (l *Lab) Stop() error {
	var err error
	if l.cancel != nil {
		l.cancel()
		err = l.group.Wait()
	}
	for i := len(l.stopping) - 1; i >= 0; i-- {
		l.stopping[i]()
	}
	l.stopping = nil
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func (l *Lab) undo(f func()) { l.stopping = append(l.stopping, f) }

func (l *Lab) await(ready <-chan struct{}, what string) error {
	select {
	case <-ready:
		return nil
	case <-l.ctx.Done():
		return fmt.Errorf("%s: %w", what, context.Cause(l.ctx))
	case <-time.After(l.Config.Timeout):
		return fmt.Errorf("%s is not ready after %s; logs are in %s", what, l.Config.Timeout, l.Config.Directory)
	}
}
