package fabric

import (
	"net/netip"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/p4rt"
	"github.com/fabricscope/fabricscope/p4src"
)

// node is what the loop knows of one switch.
type node struct {
	cfg        Switch
	mac        mac
	ports      map[uint32]Port
	numberOf   map[string]uint32    // by the port's name
	gateways   map[uint32][]Gateway // by port
	hellos     map[uint32][]byte    // LLDP frames by port
	status     map[uint32]portStatus
	client     client // nil without a connection
	neighbours *neighbours
	gleans     gleans
	numbers    numbers
	remote     map[netip.Prefix][]hop
	dirty      bool // the programmer does not know the newest state
	programmer *programmer
}

func newNode(c Config, s Switch, p *programmer) (*node, error) {
	n := &node{
		cfg: s, mac: systemMAC(s.DeviceID), ports: map[uint32]Port{}, numberOf: map[string]uint32{},
		gateways: map[uint32][]Gateway{}, hellos: map[uint32][]byte{}, status: map[uint32]portStatus{},
		neighbours: newNeighbours(c), gleans: gleans{c.GleanInterval, c.MaxGlean, map[netip.Addr]time.Time{}},
		numbers: newNumbers(), programmer: p, dirty: true,
	}
	for _, port := range s.Ports {
		n.ports[port.Number], n.numberOf[port.Name] = port, port.Number
		hello, err := announcement{s.Name, port.Name, c.LLDPHold}.encode(n.mac)
		if err != nil {
			return nil, err
		}
		n.hellos[port.Number] = hello
	}
	for _, g := range s.Gateways {
		for _, port := range g.Ports {
			n.gateways[port] = append(n.gateways[port], g)
		}
	}
	return n, nil
}

// ref names a port in facts.
func (n *node) ref(port uint32) inventory.PortRef {
	return inventory.PortRef{Switch: n.cfg.Name, Port: n.ports[port].Name, Number: port}
}

func (n *node) endpoint(h neighbour) inventory.Endpoint {
	return inventory.Endpoint{Switch: n.cfg.Name, Port: n.ports[h.port].Name, Number: h.port, Address: h.addr, MAC: h.mac.String()}
}

// ownAddress is the address under which the switch speaks for itself to what is behind a port.
func (n *node) ownAddress(port uint32) (netip.Addr, bool) {
	switch {
	case n.cfg.Loopback.IsValid():
		return n.cfg.Loopback, true
	case len(n.gateways[port]) > 0:
		return n.gateways[port][0].Address.Addr(), true
	case len(n.cfg.Gateways) > 0:
		return n.cfg.Gateways[0].Address.Addr(), true
	}
	return netip.Addr{}, false
}

// gatewayFor gives the gateway in whose subnet addr can be a host.
func (n *node) gatewayFor(addr netip.Addr) (Gateway, bool) {
	for _, g := range n.cfg.Gateways {
		if isHost(g.Address, addr) {
			return g, true
		}
	}
	return Gateway{}, false
}

// routes is what the switch should forward now.
func (n *node) routes() routes {
	hosts := make(map[netip.Addr]hop, len(n.neighbours.byAddr))
	for a, h := range n.neighbours.byAddr {
		hosts[a] = hop{h.port, h.mac}
	}
	return routes{n.mac, n.cfg.Gateways, hosts, n.remote}
}

// send sends a frame out of a port.
func (n *node) send(port uint32, frame []byte) error {
	return n.client.SendPacket(p4rt.PacketOut{
		Fields: []p4rt.Param{
			{Name: p4src.PacketOutOp, Value: p4rt.Uint(uint64(p4src.OpSend))},
			{Name: p4src.PacketOutEgressPort, Value: p4rt.Uint(uint64(port))},
		},
		Payload: frame,
	})
}
