package fabric

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// arp is one ARP message for IPv4 over Ethernet (RFC 826).
type arp struct {
	reply     bool
	sender    netip.Addr
	senderMAC mac
	target    netip.Addr
	targetMAC mac
}

// encode gives a frame from src to dst, padded to the least size of Ethernet.
func (a arp) encode(src, dst mac) ([]byte, error) {
	op := uint16(layers.ARPRequest)
	if a.reply {
		op = layers.ARPReply
	}
	b := gopacket.NewSerializeBuffer()
	err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{},
		&layers.Ethernet{SrcMAC: src[:], DstMAC: dst[:], EthernetType: layers.EthernetTypeARP},
		&layers.ARP{
			AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4, HwAddressSize: 6, ProtAddressSize: 4,
			Operation:       op,
			SourceHwAddress: a.senderMAC[:], SourceProtAddress: a.sender.AsSlice(),
			DstHwAddress: a.targetMAC[:], DstProtAddress: a.target.AsSlice(),
		})
	if err != nil {
		return nil, fmt.Errorf("ARP for %s: %w", a.target, err)
	}
	return padded(b.Bytes()), nil
}

// decodeARP reads an untagged frame.
func decodeARP(frame []byte) (arp, error) {
	p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.NoCopy)
	l, ok := p.Layer(layers.LayerTypeARP).(*layers.ARP)
	switch {
	case !ok || p.Layer(layers.LayerTypeDot1Q) != nil:
		return arp{}, errors.New("ARP: not an untagged ARP frame")
	case l.AddrType != layers.LinkTypeEthernet || l.Protocol != layers.EthernetTypeIPv4 || l.HwAddressSize != 6 || l.ProtAddressSize != 4:
		return arp{}, errors.New("ARP: not for IPv4 over Ethernet")
	case l.Operation != layers.ARPRequest && l.Operation != layers.ARPReply:
		return arp{}, fmt.Errorf("ARP: operation %d", l.Operation)
	}
	return arp{
		reply:  l.Operation == layers.ARPReply,
		sender: netip.AddrFrom4([4]byte(l.SourceProtAddress)), senderMAC: mac(l.SourceHwAddress),
		target: netip.AddrFrom4([4]byte(l.DstProtAddress)), targetMAC: mac(l.DstHwAddress),
	}, nil
}

// verdict is what to do with an ARP message.
type verdict struct {
	learn  bool   // the sender is behind the port
	answer bool   // with the switch's MAC
	why    string // label of the metric
}

// judge decides about an ARP message that arrived at a port with these gateways. portOf
// gives the port behind which an address was learned.
func judge(a arp, port uint32, gateways []Gateway, portOf func(netip.Addr) (uint32, bool)) verdict {
	if !a.senderMAC.host() {
		return verdict{why: "malformed"}
	}
	if a.sender.IsUnspecified() {
		return verdict{why: "probe"} // RFC 5227: an answer would mean that the address is taken
	}
	var gw *Gateway
	for i := range gateways {
		if isHost(gateways[i].Address, a.sender) {
			gw = &gateways[i]
		}
	}
	switch {
	case gw == nil:
		return verdict{why: "foreign"}
	case a.sender == gw.Address.Addr():
		return verdict{why: "conflict"}
	case a.sender == a.target:
		return verdict{learn: true, why: "gratuitous"}
	case a.reply:
		return verdict{learn: true, why: "reply"}
	case a.target == gw.Address.Addr():
		return verdict{learn: true, answer: true, why: "gateway"}
	case !isHost(gw.Address, a.target):
		return verdict{learn: true, why: "unanswered"}
	}
	if at, ok := portOf(a.target); ok && at == port {
		// The target hears the request itself; two answers would contend (RFC 1027, section 2).
		return verdict{learn: true, why: "same-port"}
	}
	return verdict{learn: true, answer: true, why: "proxy"}
}
