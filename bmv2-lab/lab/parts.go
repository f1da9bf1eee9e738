package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/fabricscope/fabricscope/bmv2-lab/cluster"
	"github.com/fabricscope/fabricscope/bmv2-lab/cluster/process"
	"github.com/fabricscope/fabricscope/bmv2-lab/node"
	"github.com/fabricscope/fabricscope/bmv2-lab/node/netns"
	"github.com/fabricscope/fabricscope/bmv2-lab/topology"
	"github.com/fabricscope/fabricscope/bmv2-lab/workload"
)

// stopGrace is how long a process may take to end before it is killed.
const stopGrace = 5 * time.Second

func (l *Lab) daemonPIDFile() string { return filepath.Join(l.Config.Directory, "fabricscoped.pid") }

// reapDaemon ends the daemon of a run that was killed.
func (l *Lab) reapDaemon() error {
	return process.Reap(l.daemonPIDFile(), filepath.Join(l.Config.Binaries, "fabricscoped"))
}

// startCluster begins to start the control plane; Cluster.Ready says when it is there.
func (l *Lab) startCluster() error {
	c := cluster.DefaultConfig()
	c.Directory, c.Binaries = filepath.Join(l.Config.Directory, c.Name), l.Config.Kubernetes
	c.Port = 16443 // away from the default, which a cluster of the machine's own may have
	var err error
	if l.Cluster, err = cluster.New(c, cluster.Deps{Logger: l.log}); err != nil {
		return err
	}
	l.group.Go(func() error { return l.Cluster.Run(l.ctx) })
	return nil
}

func (l *Lab) startNetwork() error {
	spec := networkSpec{script: l.Config.Script, topology: filepath.Join(l.Config.Directory, "topology.json"),
		program: l.Config.Switch, logs: filepath.Join(l.Config.Directory, "log"), stdin: os.Stdin,
		environment: append(cliEnvironment(l.Config.Directory), "PATH="+l.Config.Binaries+":"+l.Config.Kubernetes+":"+os.Getenv("PATH"),
			"KUBECONFIG="+l.Cluster.Kubeconfig(cluster.UserAdmin))}
	var err error
	if l.network, err = startNetwork(l.ctx, spec); err != nil {
		return err
	}
	l.undo(l.network.stop)
	return nil
}

// startDaemon starts fabricscoped and what starts it again, and waits until it serves.
func (l *Lab) startDaemon() error {
	file, err := writeDaemonConfig(l.Config.Directory, l.Topology, l.Cluster.Config().Name, l.Cluster.Kubeconfig(cluster.UserFabricscope))
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

func (l *Lab) startNodes() error {
	client, err := l.Cluster.Client()
	if err != nil {
		return err
	}
	for _, h := range l.Topology.Workers() {
		a, err := l.agent(h)
		if err != nil {
			return err
		}
		l.agents = append(l.agents, a)
		l.group.Go(func() error { return a.Run(l.ctx) })
	}
	for _, a := range l.agents {
		if err := l.await(a.Ready(), "a node agent"); err != nil {
			return err
		}
	}
	return l.poll("the nodes to be ready", func() error { return nodesReady(l.ctx, client, len(l.agents)) })
}

func (l *Lab) agent(h topology.Host) (*node.Agent, error) {
	kubeconfig, err := l.Cluster.NodeKubeconfig(h.Name)
	if err != nil {
		return nil, err
	}
	k := l.Cluster.Config()
	c := node.DefaultConfig()
	c.Name, c.Address = h.Name, h.Address.Addr()
	c.Namespace = netns.PathOfPID(l.network.hosts[h.Name])
	c.Kubeconfig, c.ProxyKubeconfig = kubeconfig, l.Cluster.Kubeconfig(cluster.UserKubeProxy)
	c.KubeProxy = filepath.Join(l.Config.Kubernetes, cluster.KubeProxy)
	c.Directory = filepath.Join(l.Config.Directory, "node", h.Name)
	c.ClusterCIDR, c.ClusterDNS = k.PodCIDR, k.DNSAddress()
	c.Images = map[string]string{workload.DefaultOptions().Image: filepath.Join(l.Config.Binaries, "shop")}
	return node.New(c, node.Deps{Logger: l.log})
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
