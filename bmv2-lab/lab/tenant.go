package lab

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/fabricscope/fabricscope/bmv2-lab/check"
	"github.com/fabricscope/fabricscope/bmv2-lab/cluster"
	"github.com/fabricscope/fabricscope/bmv2-lab/cluster/process"
	"github.com/fabricscope/fabricscope/bmv2-lab/node"
	"github.com/fabricscope/fabricscope/bmv2-lab/node/netns"
	"github.com/fabricscope/fabricscope/bmv2-lab/topology"
	"github.com/fabricscope/fabricscope/bmv2-lab/workload"
)

// tenant is one of the clusters on the fabric, with its nodes and the client outside that talks to it.
// Blue and green have the same pod and service addresses and run the same shop; they differ by their overlay.
type tenant struct {
	*cluster.Cluster
	overlay node.Overlay
	rate    float64 // requests a second
	agents  []*node.Agent
	client  *process.Process
	known   time.Time // when the daemon knew the nodes
}

func (t *tenant) name() string { return t.Config().Name }

// kubectl asks the tenant's own API.
func (l *Lab) kubectl(t *tenant) check.Kubectl {
	return check.Kubectl{Path: filepath.Join(l.Config.Kubernetes, cluster.Kubectl), Kubeconfig: t.Kubeconfig(cluster.UserAdmin)}
}

// makeTenants prepares both clusters.
func (l *Lab) makeTenants() error {
	for _, t := range []struct {
		config  cluster.Config
		overlay node.Overlay
		rate    float64
		into    **tenant
	}{
		{cluster.DefaultConfig(), node.DefaultConfig().Overlay, 3, &l.blue},
		{cluster.Green(), node.CalicoOverlay(), 1, &l.green},
	} {
		c := t.config
		c.Directory, c.Binaries = filepath.Join(l.Config.Directory, c.Name), l.Config.Kubernetes
		c.Port += 10000 // away from the default, which a cluster of the machine's own may have
		made, err := cluster.New(c, cluster.Deps{Logger: l.log})
		if err != nil {
			return err
		}
		*t.into = &tenant{Cluster: made, overlay: t.overlay, rate: t.rate}
	}
	return nil
}

// launch begins to start a control plane; the tenant's Ready says when it is there.
func (l *Lab) launch(t *tenant) {
	l.group.Go(func() error { return t.Run(l.ctx) })
}

func (l *Lab) startNodes(t *tenant) error {
	client, err := t.Client()
	if err != nil {
		return err
	}
	for _, h := range l.Topology.Workers(t.name()) {
		a, err := l.agent(t, h)
		if err != nil {
			return err
		}
		t.agents = append(t.agents, a)
		l.group.Go(func() error { return a.Run(l.ctx) })
	}
	for _, a := range t.agents {
		if err := l.await(a.Ready(), "a node agent"); err != nil {
			return err
		}
	}
	if err := l.poll("the nodes to be ready", func() error { return nodesReady(l.ctx, client, len(t.agents)) }); err != nil {
		return err
	}
	return l.poll("fabricscoped to know the nodes", func() error {
		nodes, err := l.watchedNodes()
		if err == nil && nodes[t.name()] != len(t.agents) {
			err = fmt.Errorf("nodes by cluster: %v", nodes)
		}
		t.known = time.Now()
		return err
	})
}

func (l *Lab) agent(t *tenant, h topology.Host) (*node.Agent, error) {
	kubeconfig, err := t.NodeKubeconfig(h.Name)
	if err != nil {
		return nil, err
	}
	k := t.Config()
	c := node.DefaultConfig()
	c.Name, c.Address, c.Overlay = h.Name, h.Address.Addr(), t.overlay
	c.Namespace = netns.PathOfPID(l.network.hosts[h.Name])
	c.Kubeconfig, c.ProxyKubeconfig = kubeconfig, t.Kubeconfig(cluster.UserKubeProxy)
	c.KubeProxy = filepath.Join(l.Config.Kubernetes, cluster.KubeProxy)
	c.Directory = filepath.Join(l.Config.Directory, "node", h.Name)
	c.ClusterCIDR, c.ClusterDNS = k.PodCIDR, k.DNSAddress()
	c.Images = map[string]string{workload.DefaultOptions().Image: filepath.Join(l.Config.Binaries, "shop")}
	return node.New(c, node.Deps{Logger: l.log})
}

// startTraffic deploys the shop and starts the tenant's client outside of the cluster.
func (l *Lab) startTraffic(t *tenant) error {
	client, err := t.Client()
	if err != nil {
		return err
	}
	options := workload.DefaultOptions()
	options.DNSAddress, options.Rate = t.Config().DNSAddress(), t.rate
	if err := workload.Apply(l.ctx, client, options); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(l.ctx, l.Config.Timeout)
	defer cancel()
	if err := workload.WaitReady(ctx, client); err != nil {
		return err
	}
	return l.startClient(t, options)
}

// joinGreen brings the second cluster up while everything runs: its nodes, and the daemon that
// reads its configuration again.
func (l *Lab) joinGreen() error {
	if err := l.await(l.green.Ready(), "the control plane of green"); err != nil {
		return err
	}
	if _, err := l.writeDaemonConfig(l.blue, l.green); err != nil {
		return err
	}
	before := l.daemon.current()
	if err := l.daemon.reload(); err != nil {
		return err
	}
	if err := l.startNodes(l.green); err != nil {
		return err
	}
	if l.daemon.current() != before {
		return errors.New("fabricscoped did not live through it")
	}
	return nil
}

// watchedNodes counts the nodes that the daemon knows, by cluster, over gNMI.
func (l *Lab) watchedNodes() (map[string]int, error) {
	g, err := l.dial()
	if err != nil {
		return nil, err
	}
	leaves, err := g.Once(l.ctx, "/kubernetes/clusters/cluster/nodes")
	count := map[string]int{}
	for path := range leaves.List("node") {
		count[check.Key(path, "name", "cluster")]++
	}
	return count, errors.Join(err, g.Close())
}
