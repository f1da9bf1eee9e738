package main

import (
	"net"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

var (
	switchMAC = net.HardwareAddr{2, 0, 0, 0, 0, 1}
	hostMAC   = net.HardwareAddr{2, 0, 0, 0, 0, 2}
	nextMAC   = net.HardwareAddr{2, 0, 0, 0, 0, 3}
)

const (
	frameLength = 110
	flowCount   = 1024 // a multiple of batch
	vxlanPort   = 8472
)

// vxlanFrames are frames of 110 bytes, one of each flow: TCP over IPv4 in VXLAN.
func vxlanFrames(flows int) ([][]byte, error) {
	var frames [][]byte
	for i := range flows {
		f, err := vxlanFrame(byte(i), uint16(40000+i))
		if err != nil {
			return nil, err
		}
		frames = append(frames, f)
	}
	return frames, nil
}

func vxlanFrame(pod byte, srcPort uint16) ([]byte, error) {
	outer := &layers.IPv4{Version: 4, IHL: 5, TTL: 64, Protocol: layers.IPProtocolUDP,
		SrcIP: net.IP{172, 16, 0, 1}, DstIP: net.IP{172, 16, 0, 2}}
	udp := &layers.UDP{SrcPort: 50000, DstPort: vxlanPort}
	inner := &layers.IPv4{Version: 4, IHL: 5, TTL: 64, Protocol: layers.IPProtocolTCP,
		SrcIP: net.IP{10, 1, 0, pod}, DstIP: net.IP{10, 1, 1, 2}}
	tcp := &layers.TCP{SrcPort: layers.TCPPort(srcPort), DstPort: 80, ACK: true, Seq: 7, Window: 1000}
	if err := udp.SetNetworkLayerForChecksum(outer); err != nil {
		return nil, err
	}
	if err := tcp.SetNetworkLayerForChecksum(inner); err != nil {
		return nil, err
	}
	const headers = 14 + 20 + 8 + 8 + 14 + 20 + 20
	buf := gopacket.NewSerializeBuffer()
	err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
		&layers.Ethernet{SrcMAC: hostMAC, DstMAC: switchMAC, EthernetType: layers.EthernetTypeIPv4}, outer, udp,
		&layers.VXLAN{ValidIDFlag: true, VNI: 1},
		&layers.Ethernet{SrcMAC: hostMAC, DstMAC: nextMAC, EthernetType: layers.EthernetTypeIPv4}, inner, tcp,
		gopacket.Payload(make([]byte, frameLength-headers)))
	return append([]byte(nil), buf.Bytes()...), err
}
