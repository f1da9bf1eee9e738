package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/fabricscope/fabricscope/bmv2-lab/cluster"
	"github.com/fabricscope/fabricscope/bmv2-lab/cluster/process"
	"github.com/fabricscope/fabricscope/bmv2-lab/node/netns"
)

// stopGrace is how long a process may take to end before it is killed.
const stopGrace = 5 * time.Second

func (l *Lab) daemonPIDFile() string { return filepath.Join(l.Config.Directory, "fabricscoped.pid") }

// reapDaemon ends the daemon of a run that was killed.
func (l *Lab) reapDaemon() error {
	return process.Reap(l.daemonPIDFile(), filepath.Join(l.Config.Binaries, "fabricscoped"))
}

func (l *Lab) startNetwork() error {
	spec := networkSpec{script: l.Config.Script, topology: filepath.Join(l.Config.Directory, "topology.json"),
		program: l.Config.Switch, logs: filepath.Join(l.Config.Directory, "log"), stdin: os.Stdin,
		environment: append(cliEnvironment(l.Config.Directory, operator), "PATH="+l.Config.Binaries+":"+l.Config.Kubernetes+":"+os.Getenv("PATH"),
			"KUBECONFIG="+l.blue.Kubeconfig(cluster.UserAdmin)+":"+l.green.Kubeconfig(cluster.UserAdmin))}
	var err error
	if l.network, err = startNetwork(l.ctx, spec); err != nil {
		return err
	}
	l.undo(l.network.stop)
	return nil
}

// writeDaemonConfig writes the daemon's configuration with these clusters.
func (l *Lab) writeDaemonConfig(tenants ...*tenant) (string, error) {
	var clusters []daemonCluster
	for _, t := range tenants {
		clusters = append(clusters, daemonCluster{t.name(), t.Kubeconfig(cluster.UserFabricscope)})
	}
	return writeDaemonConfig(l.Config.Directory, l.Topology, clusters)
}

// startDaemon starts fabricscoped and what starts it again, and waits until it serves. It knows
// blue alone to begin with.
func (l *Lab) startDaemon() error {
	file, err := l.writeDaemonConfig(l.blue)
	if err != nil {
		return err
	}
	l.daemon = &daemon{spec: daemonSpec(l.Config, file), pidFile: l.daemonPIDFile(), progress: l.Config.Progress}
	if err := l.daemon.start(); err != nil {
		return err
	}
	l.undo(func() { l.daemon.stop(stopGrace) })
	l.group.Go(func() error { return l.daemon.supervise(l.ctx) })
	return l.awaitDaemon()
}

func (l *Lab) awaitDaemon() error {
	return l.poll("fabricscoped to serve", func() error { return healthy(HTTPAddress) })
}

// inHost starts a program of the workload in the network namespace of a host.
func (l *Lab) inHost(host string, args ...string) (*process.Process, error) {
	ns, err := netns.Open(netns.PathOfPID(l.network.hosts[host]))
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	return process.Start(process.Spec{Name: host, Path: filepath.Join(l.Config.Binaries, "shop"), Args: args,
		Log: filepath.Join(l.Config.Directory, "log", host+".log"), Enter: ns.Enter})
}

// errGivenUp wraps errors that will not go away by waiting.
var errGivenUp = errors.New("given up")

// poll waits until check has no error, or says what it was that did not come.
func (l *Lab) poll(what string, check func() error) error {
	deadline := time.Now().Add(l.Config.Timeout)
	for {
		err := check()
		if err == nil || errors.Is(err, errGivenUp) {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waited %s for %s: %w", l.Config.Timeout, what, err)
		}
		select {
		case <-l.ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, l.ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}
