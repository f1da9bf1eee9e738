package node

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Config is one node.
type Config struct {
	Name            string            // the Node object's name
	Labels          map[string]string // further labels of the Node object
	Namespace       string            // path of the worker's network namespace, see netns.PathOfPID and PathOfName
	Address         netip.Addr        // the worker's address on the fabric, there already
	Kubeconfig      string            // with the identity system:node:NAME, its server on a loopback address
	KubeProxy       string            // the kube-proxy executable; empty to run none
	ProxyKubeconfig string            // with the identity system:kube-proxy
	Directory       string            // keeps the run's files; what an earlier run left in it is removed at start

	ClusterCIDR   netip.Prefix // of all pods
	ClusterDNS    netip.Addr   // the nameserver of pods with dnsPolicy ClusterFirst
	ClusterDomain string
	Images        map[string]string // image name to the executable that stands for it
	Overlay       Overlay

	LeaseInterval time.Duration // between renewals of the node's Lease
	StopGrace     time.Duration // for pods and kube-proxy when the agent stops
}

// Plugin is the network plugin whose annotations and device names a node has.
type Plugin string

// The plugins that an agent can look like.
const (
	Flannel Plugin = "flannel"
	Calico  Plugin = "calico"
)

// Overlay is the VXLAN that joins the pods of all nodes.
type Overlay struct {
	Plugin      Plugin
	Device      string // the VXLAN device's name
	VNI         uint32 // 24 bits
	Port        uint16 // UDP destination
	UnderlayMTU int    // bytes; pods get 50 less: outer Ethernet, IPv4, UDP and VXLAN headers
}

// MTU is that of the pods' devices.
func (o Overlay) MTU() int { return o.UnderlayMTU - 50 }

// DefaultConfig is a node of the lab's cluster blue. Name, Namespace, Address,
// the kubeconfigs, KubeProxy and Directory are to be set.
func DefaultConfig() Config {
	return Config{
		ClusterCIDR:   netip.MustParsePrefix("10.244.0.0/16"),
		ClusterDNS:    netip.MustParseAddr("10.96.0.10"),
		ClusterDomain: "cluster.local",
		Overlay:       Overlay{Plugin: Flannel, Device: "flannel.1", VNI: 1, Port: 8472, UnderlayMTU: 1500},
		LeaseInterval: 5 * time.Second,
		StopGrace:     2 * time.Second,
	}
}

// CalicoOverlay is that of the lab's cluster green, as Calico has it by default.
func CalicoOverlay() Overlay {
	return Overlay{Plugin: Calico, Device: "vxlan.calico", VNI: 4096, Port: 4789, UnderlayMTU: 1500}
}

// Validate names every field that cannot work.
func (c Config) Validate() error {
	var problems []error
	problem := func(ok bool, format string, args ...any) {
		if !ok {
			problems = append(problems, fmt.Errorf("node config: "+format, args...))
		}
	}
	for _, reason := range validation.IsDNS1123Label(c.Name) {
		problem(false, "Name %q: %s", c.Name, reason)
	}
	problem(len(c.Name) <= maxNodeName, "Name %q is longer than %d", c.Name, maxNodeName)
	problem(c.Namespace != "", "Namespace is empty: it is the path of the worker's network namespace")
	problem(c.Address.Is4(), "Address %v is not an IPv4 address", c.Address)
	problem(c.Kubeconfig != "", "Kubeconfig is empty")
	problem(c.KubeProxy == "" || c.ProxyKubeconfig != "", "ProxyKubeconfig is empty, but KubeProxy is not")
	problem(filepath.IsAbs(c.Directory) && filepath.Clean(c.Directory) != "/", "Directory %q is not an absolute path below /", c.Directory)
	problem(c.ClusterCIDR.IsValid() && c.ClusterCIDR.Addr().Is4(), "ClusterCIDR %v is not an IPv4 prefix", c.ClusterCIDR)
	problem(c.ClusterDNS.Is4(), "ClusterDNS %v is not an IPv4 address", c.ClusterDNS)
	problem(c.ClusterDomain != "", "ClusterDomain is empty")
	problem(c.Overlay.Plugin == Flannel || c.Overlay.Plugin == Calico, "Overlay.Plugin %q is not known", c.Overlay.Plugin)
	problem(c.Overlay.Device != "" && len(c.Overlay.Device) <= 15, "Overlay.Device %q is not a device name of 1..15 bytes", c.Overlay.Device)
	problem(c.Overlay.VNI < 1<<24, "Overlay.VNI %d does not fit 24 bits", c.Overlay.VNI)
	problem(c.Overlay.Port != 0, "Overlay.Port is 0")
	problem(c.Overlay.UnderlayMTU >= 1330, "Overlay.UnderlayMTU %d is less than 1330", c.Overlay.UnderlayMTU)
	problem(c.LeaseInterval > 0, "LeaseInterval %v is not positive", c.LeaseInterval)
	problem(c.StopGrace > 0, "StopGrace %v is not positive", c.StopGrace)
	return errors.Join(problems...)
}

// maxNodeName leaves room for a prefix and a pod's ID in the names of network namespaces.
const maxNodeName = 40

// Deps is what an agent needs from its surroundings.
type Deps struct {
	Logger     *slog.Logger
	Registerer prometheus.Registerer // nil for no metrics; agents of several nodes can share one
}
