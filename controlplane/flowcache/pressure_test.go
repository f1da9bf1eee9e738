package flowcache

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/fabricscope/fabricscope/controlplane/flow"
)

// template is a frame whose addresses and source port can be changed.
type template struct {
	frame    []byte
	protocol flow.Protocol
	dst      netip.Addr
	dstPort  uint16
}

// Places in a frame of IPv4 without options.
const (
	atIPChecksum = 14 + 10
	atSource     = 14 + 12
	atSourcePort = 14 + 20
)

func newTemplate(t testing.TB, transport gopacket.SerializableLayer, protocol layers.IPProtocol, dstPort uint16, payload int) template {
	t.Helper()
	ip := &layers.IPv4{Version: 4, IHL: 5, TTL: 64, Protocol: protocol, SrcIP: net.IP{0, 0, 0, 0}, DstIP: net.IP{10, 9, 9, 9}}
	buf := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true},
		&layers.Ethernet{SrcMAC: net.HardwareAddr{2, 0, 0, 0, 0, 2}, DstMAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, EthernetType: layers.EthernetTypeIPv4},
		ip, transport, gopacket.Payload(make([]byte, payload))); err != nil {
		t.Fatal(err)
	}
	return template{buf.Bytes(), flow.Protocol(protocol), netip.AddrFrom4([4]byte{10, 9, 9, 9}), dstPort}
}

func tcpTemplate(t testing.TB, flags func(*layers.TCP), payload int) template {
	tcp := &layers.TCP{DstPort: 80, Window: 1000}
	flags(tcp)
	return newTemplate(t, tcp, layers.IPProtocolTCP, 80, payload)
}

func udpTemplate(t testing.TB) template {
	return newTemplate(t, &layers.UDP{DstPort: 53, Length: 8 + 30}, layers.IPProtocolUDP, 53, 30)
}

// of makes the frame one of flow n, and gives its tuple.
func (p *template) of(n int) flow.Tuple {
	src, port := [4]byte{100, byte(n >> 16), byte(n >> 8), byte(n)}, uint16(40000+n%20000)
	copy(p.frame[atSource:], src[:])
	binary.BigEndian.PutUint16(p.frame[atSourcePort:], port)
	binary.BigEndian.PutUint16(p.frame[atIPChecksum:], 0)
	var sum uint32
	for i := 14; i < 34; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(p.frame[i:]))
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	binary.BigEndian.PutUint16(p.frame[atIPChecksum:], ^uint16(sum))
	return flow.Tuple{Protocol: p.protocol, Src: netip.AddrFrom4(src), Dst: p.dst, SrcPort: port, DstPort: p.dstPort}
}

// load is what was sent, and what of it is flows.
type load struct {
	r       *rig
	packets int
	flows   map[flow.Key]flow.Counters
	ports   map[uint32]flow.Counters
}

// waiting is how many digests may be on their way: fewer than the shortest queue holds.
const waiting = 20_000

// send sends a frame of flow n into a port, no faster than the controller takes the digests:
// what a switch does whose digests are faster is another test.
func (l *load) send(t *testing.T, port uint32, p *template, n int) {
	k := flow.Key{IngressPort: port, Tuple: p.of(n)}
	one := flow.Counters{Packets: 1, Bytes: uint64(len(p.frame))}
	c := l.flows[k]
	c.Add(one)
	l.flows[k] = c
	l.count(port, one)
	l.r.receive(port, p.frame)
	if l.packets++; l.packets%waiting == 0 {
		l.r.wait(t, "digests to be taken", func() error {
			if raised, got := l.r.digests.Load(), int64(l.r.metric(t, "fabricscope_track_reports_total")); raised-got > waiting {
				return fmt.Errorf("%d of %d", got, raised)
			}
			return nil
		})
	}
}

// other sends a frame that is no flow.
func (l *load) other(port uint32) {
	frame := make([]byte, 60)
	copy(frame, []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5}) // an experimental EtherType
	l.count(port, flow.Counters{Packets: 1, Bytes: 60})
	l.r.receive(port, frame)
}

func (l *load) count(port uint32, c flow.Counters) {
	total := l.ports[port]
	total.Add(c)
	l.ports[port] = total
}

// settle waits until everything is accounted for: each port's frames are in records or buckets.
func (l *load) settle(t *testing.T) {
	t.Helper()
	l.r.wait(t, "every packet to be accounted for", func() error {
		accounts := l.r.accounting()
		for port, want := range l.ports {
			a := accounts[port]
			if a.PortPackets != want.Packets || a.PortBytes != want.Bytes {
				return fmt.Errorf("port %d counted %d packets, %d were sent", port, a.PortPackets, want.Packets)
			}
			if a.ResiduePackets != 0 || a.ResidueBytes != 0 || a.BasePackets != 0 || a.RecordPackets+a.BucketPackets != want.Packets {
				return fmt.Errorf("port %d: %+v", port, a)
			}
		}
		return nil
	})
	l.r.wait(t, "the last conversations to be recorded", func() error {
		recorded := uint64(0)
		for _, c := range l.r.flows() {
			recorded += c.Packets
		}
		if recorded != uint64(l.packets) {
			return fmt.Errorf("%d packets of %d", recorded, l.packets)
		}
		return nil
	})
}

// check compares every flow with what was sent of it.
func (l *load) check(t *testing.T) {
	t.Helper()
	got := l.r.flows()
	wrong := 0
	for k, want := range l.flows {
		if got[k] != want {
			if wrong++; wrong <= 5 {
				t.Errorf("%+v: %+v, want %+v", k, got[k], want)
			}
		}
	}
	if wrong > 0 || len(got) != len(l.flows) {
		t.Errorf("%d of %d flows are wrong, and there are %d", wrong, len(l.flows), len(got))
	}
	for _, name := range []string{"fabricscope_track_lost_generations", "fabricscope_track_unfinished_generations", "fabricscope_p4rt_drops_total"} {
		if n := l.r.metric(t, name); n != 0 {
			t.Errorf("%s is %v", name, n)
		}
	}
}

// A cache of 64 slots and 100,000 flows: a storm of flows of one packet, a flood of SYNs, and
// flows of several packets among them. Every packet is in its flow's record, and nothing is left.
func TestPressureIsExact(t *testing.T) {
	const oneShots, floods, talks, packets = 55_000, 35_000, 10_000, 4
	ports := []uint32{1, 2, 3, 4}
	l := &load{r: newRig(t, 64, ports...), flows: map[flow.Key]flow.Counters{}, ports: map[uint32]flow.Counters{}}
	storm, flood := udpTemplate(t), tcpTemplate(t, func(l *layers.TCP) { l.SYN = true }, 0)
	talk := tcpTemplate(t, func(l *layers.TCP) { l.ACK, l.PSH = true, true }, 500)
	random := rand.New(rand.NewPCG(7, 7))
	order := random.Perm(oneShots + floods + talks*packets)
	for i, n := range order {
		port := ports[n%len(ports)]
		switch {
		case n < oneShots:
			l.send(t, port, &storm, n)
		case n < oneShots+floods:
			l.send(t, port, &flood, n)
		default:
			n = (n - oneShots - floods) % talks // the same flow again, some time later
			l.send(t, ports[n%len(ports)], &talk, 1<<20+n)
		}
		if i%1000 == 0 {
			l.other(port)
		}
	}
	l.settle(t)
	l.check(t)
	t.Logf("%d flows, %d packets, %.3f digests a packet", len(l.flows), l.packets, float64(l.r.digests.Load())/float64(l.packets))
}

// When digests get lost in bursts, what is missing is in the accounting as soon as it is certain,
// to the packet, with the slots that it was in.
func TestLossesUnderPressureAreExplained(t *testing.T) {
	const flows = 3000
	l := &load{r: newRig(t, 64, 1, 2), flows: map[flow.Key]flow.Counters{}, ports: map[uint32]flow.Counters{}}
	raised := 0
	l.r.loses(func() bool { raised++; return raised%500 >= 350 })
	p := udpTemplate(t)
	for n := range flows {
		l.send(t, 1, &p, n)
	}
	l.r.loses(nil)
	next := flows
	l.r.wait(t, "the losses of port 1 to be settled", func() error {
		// Digests that come later show that those of before do not come any more.
		l.send(t, 2, &p, next)
		next++
		a := l.r.accounting()[1]
		if a.ResiduePackets == 0 || a.MissingPackets != a.ResiduePackets || a.MissingBytes != a.ResidueBytes {
			return fmt.Errorf("%+v", a)
		}
		return nil
	})
	a := l.r.accounting()[1]
	if a.RecordPackets+uint64(a.MissingPackets) != flows || a.MissingPackets < flows/10 {
		t.Errorf("%d packets in records and %d missing, of %d", a.RecordPackets, a.MissingPackets, flows)
	}
	loss := a.Losses[len(a.Losses)-1]
	if !loss.Settled || loss.Packets != a.MissingPackets || loss.Generations < uint64(a.MissingPackets) || len(loss.Gaps) == 0 {
		t.Errorf("%+v, want all that is missing, in as many generations or more", loss)
	}
}
