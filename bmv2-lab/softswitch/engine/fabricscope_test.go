package engine

import (
	"bytes"
	"encoding/binary"
	"net"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

const ourProgram = "../../../p4src/gen/fabricscope.json"

var (
	switchMAC = net.HardwareAddr{2, 0, 0, 0, 0, 1}
	hostMAC   = net.HardwareAddr{2, 0, 0, 0, 0, 2}
	nextMAC   = net.HardwareAddr{2, 0, 0, 0, 0, 3}
)

// vxlanFrame is a frame of 110 bytes: TCP over IPv4 in VXLAN, from pod 10.1.0.x.
func vxlanFrame(t testing.TB, pod byte, srcPort uint16) []byte {
	t.Helper()
	outer := &layers.IPv4{Version: 4, IHL: 5, TTL: 64, Protocol: layers.IPProtocolUDP,
		SrcIP: net.IP{172, 16, 0, 1}, DstIP: net.IP{172, 16, 0, 2}}
	udp := &layers.UDP{SrcPort: 50000, DstPort: 8472}
	inner := &layers.IPv4{Version: 4, IHL: 5, TTL: 64, Protocol: layers.IPProtocolTCP,
		SrcIP: net.IP{10, 1, 0, pod}, DstIP: net.IP{10, 1, 1, 2}}
	tcp := &layers.TCP{SrcPort: layers.TCPPort(srcPort), DstPort: 80, ACK: true, Seq: 7, Window: 1000}
	udp.SetNetworkLayerForChecksum(outer)
	tcp.SetNetworkLayerForChecksum(inner)
	buf := gopacket.NewSerializeBuffer()
	err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
		&layers.Ethernet{SrcMAC: hostMAC, DstMAC: switchMAC, EthernetType: layers.EthernetTypeIPv4}, outer, udp,
		&layers.VXLAN{ValidIDFlag: true, VNI: 1},
		&layers.Ethernet{SrcMAC: hostMAC, DstMAC: nextMAC, EthernetType: layers.EthernetTypeIPv4}, inner, tcp,
		gopacket.Payload("seven b"))
	if err != nil {
		t.Fatal(err)
	}
	return append(buf.Bytes(), 0, 0, 0)[:max(len(buf.Bytes()), 110)]
}

func exact(b ...byte) Match { return Match{Kind: MatchExact, Value: b} }

// ourSwitch is our program with a tunnel port and a route out of port 2.
func ourSwitch(t testing.TB) *Switch {
	t.Helper()
	return ourEntries(t, load(t, ourProgram))
}

func ourEntries(t testing.TB, sw *Switch) *Switch {
	t.Helper()
	for name, e := range map[string]Entry{
		"FabricscopeIngress.classify.tunnel_port": {Match: []Match{exact(0x21, 0x18)}, Action: "FabricscopeIngress.classify.vxlan"},
		"FabricscopeIngress.forwarding.my_mac":    {Match: []Match{exact(switchMAC...)}, Action: "FabricscopeIngress.forwarding.route_packet"},
		"FabricscopeIngress.forwarding.ipv4_route": {
			Match:  []Match{{Kind: MatchLPM, Value: []byte{172, 16, 0, 0}, PrefixLen: 24}},
			Action: "FabricscopeIngress.forwarding.set_nexthop", Params: [][]byte{{5}}},
		"FabricscopeIngress.forwarding.nexthop": {Match: []Match{exact(5)},
			Action: "FabricscopeIngress.forwarding.forward", Params: [][]byte{{2}, switchMAC, nextMAC}},
	} {
		table, ok := sw.Table(name)
		if !ok {
			t.Fatalf("no table %s", name)
		}
		if err := table.Insert(e); err != nil {
			t.Fatal(err)
		}
	}
	return sw
}

func TestOurProgramRoutesAndAccounts(t *testing.T) {
	sw := ourSwitch(t)
	frame := vxlanFrame(t, 1, 40000)
	var out recorder
	for i := range 3 {
		sw.Process(uint64(1000+i), 1, frame, &out)
	}
	if len(out.frames) != 3 || len(out.digests) != 1 {
		t.Fatalf("%d frames and %d digests, want 3 and 1", len(out.frames), len(out.digests))
	}
	want := bytes.Clone(frame)
	copy(want, nextMAC)
	copy(want[6:], switchMAC)
	want[22]--
	binary.BigEndian.PutUint16(want[24:], binary.BigEndian.Uint16(want[24:])+0x100)
	if got := out.frames[0]; got.port != 2 || !bytes.Equal(got.frame, want) {
		t.Errorf("port %d\n got %x\nwant %x", got.port, got.frame, want)
	}
	counter, _ := sw.Counter("FabricscopeIngress.accounting.port_rx")
	if c, err := counter.Read(1); err != nil || c != (CounterData{3, uint64(3 * len(frame))}) {
		t.Errorf("port counter %+v, %v", c, err)
	}
	d := out.digests[0]
	fields, ok := sw.DigestFields(d.Name)
	if !ok || len(fields) != len(d.Values) {
		t.Fatalf("digest %s: %d fields, %d values", d.Name, len(fields), len(d.Values))
	}
	slot := binary.BigEndian.Uint32(append(make([]byte, 4-len(d.Values[1])), d.Values[1]...))
	packets, _ := sw.Register("FabricscopeIngress.flow_cache.slot_packets")
	if v, err := packets.Read(int(slot)); err != nil || !bytes.Equal(v, []byte{3}) {
		t.Errorf("packets of slot %d: %x, %v", slot, v, err)
	}
}

type discard struct{ frames, digests int }

func (d *discard) Transmit(uint32, []byte) { d.frames++ }
func (d *discard) Digest(Digest)           { d.digests++ }

func TestOurProgramAllocatesNothing(t *testing.T) {
	sw := ourSwitch(t)
	frame := vxlanFrame(t, 1, 40000)
	out := &discard{}
	now := uint64(0)
	if n := testing.AllocsPerRun(100, func() { now++; sw.Process(now, 1, frame, out) }); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
}

// BenchmarkOurProgram sends VXLAN frames of 110 bytes, 1 µs apart, in batches as the ports hand
// them over when there is more to do than time, and one by one.
func BenchmarkOurProgram(b *testing.B) {
	for _, c := range []struct {
		name         string
		flows, batch int
	}{{"100_flows", 100, 64}, {"100_flows_one_by_one", 100, 1}, {"4000_flows", 4000, 64}} {
		b.Run(c.name, func(b *testing.B) {
			sw := ourSwitch(b)
			var frames [][]byte
			for i := range c.flows {
				frames = append(frames, vxlanFrame(b, byte(i), uint16(40000+i)))
			}
			out := &discard{}
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; {
				batch := sw.BeginBatch(out)
				for range min(c.batch, b.N-i) {
					batch.Process(uint64(i), 1, frames[i%len(frames)])
					i++
				}
				batch.End()
			}
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "packets/s")
		})
	}
}
