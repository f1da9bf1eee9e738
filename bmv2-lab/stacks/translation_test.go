package stacks

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/fabricscope/fabricscope/bmv2-lab/node/netns"
	"github.com/fabricscope/fabricscope/controlplane/flow"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A client outside asks a node port; the node's kernel translates both addresses and both ports, and
// asks a pod on another node. The switch between them has a port for each.
const (
	clientAddress = "198.51.100.9"
	nodeOutside   = "198.51.100.1"
	nodeInside    = "10.1.1.11"
	podAddress    = "10.1.1.77"
	nodePort      = 30080
	podPort       = 8080

	portClient, portNode, portPod = 1, 3, 4
)

// rules are what kube-proxy makes of a service, and of traffic from outside.
var rules = fmt.Sprintf(`table ip nat {
	chain prerouting {
		type nat hook prerouting priority dstnat;
		ip daddr %[1]s meta l4proto { tcp, udp, sctp } th dport %[2]d dnat to %[3]s:%[4]d
	}
	chain postrouting {
		type nat hook postrouting priority srcnat;
		ip daddr %[3]s masquerade fully-random
	}
}
`, nodeOutside, nodePort, podAddress, podPort)

// translator is a client, a node and a pod, each in a namespace.
type translator struct {
	client, node, pod *netns.Namespace
	tap               int // a socket that sees all frames of the node, in their order
	outside           int // its interface to the client
}

const (
	nameClient = "fabriclab-nat-client"
	nameNode   = "fabriclab-nat-node"
	namePod    = "fabriclab-nat-pod"
)

func newTranslator(t *testing.T) *translator {
	t.Helper()
	n := &translator{}
	for name, ns := range map[string]**netns.Namespace{nameClient: &n.client, nameNode: &n.node, namePod: &n.pod} {
		if err := netns.Remove(name); err != nil { // of a run that was killed
			t.Fatal(err)
		}
		made, err := netns.Add(name)
		if err != nil {
			t.Fatalf("make a network namespace, which takes root: %v", err)
		}
		*ns = made
		t.Cleanup(func() { made.Close(); _ = netns.Remove(name) })
	}
	run := func(ns *netns.Namespace, input, name string, args ...string) {
		t.Helper()
		if _, err := ns.Run(t.Context(), input, name, args...); err != nil {
			t.Fatal(err)
		}
	}
	for dev, end := range map[string]struct {
		ns   *netns.Namespace
		name string
	}{"out": {n.client, nameClient}, "in": {n.pod, namePod}} {
		run(n.node, "", "ip", "link", "add", dev, "type", "veth", "peer", "name", "eth0", "netns", end.name)
		for _, ns := range []struct {
			ns  *netns.Namespace
			dev string
		}{{n.node, dev}, {end.ns, "eth0"}} {
			run(ns.ns, "", "ethtool", "-K", ns.dev, "rx", "off", "tx", "off", "sg", "off", "tso", "off", "gso", "off", "gro", "off")
			run(ns.ns, "", "ip", "link", "set", ns.dev, "up")
		}
	}
	for dev, address := range map[string]string{"out": nodeOutside, "in": nodeInside} {
		run(n.node, "", "ip", "address", "add", address+"/24", "dev", dev)
	}
	run(n.client, "", "ip", "address", "add", clientAddress+"/24", "dev", "eth0")
	run(n.pod, "", "ip", "address", "add", podAddress+"/24", "dev", "eth0")
	if err := n.node.WriteSysctl("net/ipv4/ip_forward", "1"); err != nil {
		t.Fatal(err)
	}
	run(n.node, rules, "nft", "-f", "-")
	if err := n.node.Do(n.listen); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(n.tap) })
	return n
}

// listen opens the tap, in the node's namespace.
func (n *translator) listen() error {
	link, err := net.InterfaceByName("out")
	if err != nil {
		return err
	}
	n.outside = link.Index
	all := binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, unix.ETH_P_ALL))
	if n.tap, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, int(all)); err != nil {
		return err
	}
	return unix.SetsockoptInt(n.tap, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20)
}

// ask sends a question by a protocol and waits for the answer.
func (n *translator) ask(t *testing.T, network string) {
	t.Helper()
	server := net.JoinHostPort(podAddress, fmt.Sprint(podPort))
	switch network {
	case "tcp":
		l, err := n.pod.Listen(network, server)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			if c, err := l.Accept(); err == nil {
				_, _ = io.Copy(c, c) // what does not come back is missed below
				c.Close()
			}
		}()
	case "udp":
		var l net.PacketConn
		if err := n.pod.Do(func() (err error) { l, err = net.ListenPacket(network, server); return err }); err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			b := make([]byte, 100)
			if size, from, err := l.ReadFrom(b); err == nil {
				_, _ = l.WriteTo(b[:size], from)
			}
		}()
	}
	c, err := n.client.DialContext(t.Context(), network, net.JoinHostPort(nodeOutside, fmt.Sprint(nodePort)))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("anybody?")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 8)); err != nil {
		t.Fatalf("%s: no answer: %v", network, err)
	}
}

// associate sends the first packet of an association of SCTP (RFC 9260, section 3.3.2), which needs no kernel that
// speaks it: what it has to do is to translate it.
func (n *translator) associate(t *testing.T) {
	t.Helper()
	init := &layers.SCTPInit{SCTPChunk: layers.SCTPChunk{Type: layers.SCTPChunkTypeInit, Length: 20}, InitiateTag: 7,
		AdvertisedReceiverWindowCredit: 1 << 16, OutboundStreams: 1, InboundStreams: 1, InitialTSN: 9}
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{ComputeChecksums: true},
		&layers.SCTP{SrcPort: 40132, DstPort: nodePort}, init); err != nil {
		t.Fatal(err)
	}
	if err := n.client.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_SCTP)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.Sendto(fd, b.Bytes(), 0, &unix.SockaddrInet4{Addr: netip.MustParseAddr(nodeOutside).As4()})
	}); err != nil {
		t.Fatal(err)
	}
}

// each gives every frame that the node got or sent so far, and the switch's port that it enters by.
func (n *translator) each(t *testing.T, yield func(port uint32, frame []byte)) {
	t.Helper()
	for b := make([]byte, 1<<16); ; {
		size, from, err := unix.Recvfrom(n.tap, b, 0)
		if err == unix.EAGAIN {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		at := from.(*unix.SockaddrLinklayer)
		port := uint32(portPod)
		switch {
		case at.Pkttype == unix.PACKET_OUTGOING:
			port = portNode
		case at.Ifindex == n.outside:
			port = portClient
		}
		yield(port, b[:size])
	}
}

// TestTranslation sends TCP, UDP and SCTP through a kernel that translates them, shows all of it to a switch, and
// wants both sides of each to be joined: for certain by TCP's sequence numbers, and as a guess where nothing
// survives the translation.
func TestTranslation(t *testing.T) {
	n := newTranslator(t)
	l, s := newLeaf(t)
	n.ask(t, "tcp")
	n.ask(t, "udp")
	n.associate(t)
	frames := 0
	for _, p := range []flow.Protocol{flow.TCP, flow.UDP, flow.SCTP} {
		var front, back flow.Conversation
		for deadline := time.Now().Add(patience); len(front.Legs) == 0 || len(back.Legs) == 0; front, back = s.of(p) {
			if time.Now().After(deadline) {
				t.Fatalf("%v: not joined, after %d frames:\nfront %+v\nback %+v", p, frames, front, back)
			}
			n.each(t, func(port uint32, frame []byte) {
				frames++
				l.engine.Process(l.micros(), port, frame, l)
			})
			time.Sleep(10 * time.Millisecond)
		}
		if front.Legs[0].ID != back.ID || back.Legs[0].ID != front.ID || front.Legs[0].Side != flow.Back || back.Legs[0].Side != flow.Front {
			t.Errorf("%v: front %+v, back %+v", p, front.Legs, back.Legs)
		}
		if front.Client.Port == back.Client.Port {
			t.Errorf("%v: the client's port was not translated", p)
		}
		if pod := front.Legs[0].End.Identity.Pod; pod != "catalog-1" {
			t.Errorf("%v: the server is said to be %q", p, pod)
		}
		if client := back.Legs[0].End.Address; client != netip.MustParseAddr(clientAddress) {
			t.Errorf("%v: the client is said to be %v", p, client)
		}
		for _, leg := range []flow.Leg{front.Legs[0], back.Legs[0]} {
			if exact := p == flow.TCP; leg.Exact != exact || leg.Candidates != 1 || (leg.Reason == "") != exact {
				t.Errorf("%v: %+v, want it to be certain only with TCP", p, leg)
			}
		}
	}
}
