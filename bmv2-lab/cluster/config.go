package cluster

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"time"
)

// Config is one control plane.
type Config struct {
	Name      string // the cluster's name, also that of its kubeconfig context
	Directory string // keeps the run's files; what an earlier run left in it is removed at start
	Binaries  string // directory of kube-apiserver, kube-controller-manager and kube-scheduler
	Etcd      string // the etcd executable

	// Address is the loopback address that the API server and the other
	// components listen on. Node agents reach it from the root network
	// namespace, and relay it into the namespaces of their workers and pods.
	Address netip.Addr
	// Port is the API server's TCP port. The four after it are etcd's client
	// and peer ports, the controller manager's and the scheduler's.
	Port uint16

	PodCIDR      netip.Prefix // split into a /NodeMaskBits for each node
	NodeMaskBits int
	ServiceCIDR  netip.Prefix // its first address is the API's, its tenth the cluster DNS's

	// WithoutControllers leaves out the controller manager and the scheduler: pods are bound by those who make
	// them, and service accounts, endpoints and the rest are theirs too.
	WithoutControllers bool

	StartTimeout time.Duration // for each component to become ready
	StopGrace    time.Duration // between SIGTERM and SIGKILL
}

// Green is the lab's second cluster. Its pods and services have the same addresses as blue's.
func Green() Config {
	c := DefaultConfig()
	c.Name, c.Port = "green", c.Port+10
	return c
}

// DefaultConfig is the lab's cluster blue. Directory and Binaries are to be set.
func DefaultConfig() Config {
	return Config{
		Name:         "blue",
		Etcd:         "/usr/bin/etcd",
		Address:      netip.AddrFrom4([4]byte{127, 0, 0, 1}),
		Port:         6443,
		PodCIDR:      netip.MustParsePrefix("10.244.0.0/16"),
		NodeMaskBits: 24,
		ServiceCIDR:  netip.MustParsePrefix("10.96.0.0/16"),
		StartTimeout: 60 * time.Second,
		StopGrace:    5 * time.Second,
	}
}

// Validate names every field that cannot work.
func (c Config) Validate() error {
	var problems []error
	problem := func(ok bool, format string, args ...any) {
		if !ok {
			problems = append(problems, fmt.Errorf("cluster config: "+format, args...))
		}
	}
	problem(c.Name != "", "Name is empty")
	problem(filepath.IsAbs(c.Directory) && filepath.Clean(c.Directory) != "/",
		"Directory %q is not an absolute path below /", c.Directory)
	problem(c.Binaries != "", "Binaries is empty: it is the directory that Build gives")
	problem(c.Etcd != "", "Etcd is empty: it is the path of the etcd executable (package etcd-server)")
	problem(c.Address.IsLoopback(), "Address %v is not a loopback address", c.Address)
	problem(c.Port >= 1024 && c.Port <= 65531, "Port %d is not in 1024..65531 (five ports from it are used)", c.Port)
	problem(c.PodCIDR.IsValid() && c.PodCIDR.Addr().Is4() && c.PodCIDR == c.PodCIDR.Masked(),
		"PodCIDR %v is not an IPv4 prefix", c.PodCIDR)
	problem(c.ServiceCIDR.IsValid() && c.ServiceCIDR.Addr().Is4() && c.ServiceCIDR == c.ServiceCIDR.Masked() && c.ServiceCIDR.Bits() <= 28,
		"ServiceCIDR %v is not an IPv4 prefix of at most 28 bits", c.ServiceCIDR)
	problem(!c.PodCIDR.Overlaps(c.ServiceCIDR), "PodCIDR %v and ServiceCIDR %v overlap", c.PodCIDR, c.ServiceCIDR)
	problem(c.NodeMaskBits > c.PodCIDR.Bits() && c.NodeMaskBits <= 29,
		"NodeMaskBits %d is not in %d..29", c.NodeMaskBits, c.PodCIDR.Bits()+1)
	problem(c.StartTimeout > 0, "StartTimeout %v is not positive", c.StartTimeout)
	problem(c.StopGrace > 0, "StopGrace %v is not positive", c.StopGrace)
	return errors.Join(problems...)
}

// Deps is what a cluster needs from its surroundings.
type Deps struct {
	Logger *slog.Logger
}

// URL is the API server's.
func (c Config) URL() string {
	return "https://" + c.endpoint(portAPI)
}

// EtcdURL is that of etcd's clients.
func (c Config) EtcdURL() string { return "http://" + c.endpoint(portEtcd) }

// DNSAddress is the ClusterIP that the cluster DNS has by convention: the
// tenth address of the service CIDR.
func (c Config) DNSAddress() netip.Addr { return nthAddress(c.ServiceCIDR, 10) }

// Offsets from Config.Port.
const (
	portAPI = iota
	portEtcd
	portEtcdPeer
	portControllerManager
	portScheduler
)

func (c Config) endpoint(offset uint16) string {
	return netip.AddrPortFrom(c.Address, c.Port+offset).String()
}

func nthAddress(prefix netip.Prefix, n int) netip.Addr {
	address := prefix.Addr()
	for range n {
		address = address.Next()
	}
	return address
}
