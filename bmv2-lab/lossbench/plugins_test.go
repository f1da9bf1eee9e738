package lossbench

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// plugin is how a network plugin carries packets from pod to pod.
type plugin struct {
	carry func(from, to netip.Addr, vni uint32, inner []byte) []byte
	kind  flow.Encapsulation
	there uint32 // VNI
	back  uint32
	encap bool // outer addresses are others than the nodes' own, as the nodes say
}

// plugins are those that the documentation names. Cilium has the identity of the sender in the VNI, and OVN the key of a datapath, so
// that the two directions differ.
func plugins() map[string]plugin {
	return map[string]plugin{
		"flannel":             {carry: vxlan, kind: flow.VXLAN, there: 1, back: 1},
		"Calico, VXLAN":       {carry: vxlanAt(4789), kind: flow.VXLAN, there: 4096, back: 4096},
		"Calico, IP in IP":    {carry: ipip, kind: flow.IPIP},
		"Cilium, VXLAN":       {carry: vxlan, kind: flow.VXLAN, there: 31337, back: 1042},
		"Cilium, Geneve":      {carry: geneve(0), kind: flow.Geneve, there: 31337, back: 1042},
		"OVN-Kubernetes":      {carry: geneve(8), kind: flow.Geneve, there: 16711681, back: 7, encap: true},
		"routes without more": {carry: func(_, _ netip.Addr, _ uint32, inner []byte) []byte { return inner }},
	}
}

// member is a node of a cluster, with the one pod that it has.
type member struct {
	leaf, host int
	cluster    string
	pod        netip.Addr
}

// The clusters have pods with the same addresses, and nodes at the same port.
var (
	blue1  = member{0, 11, "blue", netip.MustParseAddr("10.244.1.5")}
	blue2  = member{1, 12, "blue", netip.MustParseAddr("10.244.2.5")}
	green1 = member{2, 21, "green", netip.MustParseAddr("10.244.1.5")}
	green2 = member{1, 22, "green", netip.MustParseAddr("10.244.2.5")}
)

func (m member) address() netip.Addr { return hostAddress(m.leaf, m.host) }

func (m member) outer(p plugin) netip.Addr {
	if p.encap {
		return hostAddress(m.leaf, m.host+100)
	}
	return m.address()
}

func (m member) facts(p plugin) []inventory.Fact {
	name := m.cluster + "-" + m.address().String()
	n := inventory.Node{Cluster: m.cluster, Name: name, Addresses: []netip.Addr{m.address()}}
	if p.encap {
		n.Overlay.Addresses = []netip.Addr{m.outer(p)}
	}
	return []inventory.Fact{n, inventory.Pod{Cluster: m.cluster, Namespace: "shop", Name: "pod-" + name, UID: "uid-" + name, Node: name, IPs: []netip.Addr{m.pod}}}
}

// TestNetworkPlugins sends frames of every plugin through the fabric, from pods of two clusters that have the same addresses, and
// holds who they are said to be of, and where that is, against who sent them.
func TestNetworkPlugins(t *testing.T) {
	for name, p := range plugins() {
		t.Run(name, func(t *testing.T) {
			known := []inventory.Fact{inventory.Cluster{Name: "blue", State: "synced"}, inventory.Cluster{Name: "green", State: "synced"}}
			for _, m := range []member{blue1, blue2, green1, green2} {
				known = append(known, m.facts(p)...)
			}
			inBubble(t, 1, func(r *rig) {
				r.talks(t, p, blue1, blue2, 40001)
				r.talks(t, p, green1, green2, 40002)
			}, known...)
		})
	}
}

// talks has a pod ask another, which answers, and checks what is said of them.
func (r *rig) talks(t *testing.T, p plugin, client, server member, port uint16) {
	t.Helper()
	there := p.stream(client, server, port, 9, p.there, 0)
	back := p.stream(server, client, 9, port, p.back, 1)
	until := time.Now().Add(time.Second)
	r.start(there, until)
	r.start(back, until)
	r.run(10 * time.Second) // until all is read out
	c, _, _ := r.said.of(there)
	if c.Forward.Packets != there.sent || c.Reverse.Packets != back.sent {
		t.Errorf("%s: one conversation of %d and %d packets, want %d and %d", client.cluster, c.Forward.Packets, c.Reverse.Packets, there.sent, back.sent)
	}
	for _, end := range []struct {
		id   flow.Identity
		want member
	}{{c.Client.Identity, client}, {c.Server.Identity, server}} {
		name := end.want.cluster + "-" + end.want.address().String()
		if id := end.id; id.Cluster != end.want.cluster || id.PodUID != "uid-"+name || id.Node != name || id.Why != "" ||
			id.Switch != leaf(end.want.leaf) || id.Port != inventory.PortName(hostPort) {
			t.Errorf("%+v, want the pod of %s at %s", id, name, leaf(end.want.leaf))
		}
	}
	want := flow.Outer{}
	if p.kind != want.Kind {
		want = flow.Outer{Kind: p.kind, VNI: p.there, Src: client.outer(p), Dst: server.outer(p)}
	}
	if len(c.ForwardHops) != 3 || slices.ContainsFunc(c.ForwardHops, func(h flow.Hop) bool { return h.Outer != want }) {
		t.Errorf("hops %+v, want three with %+v", c.ForwardHops, want)
	}
}

// stream is one direction between pods, over a spine.
func (p plugin) stream(from, to member, src, dst uint16, vni uint32, via int) *stream {
	s := &stream{rate: 20, way: []cable{up(from.leaf, via), down(to.leaf, via)},
		tuple: flow.Tuple{Protocol: flow.UDP, Src: from.pod, Dst: to.pod, SrcPort: src, DstPort: dst}}
	s.lost, s.extra = make([]uint64, len(s.way)), make([]uint64, len(s.way))
	s.frame = p.carry(from.outer(p), to.outer(p), vni, frameOf(s.tuple))
	return s
}

func vxlan(from, to netip.Addr, vni uint32, inner []byte) []byte {
	return vxlanAt(8472)(from, to, vni, inner)
}

// vxlanAt is RFC 7348's header, in UDP to a port.
func vxlanAt(port uint16) func(from, to netip.Addr, vni uint32, inner []byte) []byte {
	return func(from, to netip.Addr, vni uint32, inner []byte) []byte {
		return datagram(from, to, port, binary.BigEndian.AppendUint32([]byte{8, 0, 0, 0}, vni<<8), inner)
	}
}

// geneve is RFC 8926's header with an option of some bytes, as OVN has it for its ports.
func geneve(option int) func(from, to netip.Addr, vni uint32, inner []byte) []byte {
	return func(from, to netip.Addr, vni uint32, inner []byte) []byte {
		header := binary.BigEndian.AppendUint32([]byte{byte(option / 4), 0, 0x65, 0x58}, vni<<8)
		if option > 0 {
			header = append(header, 1, 2, 0x80, byte(option-4)/4)
			header = append(header, make([]byte, option-4)...)
		}
		return datagram(from, to, 6081, header, inner)
	}
}

// ipip has the packet in another one, without its Ethernet header (RFC 2003).
func ipip(from, to netip.Addr, _ uint32, inner []byte) []byte {
	return packet(from, to, flow.Protocol(4), inner[14:])
}

// datagram is UDP without a checksum.
func datagram(from, to netip.Addr, port uint16, header, inner []byte) []byte {
	udp := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, 50000), port)
	udp = append(binary.BigEndian.AppendUint16(udp, uint16(8+len(header)+len(inner))), 0, 0)
	return packet(from, to, flow.UDP, slices.Concat(udp, header, inner))
}
