package fabric

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

var (
	macA = mac{0x0a, 0, 0, 0, 0, 1}
	macB = mac{0x0a, 0, 0, 0, 0, 2}
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func TestLLDPCodec(t *testing.T) {
	want := announcement{"leaf1", "eth1", 6 * time.Second}
	frame, err := want.encode(macA)
	if err != nil {
		t.Fatal(err)
	}
	golden := "\x01\x80\xc2\x00\x00\x0e" + "\x0a\x00\x00\x00\x00\x01" + "\x88\xcc" +
		"\x02\x06\x07leaf1" + "\x04\x05\x05eth1" + "\x06\x02\x00\x06" + "\x00\x00"
	if !bytes.Equal(frame, append([]byte(golden), make([]byte, 60-len(golden))...)) {
		t.Errorf("frame % x", frame)
	}
	got, err := decodeLLDP(frame)
	if err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	foreign := bytes.Replace(frame, []byte("\x02\x06\x07"), []byte("\x02\x06\x04"), 1)
	if _, err := decodeLLDP(foreign); !errors.Is(err, errForeignLLDP) {
		t.Errorf("chassis by MAC address: %v", err)
	}
	for n := range 14 + 20 {
		if _, err := decodeLLDP(frame[:n]); err == nil {
			t.Errorf("%d bytes of a frame are taken for a whole one", n)
		}
	}
	if _, err := (announcement{sw: string(make([]byte, 256))}).encode(macA); err == nil {
		t.Error("a name of 256 bytes")
	}
}

func TestARPCodec(t *testing.T) {
	want := arp{reply: true, sender: addr("10.1.1.1"), senderMAC: macA, target: addr("10.1.1.2"), targetMAC: macB}
	frame, err := want.encode(macA, macB)
	if err != nil || len(frame) != 60 {
		t.Fatal(len(frame), err)
	}
	if got, err := decodeARP(frame); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	for n := range 14 + 28 {
		if _, err := decodeARP(frame[:n]); err == nil {
			t.Errorf("%d bytes of a frame are taken for a whole one", n)
		}
	}
	frame[21] = 9
	if _, err := decodeARP(frame); err == nil {
		t.Error("operation 9")
	}
	tagged := append(append(append([]byte{}, frame[:12]...), 0x81, 0, 0, 5), frame[12:]...)
	tagged[25] = 1
	if _, err := decodeARP(tagged); err == nil {
		t.Error("a tagged frame")
	}
}

func TestJudge(t *testing.T) {
	gateways := []Gateway{{Address: netip.MustParsePrefix("10.1.1.1/24"), Ports: []uint32{1, 2}}}
	portOf := func(a netip.Addr) (uint32, bool) { return 2, a == addr("10.1.1.9") }
	for _, c := range []struct {
		name, sender, target string
		reply                bool
		port                 uint32
		want                 verdict
	}{
		{"asks for the gateway", "10.1.1.5", "10.1.1.1", false, 1, verdict{true, true, "gateway"}},
		{"asks for a neighbour elsewhere", "10.1.1.5", "10.1.1.9", false, 1, verdict{true, true, "proxy"}},
		{"asks for a neighbour on its own port", "10.1.1.5", "10.1.1.9", false, 2, verdict{true, false, "same-port"}},
		{"asks for somebody unknown", "10.1.1.5", "10.1.1.77", false, 1, verdict{true, true, "proxy"}},
		{"asks for itself", "10.1.1.5", "10.1.1.5", false, 1, verdict{true, false, "gratuitous"}},
		{"announces itself by a reply", "10.1.1.5", "10.1.1.5", true, 1, verdict{true, false, "gratuitous"}},
		{"probes an address", "0.0.0.0", "10.1.1.5", false, 1, verdict{false, false, "probe"}},
		{"probes the gateway", "0.0.0.0", "10.1.1.1", false, 1, verdict{false, false, "probe"}},
		{"replies", "10.1.1.5", "10.1.1.1", true, 1, verdict{true, false, "reply"}},
		{"claims the gateway", "10.1.1.1", "10.1.1.1", false, 1, verdict{false, false, "conflict"}},
		{"of another subnet", "10.1.2.5", "10.1.1.1", false, 1, verdict{false, false, "foreign"}},
		{"is the broadcast address", "10.1.1.255", "10.1.1.1", false, 1, verdict{false, false, "foreign"}},
		{"asks for another subnet", "10.1.1.5", "10.1.2.1", false, 1, verdict{true, false, "unanswered"}},
		{"asks for the broadcast address", "10.1.1.5", "10.1.1.255", false, 1, verdict{true, false, "unanswered"}},
	} {
		a := arp{reply: c.reply, sender: addr(c.sender), senderMAC: macA, target: addr(c.target)}
		if got := judge(a, c.port, gateways, portOf); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
	group := arp{sender: addr("10.1.1.5"), senderMAC: broadcastMAC, target: addr("10.1.1.1")}
	if got := judge(group, 1, gateways, portOf); got.learn || got.answer {
		t.Errorf("a group address as the sender's: %+v", got)
	}
}

// ping is an echo request from a host.
func ping(t *testing.T, src, dst mac, from, to string) []byte {
	t.Helper()
	b := gopacket.NewSerializeBuffer()
	err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
		&layers.Ethernet{SrcMAC: src[:], DstMAC: dst[:], EthernetType: layers.EthernetTypeIPv4},
		&layers.IPv4{Version: 4, TTL: 7, Protocol: layers.IPProtocolICMPv4, SrcIP: addr(from).AsSlice(), DstIP: addr(to).AsSlice()},
		&layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(8, 0), Id: 3, Seq: 4},
		gopacket.Payload("thirteen byte"))
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()[:ethernetLen+ipv4Len+icmpLen+13] // without the padding
}

func TestEchoReply(t *testing.T) {
	request := ping(t, macA, macB, "10.1.1.5", "10.1.1.1")
	// Trailing bytes of Ethernet padding belong to no one.
	reply, ok := echoReply(append(bytes.Clone(request), 0xee, 0xee), macB, addr("10.1.1.1"))
	if !ok {
		t.Fatal("no reply")
	}
	p := gopacket.NewPacket(reply, layers.LayerTypeEthernet, gopacket.Default)
	ip, _ := p.Layer(layers.LayerTypeIPv4).(*layers.IPv4)
	icmp, _ := p.Layer(layers.LayerTypeICMPv4).(*layers.ICMPv4)
	if ip == nil || icmp == nil {
		t.Fatal(p.Dump())
	}
	got := []string{ip.SrcIP.String(), ip.DstIP.String(), icmp.TypeCode.String(), string(icmp.Payload)}
	if diff := cmp.Diff([]string{"10.1.1.1", "10.1.1.5", "EchoReply", "thirteen byte"}, got); diff != "" {
		t.Error(diff)
	}
	if icmp.Id != 3 || icmp.Seq != 4 || ip.TTL != 64 {
		t.Errorf("id %d, sequence %d, TTL %d", icmp.Id, icmp.Seq, ip.TTL)
	}
	body := reply[ethernetLen : ethernetLen+int(ip.Length)]
	if checksum(body[:ipv4Len]) != 0 || checksum(body[ipv4Len:]) != 0 {
		t.Error("wrong checksum")
	}
	for name, change := range map[string]func([]byte) []byte{
		"a fragment":          func(f []byte) []byte { f[ethernetLen+6] |= 0x20; return f },
		"TCP":                 func(f []byte) []byte { f[ethernetLen+9] = 6; return f },
		"an echo reply":       func(f []byte) []byte { f[ethernetLen+ipv4Len] = 0; return f },
		"damaged data":        func(f []byte) []byte { f[len(f)-1] ^= 1; return f },
		"cut off":             func(f []byte) []byte { return f[:len(f)-1] },
		"for another address": func(f []byte) []byte { f[ethernetLen+19]++; return f },
		"too short":           func(f []byte) []byte { return f[:20] },
	} {
		if _, ok := echoReply(change(bytes.Clone(request)), macB, addr("10.1.1.1")); ok {
			t.Errorf("%s is answered", name)
		}
	}
}
