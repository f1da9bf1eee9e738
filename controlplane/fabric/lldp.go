package fabric

import (
	"errors"
	"fmt"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// announcement is what an LLDP frame of ours says: who sent it, out of which port, and for
// how long that holds. The chassis id is the switch's name (subtype 7, locally assigned) and
// the port id the port's name (subtype 5, interface name); IEEE 802.1AB, 8.5.2 and 8.5.3.
type announcement struct {
	sw, port string
	ttl      time.Duration
}

// errForeignLLDP says that an LLDP frame is not one of ours.
var errForeignLLDP = errors.New("LLDP of another system")

// encode gives the frame, padded to the least size of Ethernet.
func (a announcement) encode(src mac) ([]byte, error) {
	// A TLV holds 511 bytes, one of them the subtype; an id has 255 at most.
	if len(a.sw) > 255 || len(a.port) > 255 {
		return nil, fmt.Errorf("LLDP for %s/%s: names longer than 255 bytes", a.sw, a.port)
	}
	b := gopacket.NewSerializeBuffer()
	err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{},
		&layers.Ethernet{SrcMAC: src[:], DstMAC: lldpMAC[:], EthernetType: layers.EthernetTypeLinkLayerDiscovery},
		&layers.LinkLayerDiscovery{
			ChassisID: layers.LLDPChassisID{Subtype: layers.LLDPChassisIDSubTypeLocal, ID: []byte(a.sw)},
			PortID:    layers.LLDPPortID{Subtype: layers.LLDPPortIDSubtypeIfaceName, ID: []byte(a.port)},
			TTL:       uint16(a.ttl / time.Second),
		})
	if err != nil {
		return nil, fmt.Errorf("LLDP for %s/%s: %w", a.sw, a.port, err)
	}
	return padded(b.Bytes()), nil
}

// decodeLLDP reads a frame.
func decodeLLDP(frame []byte) (announcement, error) {
	p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.NoCopy)
	l, ok := p.Layer(layers.LayerTypeLinkLayerDiscovery).(*layers.LinkLayerDiscovery)
	if !ok {
		if e := p.ErrorLayer(); e != nil {
			return announcement{}, fmt.Errorf("LLDP: %w", e.Error())
		}
		return announcement{}, errors.New("LLDP: no LLDP in the frame")
	}
	if l.ChassisID.Subtype != layers.LLDPChassisIDSubTypeLocal || l.PortID.Subtype != layers.LLDPPortIDSubtypeIfaceName {
		return announcement{}, errForeignLLDP
	}
	return announcement{string(l.ChassisID.ID), string(l.PortID.ID), time.Duration(l.TTL) * time.Second}, nil
}

// padded brings a frame to 60 bytes, the least that Ethernet carries without the FCS.
func padded(frame []byte) []byte {
	if len(frame) < 60 {
		frame = append(frame, make([]byte, 60-len(frame))...)
	}
	return frame
}
