package fabric

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

func TestTimeExceeded(t *testing.T) {
	packet := ping(t, macA, macB, "10.1.1.5", "10.1.2.5")
	answer, ok := timeExceeded(append(bytes.Clone(packet), make([]byte, 600)...), macB, addr("10.255.0.1"))
	if !ok {
		t.Fatal("no answer")
	}
	p := gopacket.NewPacket(answer, layers.LayerTypeEthernet, gopacket.Default)
	ip, _ := p.Layer(layers.LayerTypeIPv4).(*layers.IPv4)
	icmp, _ := p.Layer(layers.LayerTypeICMPv4).(*layers.ICMPv4)
	if ip == nil || icmp == nil {
		t.Fatal(p.Dump())
	}
	if ip.SrcIP.String() != "10.255.0.1" || ip.DstIP.String() != "10.1.1.5" || icmp.TypeCode.String() != "TimeExceeded(TTLExceeded)" ||
		!bytes.Equal(answer[:6], macA[:]) || !bytes.Equal(answer[6:12], macB[:]) {
		t.Error(p.Dump())
	}
	if !bytes.Equal(icmp.Payload, packet[ethernetLen:]) {
		t.Errorf("it quotes %x, want the packet without its padding", icmp.Payload)
	}
	body := answer[ethernetLen : ethernetLen+int(ip.Length)]
	if checksum(body[:ipv4Len]) != 0 || checksum(body[ipv4Len:]) != 0 {
		t.Error("wrong checksum")
	}
	long := append(bytes.Clone(packet), make([]byte, 1400)...)
	binary.BigEndian.PutUint16(long[ethernetLen+2:], uint16(len(long)-ethernetLen))
	if answer, ok := timeExceeded(long, macB, addr("10.255.0.1")); !ok || len(answer) != ethernetLen+576 {
		t.Errorf("%d bytes for a long packet, want 576 and an Ethernet header", len(answer))
	}
	for name, change := range map[string]func([]byte) []byte{
		"an ICMP error":              func(b []byte) []byte { b[ethernetLen+ipv4Len] = 3; return b },
		"a later fragment":           func(b []byte) []byte { b[ethernetLen+7] = 1; return b },
		"to a group":                 func(b []byte) []byte { b[ethernetLen+16] = 224; return b },
		"from nobody":                func(b []byte) []byte { copy(b[ethernetLen+12:], make([]byte, 4)); return b },
		"a broadcast frame":          func(b []byte) []byte { b[0] = 0xff; return b },
		"a header beyond the frame":  func(b []byte) []byte { b[ethernetLen] = 0x4f; return b },
		"a header beyond the packet": func(b []byte) []byte { b[ethernetLen+3] = 19; b[ethernetLen+2] = 0; return b },
		"a short frame":              func(b []byte) []byte { return b[:ethernetLen+ipv4Len-1] },
		"no ICMP behind the header":  func(b []byte) []byte { return b[:ethernetLen+ipv4Len] },
		"another EtherType":          func(b []byte) []byte { b[12] = 0x86; return b },
	} {
		if answer, ok := timeExceeded(change(bytes.Clone(packet)), macB, addr("10.255.0.1")); ok {
			t.Errorf("%s: %x", name, answer)
		}
	}
}
