package fabric

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Config is what the fabric consists of and how fast it notices changes.
type Config struct {
	// Enabled says to route. Where another system forwards, set it to false: then nothing is
	// sent and no route is written; ports and links are still reported.
	Enabled bool

	LLDPInterval   time.Duration // between two LLDP frames on a port
	LLDPHold       time.Duration // a link without LLDP for this long is gone; whole seconds
	NeighbourProbe time.Duration // a neighbour that was silent for this long is asked whether it lives
	NeighbourRetry time.Duration // between two such questions
	NeighbourTries int           // unanswered questions until it is gone
	GleanInterval  time.Duration // between two questions for the same unknown address
	MaxNeighbours  int           // of one switch; more are not learned, and counted
	MaxGlean       int           // unknown addresses of one switch under question at once
	VXLANPorts     []uint16      // UDP destination ports that carry VXLAN
	GenevePorts    []uint16      // and those that carry Geneve
	Switches       []Switch
}

// Switch is one switch of the fabric.
type Switch struct {
	Name     string
	DeviceID uint64 // its low 24 bits make the switch's MAC address
	Role     string // leaf, spine or border; for people
	Ports    []Port
	Gateways []Gateway
	Loopback netip.Addr // from where it tells senders that their packets expired; zero: a gateway's address
}

// Port is one port of a switch.
type Port struct {
	Number uint32
	Name   string
	Peer   string // what is behind it, for people
}

// Gateway is an address of a switch in a subnet of hosts, like 10.1.1.1/24, and the ports
// behind which the hosts are.
type Gateway struct {
	Address netip.Prefix
	Ports   []uint32
}

// DefaultConfig routes, and has everything but switches.
func DefaultConfig() Config {
	return Config{
		Enabled:        true,
		LLDPInterval:   2 * time.Second,
		LLDPHold:       6 * time.Second,
		NeighbourProbe: 15 * time.Second,
		NeighbourRetry: time.Second,
		NeighbourTries: 3,
		GleanInterval:  500 * time.Millisecond,
		MaxNeighbours:  4096,
		MaxGlean:       1024,
		VXLANPorts:     []uint16{4789, 8472},
		GenevePorts:    []uint16{6081},
	}
}

// Validate names every field that is wrong.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("fabric: "+format, args...)) }
	for _, d := range []struct {
		field string
		value time.Duration
	}{
		{"lldp-interval", c.LLDPInterval}, {"neighbour-probe", c.NeighbourProbe},
		{"neighbour-retry", c.NeighbourRetry}, {"glean-interval", c.GleanInterval},
	} {
		if d.value <= 0 {
			bad("%s: %s must be positive", d.field, d.value)
		}
	}
	if c.LLDPHold <= c.LLDPInterval || c.LLDPHold%time.Second != 0 || c.LLDPHold > 65535*time.Second {
		bad("lldp-hold: %s must be whole seconds, at most 65535, and longer than lldp-interval %s", c.LLDPHold, c.LLDPInterval)
	}
	for _, n := range []struct {
		field string
		value int
	}{{"neighbour-tries", c.NeighbourTries}, {"max-neighbours", c.MaxNeighbours}, {"max-glean", c.MaxGlean}} {
		if n.value <= 0 {
			bad("%s: %d must be positive", n.field, n.value)
		}
	}
	errs = append(errs, validateSwitches(c.Switches)...)
	return errors.Join(errs...)
}

func validateSwitches(switches []Switch) (errs []error) {
	names, macs, gateways := map[string]bool{}, map[mac]string{}, []netip.Prefix{}
	for _, s := range switches {
		bad := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("fabric: switch %q: %s", s.Name, fmt.Sprintf(format, args...)))
		}
		if s.Name == "" {
			bad("name: must not be empty")
		}
		if names[s.Name] {
			bad("name: there are two of that name")
		}
		names[s.Name] = true
		if other, ok := macs[systemMAC(s.DeviceID)]; ok {
			bad("device-id: %d has the same low 24 bits as that of switch %s", s.DeviceID, other)
		}
		macs[systemMAC(s.DeviceID)] = s.Name
		numbers, ports := map[uint32]bool{}, map[string]bool{}
		for _, p := range s.Ports {
			if p.Name == "" || ports[p.Name] {
				bad("port %d: name: %q is empty or taken", p.Number, p.Name)
			}
			if p.Number == 0 || p.Number >= 510 || numbers[p.Number] {
				bad("port %s: number: %d is taken, or not in 1 to 509", p.Name, p.Number)
			}
			numbers[p.Number], ports[p.Name] = true, true
		}
		if s.Loopback.IsValid() && !s.Loopback.Is4() {
			bad("loopback: %s is not IPv4", s.Loopback)
		}
		for _, g := range s.Gateways {
			for _, err := range validateGateway(g, numbers, gateways) {
				bad("gateway %s: %s", g.Address, err)
			}
			gateways = append(gateways, g.Address)
		}
	}
	return errs
}

func validateGateway(g Gateway, ports map[uint32]bool, others []netip.Prefix) (errs []error) {
	if !g.Address.IsValid() || !g.Address.Addr().Is4() || g.Address.Bits() > 30 {
		return []error{errors.New("address: must be IPv4 with a prefix of at most 30 bits")}
	}
	if !isHost(g.Address, g.Address.Addr()) {
		errs = append(errs, errors.New("address: is the subnet's network or broadcast address"))
	}
	for _, o := range others {
		if o.IsValid() && o.Overlaps(g.Address) {
			errs = append(errs, fmt.Errorf("address: overlaps gateway %s", o))
		}
	}
	if len(g.Ports) == 0 {
		errs = append(errs, errors.New("ports: must not be empty"))
	}
	for _, p := range g.Ports {
		if !ports[p] {
			errs = append(errs, fmt.Errorf("ports: the switch has no port %d", p))
		}
	}
	return errs
}

// isHost says whether a can be a host in the subnet of p: neither the network nor the
// broadcast address.
func isHost(p netip.Prefix, a netip.Addr) bool {
	return p.Contains(a) && a != p.Masked().Addr() && a != broadcast(p)
}

// broadcast is the last address of an IPv4 subnet.
func broadcast(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().As4()
	for i := range b {
		if host := (i+1)*8 - p.Bits(); host > 0 {
			b[i] |= byte(1<<min(host, 8) - 1)
		}
	}
	return netip.AddrFrom4(b)
}
