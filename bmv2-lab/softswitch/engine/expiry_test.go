package engine

import (
	"encoding/binary"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// withTTL is vxlanFrame with another TTL in its outer header.
func withTTL(t *testing.T, ttl byte) []byte {
	t.Helper()
	frame := vxlanFrame(t, 1, 40000)
	sum := uint32(binary.BigEndian.Uint16(frame[24:])) + uint32(frame[22])<<8 + uint32(^ttl)<<8 + 0xff
	sum = sum&0xffff + sum>>16
	binary.BigEndian.PutUint16(frame[24:], uint16(sum&0xffff+sum>>16))
	frame[22] = ttl
	return frame
}

func hopLimitFrame(t *testing.T, limit byte) []byte {
	t.Helper()
	ip := &layers.IPv6{Version: 6, HopLimit: limit, NextHeader: layers.IPProtocolUDP, SrcIP: make([]byte, 16), DstIP: make([]byte, 16)}
	buf := gopacket.NewSerializeBuffer()
	err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true},
		&layers.Ethernet{SrcMAC: hostMAC, DstMAC: switchMAC, EthernetType: layers.EthernetTypeIPv6}, ip,
		&layers.UDP{SrcPort: 7, DstPort: 8}, gopacket.Payload("abc"))
	if err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// A router forwards no packet whose TTL it would bring to 0 (RFC 1812, section 5.3.1). It is
// counted, in its flow as any other and as expired.
func TestOurProgramForwardsNoExpiredPacket(t *testing.T) {
	const cpu = 510
	sw := ourSwitch(t)
	expired, _ := sw.Counter("FabricscopeIngress.forwarding.expiry.ttl_expired")
	port, _ := sw.Counter("FabricscopeIngress.accounting.port_rx")
	now, sent, dropped := uint64(1_000_000), uint64(0), uint64(0)
	one := func(frame []byte) (ports []uint32) {
		now, sent = now+1, sent+1
		var out recorder
		sw.Process(now, 1, frame, &out)
		for _, f := range out.frames {
			ports = append(ports, f.port)
		}
		return ports
	}
	for ttl, want := range map[byte]uint32{0: cpu, 1: cpu, 2: 2, 64: 2, 255: 2} {
		if want == cpu {
			dropped++
		}
		if got := one(withTTL(t, ttl)); len(got) != 1 || got[0] != want {
			t.Errorf("TTL %d: out of %d, want %d", ttl, got, want)
		}
	}
	for limit := range byte(3) {
		if got := one(hopLimitFrame(t, limit)); len(got) != 0 {
			t.Errorf("IPv6, hop limit %d: out of %d", limit, got)
		}
	}
	told := 0
	for range 1000 {
		dropped++
		told += len(one(withTTL(t, 1)))
	}
	if told < 25 || told > 40 {
		t.Errorf("%d of 1000 packets in a millisecond went to the controller, want about 32", told)
	}
	now += 1_000_000
	dropped++
	if got := one(withTTL(t, 1)); len(got) != 1 {
		t.Errorf("a second later: out of %d, want the controller", got)
	}
	if c, err := expired.Read(1); err != nil || c.Packets != dropped || c.Bytes != dropped*uint64(len(withTTL(t, 1))) {
		t.Errorf("%+v expired, %v; want %d", c, err, dropped)
	}
	if c, err := port.Read(1); err != nil || c.Packets != sent {
		t.Errorf("the port has %+v, %v; want %d", c, err, sent)
	}
}

// What an expired packet is taken to the controller for is its beginning: it leaves as it came.
func TestOurProgramTellsOfExpiredPacketsAsTheyCame(t *testing.T) {
	sw := ourSwitch(t)
	frame := withTTL(t, 1)
	var out recorder
	sw.Process(1_000_000, 1, frame, &out)
	if len(out.frames) != 1 || len(out.frames[0].frame) != 9+len(frame) || string(out.frames[0].frame[9:]) != string(frame) {
		t.Fatalf("%x, want a header of 9 bytes and %x", out.frames, frame)
	}
	if reason := out.frames[0].frame[0]; reason != 6 {
		t.Errorf("reason %d, want 6", reason)
	}
}
