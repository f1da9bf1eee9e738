package node

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/fabricscope/fabricscope/bmv2-lab/cluster/process"
)

// proxyConfig is kube-proxy's configuration. It leaves the connection tracking
// limits alone, which a network namespace may not set, and looks for changes
// often, for a Service to work soon after its pods are ready.
const proxyConfig = `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
hostnameOverride: %[1]s
clusterCIDR: %[2]v
healthzBindAddress: 127.0.0.1:10256
metricsBindAddress: 127.0.0.1:10249
clientConnection:
  kubeconfig: %[3]s
conntrack:
  maxPerCore: 0
  min: 0
  tcpEstablishedTimeout: 0s
  tcpCloseWaitTimeout: 0s
nftables:
  masqueradeAll: false
  minSyncPeriod: 100ms
  syncPeriod: 30s
`

// startProxy runs the real kube-proxy in the worker's namespace, where the
// relay stands for the API server, and waits until it has written its rules once.
func (a *Agent) startProxy(ctx context.Context) (*process.Process, error) {
	path := filepath.Join(a.config.Directory, "kube-proxy.yaml")
	content := fmt.Sprintf(proxyConfig, a.config.Name, a.config.ClusterCIDR, a.config.ProxyKubeconfig)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		return nil, fmt.Errorf("write kube-proxy's configuration: %w", err)
	}
	running, err := process.Start(process.Spec{
		Name:  "kube-proxy of " + a.config.Name,
		Path:  a.config.KubeProxy,
		Args:  []string{"--config=" + path},
		Log:   filepath.Join(a.config.Directory, "kube-proxy.log"),
		Enter: a.kit.namespace.Enter,
	})
	if err != nil {
		return nil, err
	}
	a.logger.Debug("kube-proxy started", "pid", running.PID())
	deadline := time.Now().Add(proxyTimeout)
	for time.Now().Before(deadline) {
		if _, err := a.kit.namespace.Run(ctx, "", "nft", "list", "chain", "ip", "kube-proxy", "services"); err == nil {
			return running, nil
		}
		select {
		case <-running.Done():
			return nil, running.Err()
		case <-ctx.Done():
			running.Stop(a.config.StopGrace)
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	running.Stop(a.config.StopGrace)
	log := filepath.Join(a.config.Directory, "kube-proxy.log")
	return nil, fmt.Errorf("kube-proxy of %s has written no rules after %v; the end of %s:\n%s", a.config.Name, proxyTimeout, log, process.Tail(log, 12))
}

const proxyTimeout = 60 * time.Second
