// Package topology is the lab's cabling plan: one file that the Mininet script, the daemon's
// configuration and the checks all read.
package topology

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

//go:embed lab.json
var lab []byte

// Lab is the lab's topology, and the text it was read from.
func Lab() (*Topology, []byte, error) {
	t, err := Parse(lab)
	return t, lab, err
}

// Topology is a set of switches, hosts and the cables between them.
type Topology struct {
	Switches []Switch  `json:"switches"`
	Links    []Link    `json:"links"`
	Gateways []Gateway `json:"gateways"`
	Hosts    []Host    `json:"hosts"`
}

// Switch is a P4 switch. It serves P4Runtime on GRPCPort of loopback, which in the lab is below the ports that the kernel gives to
// connections (32768 to 60999): one of those is taken now and then.
type Switch struct {
	Name     string `json:"name"`
	Role     string `json:"role"` // leaf, spine or border
	DeviceID uint64 `json:"device-id"`
	GRPCPort uint16 `json:"grpc-port"`
}

// Link is a cable between two switches.
type Link struct {
	A Port `json:"a"`
	B Port `json:"b"`
}

// Gateway is a switch's address in the subnet of its hosts.
type Gateway struct {
	Switch  string       `json:"switch"`
	Address netip.Prefix `json:"address"`
}

// Host is a machine behind a switch port.
type Host struct {
	Name    string       `json:"name"`
	Role    string       `json:"role"`              // worker or client
	Cluster string       `json:"cluster,omitempty"` // of a worker
	Port    Port         `json:"port"`
	Address netip.Prefix `json:"address"`
}

// Port is a port of a switch, written switch:number.
type Port struct {
	Switch string
	Number uint32
}

// Interface is the port's Linux interface, as Mininet names it.
func (p Port) Interface() string { return fmt.Sprintf("%s-eth%d", p.Switch, p.Number) }

// UnmarshalText reads switch:number.
func (p *Port) UnmarshalText(b []byte) error {
	sw, number, ok := strings.Cut(string(b), ":")
	n, err := strconv.ParseUint(number, 10, 9)
	if !ok || err != nil || sw == "" || n == 0 {
		return fmt.Errorf("port %q is not switch:number", b)
	}
	p.Switch, p.Number = sw, uint32(n)
	return nil
}

// MarshalText writes switch:number.
func (p Port) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%s:%d", p.Switch, p.Number), nil
}

// Parse reads a topology and checks that it is one.
func Parse(text []byte) (*Topology, error) {
	t := &Topology{}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(t); err != nil {
		return nil, fmt.Errorf("topology: %w", err)
	}
	return t, t.validate()
}

// Peer is what a port is cabled to: a host's name or another switch's port as switch/port.
type Peer struct {
	Port Port
	Name string
	Host bool
}

// Peers are the used ports of a switch, by number.
func (t *Topology) Peers(sw string) []Peer {
	var peers []Peer
	for _, l := range t.Links {
		for _, ends := range [][2]Port{{l.A, l.B}, {l.B, l.A}} {
			if ends[0].Switch == sw {
				peers = append(peers, Peer{ends[0], ends[1].Switch, false})
			}
		}
	}
	for _, h := range t.Hosts {
		if h.Port.Switch == sw {
			peers = append(peers, Peer{h.Port, h.Name, true})
		}
	}
	slices.SortFunc(peers, func(a, b Peer) int { return int(a.Port.Number) - int(b.Port.Number) })
	return peers
}

// Workers are the hosts that run the nodes of clusters; of all if none is named.
func (t *Topology) Workers(clusters ...string) []Host {
	return slices.DeleteFunc(slices.Clone(t.Hosts), func(h Host) bool {
		return h.Role != "worker" || len(clusters) > 0 && !slices.Contains(clusters, h.Cluster)
	})
}

// Gateway is the address of a switch in its hosts' subnet; invalid without one.
func (t *Topology) Gateway(sw string) netip.Prefix {
	for _, g := range t.Gateways {
		if g.Switch == sw {
			return g.Address
		}
	}
	return netip.Prefix{}
}

func (t *Topology) validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("topology: "+format, args...)) }
	switches, devices, used := map[string]bool{}, map[uint64]bool{}, map[Port]string{}
	for _, s := range t.Switches {
		if switches[s.Name] || devices[s.DeviceID] {
			bad("switch %s: its name or its device id is there twice", s.Name)
		}
		switches[s.Name], devices[s.DeviceID] = true, true
	}
	cable := func(p Port, what string) {
		if !switches[p.Switch] {
			bad("%s: there is no switch %q", what, p.Switch)
		}
		if other := used[p]; other != "" {
			bad("%s: port %s:%d is taken by %s", what, p.Switch, p.Number, other)
		}
		used[p] = what
	}
	for i, l := range t.Links {
		cable(l.A, fmt.Sprintf("links[%d]", i))
		cable(l.B, fmt.Sprintf("links[%d]", i))
	}
	for _, h := range t.Hosts {
		cable(h.Port, "host "+h.Name)
		if (h.Role == "worker") != (h.Cluster != "") {
			bad("host %s: a worker, and nothing else, is in a cluster", h.Name)
		}
		if g := t.Gateway(h.Port.Switch); !g.IsValid() || g.Masked() != h.Address.Masked() {
			bad("host %s: %s is not in the subnet of %s", h.Name, h.Address, h.Port.Switch)
		}
	}
	return errors.Join(errs...)
}
