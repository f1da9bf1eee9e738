package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"github.com/fabricscope/fabricscope/bmv2-lab/cluster/process"
)

// Cluster is one control plane. It is inert until Run.
type Cluster struct {
	config    Config
	logger    *slog.Logger
	ready     chan struct{} // closed by Run once the cluster answers
	authority *authority    // set by Run before ready is closed
	restarts  chan restart  // to Run, see Restart
}

// New checks the configuration and that the executables are there.
func New(config Config, deps Deps) (*Cluster, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	if deps.Logger == nil {
		return nil, errors.New("cluster: Deps.Logger is nil")
	}
	cluster := &Cluster{
		config:    config,
		logger:    deps.Logger.With("cluster", config.Name),
		ready:     make(chan struct{}),
		authority: &authority{},
		restarts:  make(chan restart),
	}
	for _, component := range slices.Concat(cluster.stages()...) {
		if info, err := os.Stat(component.path); err != nil {
			return nil, fmt.Errorf("cluster %s: find %s: %w", config.Name, component.name, err)
		} else if info.IsDir() || info.Mode()&0o111 == 0 {
			return nil, fmt.Errorf("cluster %s: find %s: %s is not executable", config.Name, component.name, component.path)
		}
	}
	return cluster, nil
}

// Config is the configuration that New was given.
func (c *Cluster) Config() Config { return c.config }

// Ready is closed when the whole control plane answers.
func (c *Cluster) Ready() <-chan struct{} { return c.ready }

// Run clears what an earlier run left, starts the control plane, and keeps it
// until the context ends (nil) or one of its processes does (its error, with
// the end of its log). All processes have ended when it returns. It runs once.
func (c *Cluster) Run(ctx context.Context) error {
	if err := c.clear(); err != nil {
		return fmt.Errorf("cluster %s: clear an earlier run: %w", c.config.Name, err)
	}
	if err := c.identify(); err != nil {
		return fmt.Errorf("cluster %s: make certificates: %w", c.config.Name, err)
	}
	var running []*process.Process
	defer func() { c.stop(running) }()
	begin := time.Now()
	for _, stage := range c.stages() {
		var started []*process.Process
		for _, component := range stage {
			process, err := c.start(component)
			if err != nil {
				return fmt.Errorf("cluster %s: %w", c.config.Name, err)
			}
			started, running = append(started, process), append(running, process)
		}
		for i, component := range stage {
			if err := c.await(ctx, component, started[i]); err != nil {
				return runError(ctx, c.config.Name, err)
			}
		}
	}
	if err := c.furnish(ctx); err != nil {
		return runError(ctx, c.config.Name, err)
	}
	c.logger.Info("control plane ready", "url", c.config.URL(), "took", time.Since(begin).Round(time.Millisecond))
	close(c.ready)
	return c.watch(ctx, running)
}

// stages are the components, those of a stage started together once the stage before answers.
func (c *Cluster) stages() [][]component {
	stages := [][]component{{c.etcd()}, {c.apiServer()}}
	if !c.config.WithoutControllers {
		stages = append(stages, []component{c.controllerManager(), c.scheduler()})
	}
	return stages
}

// runError is nil when the context's end is the reason of the error.
func runError(ctx context.Context, name string, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("cluster %s: %w", name, err)
}

// clear ends the processes and removes the files of an earlier run.
func (c *Cluster) clear() error {
	for _, component := range []component{c.scheduler(), c.controllerManager(), c.apiServer(), c.etcd()} {
		if err := process.Reap(c.pidFile(component.name), component.path); err != nil {
			return err
		}
	}
	for _, name := range []string{"pki", "kubeconfig", "etcd", "log", "pid"} {
		if err := os.RemoveAll(filepath.Join(c.config.Directory, name)); err != nil {
			return err
		}
	}
	return os.MkdirAll(filepath.Join(c.config.Directory, "pid"), 0o755)
}

// identify makes the CA, the serving certificate and the kubeconfigs.
func (c *Cluster) identify() error {
	authority, err := newAuthority(filepath.Join(c.config.Directory, "pki"), c.config.Name)
	if err != nil {
		return err
	}
	c.authority = authority
	names := []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"}
	loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if err := authority.serving(names, []netip.Addr{c.config.Address, loopback, nthAddress(c.config.ServiceCIDR, 1)}); err != nil {
		return err
	}
	for user, who := range identities() {
		if err := c.writeKubeconfig(user, who); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) pidFile(component string) string {
	return filepath.Join(c.config.Directory, "pid", component)
}

func (c *Cluster) start(component component) (*process.Process, error) {
	started, err := process.Start(process.Spec{
		Name: component.name,
		Path: component.path,
		Args: component.args,
		Log:  filepath.Join(c.config.Directory, "log", component.name+".log"),
	})
	if err != nil {
		return nil, err
	}
	if err := started.WritePID(c.pidFile(component.name)); err != nil {
		started.Stop(c.config.StopGrace)
		return nil, fmt.Errorf("record the PID of %s: %w", component.name, err)
	}
	return started, nil
}

// watch waits for the context or for the end of any process, and restarts what it is asked to.
func (c *Cluster) watch(ctx context.Context, running []*process.Process) error {
	for {
		cases := []reflect.SelectCase{{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(ctx.Done())},
			{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(c.restarts)}}
		for _, process := range running {
			cases = append(cases, reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(process.Done())})
		}
		chosen, asked, _ := reflect.Select(cases)
		switch {
		case ctx.Err() != nil:
			return nil
		case chosen == 1:
			if err := c.again(ctx, running, asked.Interface().(restart)); err != nil {
				return runError(ctx, c.config.Name, err)
			}
		default:
			return fmt.Errorf("cluster %s: %w", c.config.Name, running[chosen-2].Err())
		}
	}
}

// stop ends the processes, the last started first.
func (c *Cluster) stop(running []*process.Process) {
	for i := len(running) - 1; i >= 0; i-- {
		running[i].Stop(c.config.StopGrace)
	}
	c.logger.Info("control plane stopped")
}
