package restarts

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/fabricscope/fabricscope/bmv2-lab/check"
)

// stream is one flow: how it looks, and what was sent of it.
type stream struct {
	what   check.Frame
	port   uint32
	frames [][]byte // of several sizes
	sent   check.Count
}

// newStream gives the nth flow of many kinds.
func newStream(t *testing.T, n int) *stream {
	t.Helper()
	s := &stream{port: ports()[n%len(ports())]}
	src, dst := netip.AddrFrom4([4]byte{10, 1, byte(n >> 8), byte(n)}), netip.AddrFrom4([4]byte{10, 2, 0, byte(n % 7)})
	s.what = check.Frame{Interface: portName(s.port), Outer: check.Outer{Kind: "native"}, Protocol: 17, Src: src, Dst: dst,
		SrcPort: uint16(1024 + n), DstPort: 53}
	ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: src.AsSlice(), DstIP: dst.AsSlice()}
	var stack []gopacket.SerializableLayer
	switch n % 4 {
	case 0:
		udp := &layers.UDP{SrcPort: layers.UDPPort(s.what.SrcPort), DstPort: 53}
		stack = []gopacket.SerializableLayer{ip, udp}
	case 1:
		s.what.Protocol, s.what.DstPort, ip.Protocol = 6, 80, layers.IPProtocolTCP
		stack = []gopacket.SerializableLayer{ip, &layers.TCP{SrcPort: layers.TCPPort(s.what.SrcPort), DstPort: 80, ACK: true, DataOffset: 5, Seq: 7, FIN: n%8 == 1}}
	case 2:
		s.what.Protocol, s.what.SrcPort, s.what.DstPort, ip.Protocol = 1, 8<<8, uint16(n), layers.IPProtocolICMPv4
		stack = []gopacket.SerializableLayer{ip, &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(8, 0), Id: uint16(n)}}
	case 3:
		outer := *ip
		s.what.Outer = check.Outer{Kind: "ipip", Src: src, Dst: dst}
		outer.Protocol = layers.IPProtocolIPv4
		s.what.Src, s.what.Dst = netip.AddrFrom4([4]byte{10, 3, byte(n >> 8), byte(n)}), netip.AddrFrom4([4]byte{10, 3, 255, 1})
		ip.SrcIP, ip.DstIP = s.what.Src.AsSlice(), s.what.Dst.AsSlice()
		stack = []gopacket.SerializableLayer{&outer, ip, &layers.UDP{SrcPort: layers.UDPPort(s.what.SrcPort), DstPort: 53}}
	}
	for _, size := range []int{20, 100, 700} {
		buf := gopacket.NewSerializeBuffer()
		all := append([]gopacket.SerializableLayer{&layers.Ethernet{SrcMAC: net.HardwareAddr{2, 0, 0, 0, 0, 2},
			DstMAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, EthernetType: layers.EthernetTypeIPv4}}, stack...)
		err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true},
			append(all, gopacket.Payload(make([]byte, size)))...)
		if err == nil {
			err = checksums(buf.Bytes())
		}
		if err != nil {
			t.Fatal(err)
		}
		s.frames = append(s.frames, append([]byte(nil), buf.Bytes()...))
	}
	return s
}

// checksums puts the outer IPv4 header's checksum in, which the switch verifies.
func checksums(frame []byte) error {
	header := frame[14:34]
	if header[0] != 0x45 {
		return fmt.Errorf("%x is no plain IPv4 header", header)
	}
	var sum uint32
	for i := 0; i < len(header); i += 2 {
		sum += uint32(header[i])<<8 | uint32(header[i+1])
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	header[10], header[11] = byte(^sum>>8), byte(^sum)
	return nil
}

// generator sends frames of streams until its context ends.
type generator struct {
	target target
	rate   int // frames/s

	mu      sync.Mutex // held while a frame is sent; guards the fields below
	random  *rand.Rand
	streams []*stream
	window  int                    // the first of those that send now
	sent    int                    // frames that the switch took
	life    map[uint32]check.Count // what it took by port, since it was started
}

const (
	regular = 240 // streams
	active  = 60  // of them at one time; each rests for longer than the idle timeout, and comes again
	shift   = 25  // frames until the next one joins
)

func newGenerator(t *testing.T, to target, rate int, seed uint64) *generator {
	g := &generator{target: to, rate: rate, random: rand.New(rand.NewPCG(seed, 2)), life: map[uint32]check.Count{}}
	for n := range regular {
		g.streams = append(g.streams, newStream(t, n))
	}
	return g
}

// run sends, at the rate on average.
func (g *generator) run(ctx context.Context) {
	const every = 10 * time.Millisecond
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		g.mu.Lock()
		for range g.rate / int(time.Second/every) {
			g.emit(g.streams[(g.window+g.random.IntN(active))%regular])
		}
		g.mu.Unlock()
	}
}

// emit sends a frame of a stream and counts it. g.mu is held.
func (g *generator) emit(s *stream) {
	frame := s.frames[g.random.IntN(len(s.frames))]
	if !g.target.send(s.port, frame) {
		return
	}
	one := check.Count{Packets: 1, Bytes: uint64(len(frame))}
	s.sent, g.life[s.port] = plus(s.sent, one), plus(g.life[s.port], one)
	if g.sent++; g.sent%shift == 0 {
		g.window = (g.window + 1) % regular
	}
}

// storm sends one frame each of so many new flows, as fast as it can.
func (g *generator) storm(t *testing.T, flows int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for range flows {
		s := newStream(t, len(g.streams))
		g.streams = append(g.streams, s)
		g.emit(s)
	}
}

// took is how many frames the switch took.
func (g *generator) took() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.sent
}

func plus(a, b check.Count) check.Count {
	return check.Count{Packets: a.Packets + b.Packets, Bytes: a.Bytes + b.Bytes}
}

func minus(a, b check.Count) check.Count {
	return check.Count{Packets: a.Packets - b.Packets, Bytes: a.Bytes - b.Bytes}
}
