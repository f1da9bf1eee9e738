package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// name is what clusters, switches and ports may be called: it goes into paths and columns.
var name = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// maxPort is the largest port number of the data plane; those above are the CPU's and drop.
const maxPort = 509

// maxCacheSlots is how many slots the flow cache is compiled with.
const maxCacheSlots = 16384

// maxTunnelPorts is the size of the switches' table of tunnel ports.
const maxTunnelPorts = 64

// problems collects every error of a configuration, so that one run of --check shows all.
type problems []error

func (p *problems) add(field, format string, args ...any) {
	*p = append(*p, fmt.Errorf("%s: %s", field, fmt.Sprintf(format, args...)))
}

// Validate reports every field that cannot be.
func (c Config) Validate() error {
	var p problems
	if c.StateDir == "" {
		p.add("state-dir", "must not be empty")
	}
	if err := new(slog.Level).UnmarshalText([]byte(c.LogLevel)); err != nil {
		p.add("log-level", "%q is not debug, info, warn or error", c.LogLevel)
	}
	if c.HeapTarget != 0 && c.HeapTarget < 64<<20 {
		p.add("heap-target", "%d is neither 0 nor at least 67108864", c.HeapTarget)
	}
	if c.ElectionID == 0 {
		p.add("election-id", "must not be 0, which P4Runtime reserves")
	}
	p.address("gnmi.listen", c.GNMI.Listen)
	if c.HTTP.Listen != "" {
		p.address("http.listen", c.HTTP.Listen)
	}
	if (c.GNMI.CertFile == "") != (c.GNMI.KeyFile == "") {
		p.add("gnmi", "cert-file and key-file go together")
	}
	p.file("gnmi.cert-file", c.GNMI.CertFile)
	p.file("gnmi.key-file", c.GNMI.KeyFile)
	p.limits(c.GNMI)
	p.file("access.client-ca-file", c.Access.ClientCAFile)
	p.file("access.users-file", c.Access.UsersFile)
	p.file("access.policy-file", c.Access.PolicyFile)
	p.positive("access.refresh", c.Access.Refresh)
	p.clusters(c.Clusters)
	p.switches(c.Switches)
	p.fabric(c)
	p.positive("flows.idle-timeout", c.Flows.IdleTimeout)
	p.positive("flows.linger", c.Flows.Linger)
	if c.Flows.ExportInterval < time.Second {
		p.add("flows.export-interval", "%v is less than 1s", c.Flows.ExportInterval)
	}
	if n := c.Flows.CacheSlots; n < 2 || n > maxCacheSlots || n&(n-1) != 0 {
		p.add("flows.cache-slots", "%d is not a power of two from 2 to %d", n, maxCacheSlots)
	}
	p.ports("flows.wireguard-ports", c.Flows.WireGuardPorts)
	p.flowLimits(c.Flows)
	p.positive("history.retention", c.History.Retention)
	p.positive("history.flow-retention", c.History.FlowRetention)
	for field, bytes := range map[string]int64{"history.max-bytes": c.History.MaxBytes, "history.flow-max-bytes": c.History.FlowMaxBytes} {
		if bytes < 0 {
			p.add(field, "%d is negative", bytes)
		}
	}
	return errors.Join(p...)
}

func (p *problems) address(field, a string) {
	if _, port, err := net.SplitHostPort(a); err != nil {
		p.add(field, "%q is not host:port", a)
	} else if n, err := strconv.ParseUint(port, 10, 16); err != nil || (n == 0 && field != "gnmi.listen" && field != "http.listen") {
		p.add(field, "%q is not a port", port)
	}
}

func (p *problems) file(field, path string) {
	if path == "" {
		return
	}
	if _, err := os.Stat(path); err != nil {
		p.add(field, "%v", err)
	}
}

func (p *problems) positive(field string, d time.Duration) {
	if d <= 0 {
		p.add(field, "%v is not positive", d)
	}
}

// Bounds of what numbers in memory can count, and of what a switch is asked for.
const (
	mostFlows = 1 << 30
	mostHops  = 255
	mostReads = 4096
	mostElse  = 1 << 20
)

func (p *problems) flowLimits(f Flows) {
	for _, l := range []struct {
		field   string
		n, most int
	}{
		{"max-flows", f.MaxFlows, mostFlows}, {"max-hops", f.MaxHops, mostHops}, {"max-publish", f.MaxPublish, mostFlows},
		{"max-reads", f.MaxReads, mostReads}, {"max-unnamed", f.MaxUnnamed, mostElse}, {"max-queue", f.MaxQueue, mostElse},
		{"max-legs", f.MaxLegs, mostFlows}, {"max-edges", f.MaxEdges, mostFlows},
	} {
		if l.n < 1 || l.n > l.most {
			p.add("flows."+l.field, "%d is not 1 to %d", l.n, l.most)
		}
	}
}

func (p *problems) clusters(clusters []Cluster) {
	seen, owners := map[string]bool{}, map[uint32]string{}
	for i, c := range clusters {
		field := fmt.Sprintf("clusters[%d]", i)
		p.named(field+".name", c.Name, seen)
		switch {
		case c.Kubeconfig == "" && c.Server == "":
			p.add(field+".kubeconfig", "must not be empty, unless there is a server")
		case c.Kubeconfig != "" && c.Server+c.TokenFile+c.CAFile != "":
			p.add(field+".kubeconfig", "excludes server, token-file and ca-file")
		case c.Server != "" && c.TokenFile == "":
			p.add(field+".token-file", "must not be empty with a server")
		case c.Server != "" && c.Context != "":
			p.add(field+".context", "is of a kubeconfig")
		}
		for j, vni := range c.VNIs {
			at := fmt.Sprintf("%s.vnis[%d]", field, j)
			if vni >= 1<<24 {
				p.add(at, "%d does not fit 24 bits", vni)
			}
			if other, taken := owners[vni]; taken {
				p.add(at, "%d is one of %s already", vni, other)
			}
			owners[vni] = c.Name
		}
	}
}

func (p *problems) named(field, n string, seen map[string]bool) {
	switch {
	case !name.MatchString(n):
		p.add(field, "%q must be letters, digits, dots, dashes and underscores", n)
	case seen[n]:
		p.add(field, "%q is there twice", n)
	}
	seen[n] = true
}

func (p *problems) switches(switches []Switch) {
	seen, devices := map[string]bool{}, map[string]string{}
	for i, s := range switches {
		field := fmt.Sprintf("switches[%d]", i)
		p.named(field+".name", s.Name, seen)
		p.address(field+".address", s.Address)
		if s.GNMIAddress != "" {
			p.address(field+".gnmi-address", s.GNMIAddress)
		}
		if s.DeviceID == 0 {
			p.add(field+".device-id", "must not be 0")
		}
		device := fmt.Sprintf("%s device %d", s.Address, s.DeviceID)
		if other, twice := devices[device]; twice {
			p.add(field+".address", "%s is %s already", device, other)
		}
		devices[device] = s.Name
		if !slices.Contains([]string{"leaf", "spine", "border"}, s.Role) {
			p.add(field+".role", "%q is not leaf, spine or border", s.Role)
		}
		if s.Loopback.IsValid() && !s.Loopback.Is4() {
			p.add(field+".loopback", "%q is not an IPv4 address", s.Loopback)
		}
		names, numbers := map[string]bool{}, map[uint32]bool{}
		for j, port := range s.Ports {
			at := fmt.Sprintf("%s.ports[%d]", field, j)
			p.named(at+".name", port.Name, names)
			if port.Number == 0 || port.Number > maxPort {
				p.add(at+".number", "%d is not 1 to %d", port.Number, maxPort)
			}
			if numbers[port.Number] {
				p.add(at+".number", "%d is there twice", port.Number)
			}
			numbers[port.Number] = true
		}
	}
}

func (p *problems) fabric(c Config) {
	p.positive("fabric.lldp-interval", c.Fabric.LLDPInterval)
	subnets := map[netip.Prefix]string{}
	for i, g := range c.Fabric.Gateways {
		field := fmt.Sprintf("fabric.gateways[%d]", i)
		at := slices.IndexFunc(c.Switches, func(s Switch) bool { return s.Name == g.Switch })
		if at < 0 {
			p.add(field+".switch", "%q is not one of the switches", g.Switch)
			continue
		}
		if !g.Address.IsValid() || !g.Address.Addr().Is4() {
			p.add(field+".address", "%q is not an IPv4 address with a prefix length", g.Address)
		} else if other, twice := subnets[g.Address.Masked()]; twice {
			p.add(field+".address", "subnet %s is behind %s already", g.Address.Masked(), other)
		}
		subnets[g.Address.Masked()] = g.Switch
		if len(g.Ports) == 0 {
			p.add(field+".ports", "must not be empty")
		}
		for _, n := range g.Ports {
			if !slices.ContainsFunc(c.Switches[at].Ports, func(port Port) bool { return port.Name == n }) {
				p.add(field+".ports", "%s has no port %q", g.Switch, n)
			}
		}
	}
	p.ports("fabric.vxlan-ports", c.Fabric.VXLANPorts)
	p.ports("fabric.geneve-ports", c.Fabric.GenevePorts)
	for i, port := range c.Fabric.GenevePorts {
		if slices.Contains(c.Fabric.VXLANPorts, port) {
			p.add(fmt.Sprintf("fabric.geneve-ports[%d]", i), "%d is in fabric.vxlan-ports", port)
		}
	}
	if n := len(c.Fabric.VXLANPorts) + len(c.Fabric.GenevePorts); n > maxTunnelPorts {
		p.add("fabric.vxlan-ports", "there are %d tunnel ports, and switches have room for %d", n, maxTunnelPorts)
	}
}

// ports checks a list of UDP ports.
func (p *problems) ports(field string, ports []uint16) {
	for i, port := range ports {
		if port == 0 || slices.Contains(ports[:i], port) {
			p.add(fmt.Sprintf("%s[%d]", field, i), "%d is 0 or there twice", port)
		}
	}
}

// limits checks what the gNMI server grants its clients.
func (p *problems) limits(g GNMI) {
	p.positive("gnmi.sample-minimum", g.SampleMinimum)
	p.positive("gnmi.send-timeout", g.SendTimeout)
	p.positive("gnmi.keepalive", g.Keepalive)
	p.positive("gnmi.handshake-timeout", g.HandshakeTimeout)
	p.positive("gnmi.past-timeout", g.PastTimeout)
	if g.SampleDefault < g.SampleMinimum {
		p.add("gnmi.sample-default", "%v is less than sample-minimum, %v", g.SampleDefault, g.SampleMinimum)
	}
	for _, l := range []struct {
		field    string
		n, least int
	}{
		{"max-connections", g.MaxConnections, 1}, {"max-address-connections", g.MaxAddressConnections, 1},
		{"max-calls", g.MaxCalls, 1}, {"max-address-calls", g.MaxAddressCalls, 1}, {"max-streams", g.MaxStreams, 1},
		{"max-subscribers", g.MaxSubscribers, 1}, {"max-caller-subscribers", g.MaxCallerSubscribers, 1},
		{"max-past", g.MaxPast, 1}, {"max-caller-past", g.MaxCallerPast, 1}, {"max-paths", g.MaxPaths, 1},
		{"max-request-bytes", g.MaxRequestBytes, 1024}, {"max-get-bytes", g.MaxGetBytes, 1024},
		{"max-behind", g.MaxBehind, 1024}, {"max-behind-bytes", g.MaxBehindBytes, 1 << 16},
		{"max-answers-bytes", g.MaxAnswersBytes, g.MaxGetBytes}, {"max-caller-answers-bytes", g.MaxCallerAnswersBytes, g.MaxGetBytes},
	} {
		if l.n < l.least {
			p.add("gnmi."+l.field, "%d is less than %d", l.n, l.least)
		}
	}
}
