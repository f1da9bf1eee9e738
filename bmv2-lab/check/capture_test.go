package check

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// TestCaptured holds the counting to a capture of known frames: it is the ground truth of
// the lab's checks, so it must not be wrong in the same way as what it checks.
func TestCaptured(t *testing.T) {
	mac := []byte{2, 0, 0, 0, 0, 1}
	eth := func(kind layers.EthernetType) *layers.Ethernet {
		return &layers.Ethernet{SrcMAC: mac, DstMAC: mac, EthernetType: kind}
	}
	ip := func(src, dst string, proto layers.IPProtocol) *layers.IPv4 {
		return &layers.IPv4{Version: 4, TTL: 64, Protocol: proto, SrcIP: netip.MustParseAddr(src).AsSlice(), DstIP: netip.MustParseAddr(dst).AsSlice()}
	}
	udp := func(src, dst layers.UDPPort) *layers.UDP { return &layers.UDP{SrcPort: src, DstPort: dst} }
	vxlan := &layers.VXLAN{ValidIDFlag: true, VNI: 1}
	inner := ip("10.244.0.5", "10.244.1.6", layers.IPProtocolTCP)
	fragment := ip("10.1.1.1", "10.1.1.2", layers.IPProtocolUDP)
	fragment.FragOffset = 10
	echo := &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(8, 0), Id: 77, Seq: 1}
	unreachable := &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(3, 3)}
	arp := &layers.ARP{AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4, HwAddressSize: 6, ProtAddressSize: 4, Operation: 2,
		SourceHwAddress: mac, DstHwAddress: mac, SourceProtAddress: []byte{10, 1, 1, 1}, DstProtAddress: []byte{10, 1, 1, 11}}
	frames := [][]gopacket.SerializableLayer{
		{eth(0x0800), ip("10.1.1.11", "10.1.2.11", layers.IPProtocolUDP), udp(5555, 8472), vxlan, eth(0x0800), inner, &layers.TCP{SrcPort: 40000, DstPort: 80, SYN: true, DataOffset: 5}},
		{eth(0x0800), ip("10.1.1.11", "10.1.2.11", layers.IPProtocolUDP), udp(5556, 8472), vxlan, eth(0x0800), inner, &layers.TCP{SrcPort: 40000, DstPort: 80, ACK: true, DataOffset: 5}},
		{eth(0x0800), ip("10.1.1.11", "10.1.9.100", layers.IPProtocolUDP), udp(1000, 53), gopacket.Payload("query")},
		{eth(0x0800), ip("10.1.1.11", "10.1.1.1", layers.IPProtocolICMPv4), echo},
		// The quoted header must not be taken for the flow's.
		{eth(0x0800), ip("10.1.1.1", "10.1.1.11", layers.IPProtocolICMPv4), unreachable, ip("9.9.9.9", "8.8.8.8", layers.IPProtocolUDP), udp(1, 2)},
		{eth(0x0806), arp},
		{eth(0x0800), fragment, gopacket.Payload("the middle of something")},
		{eth(0x88b5), gopacket.Payload("an experimental EtherType")},
	}
	path := filepath.Join(t.TempDir(), "x.pcap")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := pcapgo.NewWriter(file)
	if err := w.WriteFileHeader(256, layers.LinkTypeEthernet); err != nil {
		t.Fatal(err)
	}
	var total uint64
	for _, f := range frames {
		b := gopacket.NewSerializeBuffer()
		if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true}, f...); err != nil {
			t.Fatal(err)
		}
		total += uint64(len(b.Bytes()))
		if err := w.WritePacket(gopacket.CaptureInfo{Timestamp: time.Unix(1, 0), CaptureLength: len(b.Bytes()), Length: len(b.Bytes())}, b.Bytes()); err != nil {
			t.Fatal(err)
		}
	}
	file.Close()

	got := NewCaptured()
	if err := got.Read(t.Context(), "leaf1-eth3", path, 8472); err != nil {
		t.Fatal(err)
	}
	a := netip.MustParseAddr
	want := map[Frame]uint64{
		{"leaf1-eth3", "vxlan 1", 6, a("10.244.0.5"), a("10.244.1.6"), 40000, 80}:  2,
		{"leaf1-eth3", "native", 17, a("10.1.1.11"), a("10.1.9.100"), 1000, 53}:    1,
		{"leaf1-eth3", "native", 1, a("10.1.1.11"), a("10.1.1.1"), 8 << 8, 77}:     1,
		{"leaf1-eth3", "native", 1, a("10.1.1.1"), a("10.1.1.11"), 3<<8 | 3, 0}:    1,
		{"leaf1-eth3", "native", protocolARP, a("10.1.1.1"), a("10.1.1.11"), 0, 0}: 1,
	}
	for f, n := range want {
		if got.Flows[f].Packets != n {
			t.Errorf("%s: %d packets, want %d", f, got.Flows[f].Packets, n)
		}
	}
	if len(got.Flows) != len(want) {
		t.Errorf("%d flows, want %d: %v", len(got.Flows), len(want), got.Flows)
	}
	if got.Other["leaf1-eth3"].Packets != 2 || got.Total != (Count{uint64(len(frames)), total}) {
		t.Errorf("other %+v, total %+v, want 2 and %d frames of %d bytes", got.Other, got.Total, len(frames), total)
	}
}
