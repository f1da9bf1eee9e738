package cluster

import (
	"fmt"
	"path/filepath"
	"strconv"
)

// component is one process of the control plane.
type component struct {
	name   string
	path   string
	args   []string
	health string // URL that answers 200 once it is ready
}

func (c *Cluster) etcd() component {
	client, peer := c.config.EtcdURL(), "http://"+c.config.endpoint(portEtcdPeer)
	return component{
		name:   "etcd",
		path:   c.config.Etcd,
		health: client + "/health",
		args: []string{
			"--name=" + c.config.Name,
			"--data-dir=" + filepath.Join(c.config.Directory, "etcd"),
			"--listen-client-urls=" + client,
			"--advertise-client-urls=" + client,
			"--listen-peer-urls=" + peer,
			"--initial-advertise-peer-urls=" + peer,
			"--initial-cluster=" + c.config.Name + "=" + peer,
			"--logger=zap",
			"--log-level=warn",
			"--snapshot-count=20000",
			"--quota-backend-bytes=8589934592", // by default 2 GiB, which a cluster of 5,000 nodes outgrows
			// The data lives as long as the run: nothing is worth waiting for a disk.
			"--unsafe-no-fsync",
		},
	}
}

func (c *Cluster) apiServer() component {
	address := c.config.Address.String()
	return component{
		name:   "kube-apiserver",
		path:   filepath.Join(c.config.Binaries, "kube-apiserver"),
		health: c.config.URL() + "/readyz",
		args: []string{
			"--bind-address=" + address,
			"--advertise-address=" + address,
			"--secure-port=" + strconv.Itoa(int(c.config.Port)+portAPI),
			"--etcd-servers=http://" + c.config.endpoint(portEtcd),
			"--service-cluster-ip-range=" + c.config.ServiceCIDR.String(),
			"--client-ca-file=" + c.authority.path("ca.crt"),
			"--tls-cert-file=" + c.authority.path("serving.crt"),
			"--tls-private-key-file=" + c.authority.path("serving.key"),
			"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
			"--service-account-key-file=" + c.authority.path("sa.pub"),
			"--service-account-signing-key-file=" + c.authority.path("sa.key"),
			"--authorization-mode=Node,RBAC",
			"--enable-admission-plugins=NodeRestriction",
			// A loopback address is no endpoint: pods reach the API through
			// their node agent's relay.
			"--endpoint-reconciler-type=none",
			"--enable-priority-and-fairness=false",
			"--max-requests-inflight=1000",
			"--profiling=false",
			"--event-ttl=2h",
		},
	}
}

func (c *Cluster) controllerManager() component {
	kubeconfig := c.Kubeconfig(UserControllerManager)
	return component{
		name:   "kube-controller-manager",
		path:   filepath.Join(c.config.Binaries, "kube-controller-manager"),
		health: "https://" + c.config.endpoint(portControllerManager) + "/healthz",
		args: append(c.watcherArgs(kubeconfig, portControllerManager),
			"--use-service-account-credentials=true", // each controller has its own role
			"--allocate-node-cidrs=true",
			"--cluster-cidr="+c.config.PodCIDR.String(),
			fmt.Sprintf("--node-cidr-mask-size=%d", c.config.NodeMaskBits),
			"--service-cluster-ip-range="+c.config.ServiceCIDR.String(),
			"--root-ca-file="+c.authority.path("ca.crt"),
			"--service-account-private-key-file="+c.authority.path("sa.key"),
			"--node-monitor-period=2s",
			"--node-monitor-grace-period=20s",
			// Nothing in the lab has volumes, quotas, autoscaling or certificate requests.
			"--controllers=*,-persistentvolume-binder-controller,-persistentvolume-attach-detach-controller,"+
				"-persistentvolume-expander-controller,-persistentvolumeclaim-protection-controller,"+
				"-persistentvolume-protection-controller,-ephemeral-volume-controller,-resourcequota-controller,"+
				"-horizontal-pod-autoscaler-controller,-certificatesigningrequest-signing-controller,"+
				"-certificatesigningrequest-approving-controller,-certificatesigningrequest-cleaner-controller",
		),
	}
}

func (c *Cluster) scheduler() component {
	kubeconfig := c.Kubeconfig(UserScheduler)
	return component{
		name:   "kube-scheduler",
		path:   filepath.Join(c.config.Binaries, "kube-scheduler"),
		health: "https://" + c.config.endpoint(portScheduler) + "/readyz",
		args:   c.watcherArgs(kubeconfig, portScheduler),
	}
}

// watcherArgs are what the controller manager and the scheduler share: one
// instance of each, so no leader election, and no thrift with requests.
func (c *Cluster) watcherArgs(kubeconfig string, port uint16) []string {
	return []string{
		"--kubeconfig=" + kubeconfig,
		"--bind-address=" + c.config.Address.String(),
		"--secure-port=" + strconv.Itoa(int(c.config.Port+port)),
		"--tls-cert-file=" + c.authority.path("serving.crt"),
		"--tls-private-key-file=" + c.authority.path("serving.key"),
		"--leader-elect=false",
		"--kube-api-qps=200",
		"--kube-api-burst=400",
		"--profiling=false",
	}
}
