package fabric

import (
	"net"

	"github.com/fabricscope/fabricscope/controlplane/p4rt"
)

// mac is an Ethernet address; comparable.
type mac [6]byte

var (
	broadcastMAC = mac{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	// lldpMAC is the group address of the nearest bridge (IEEE 802.1AB, 7.1).
	lldpMAC = mac{0x01, 0x80, 0xc2, 0x00, 0x00, 0x0e}
)

// systemMAC is the address under which a switch routes: locally administered, and the low
// 24 bits of the device id.
func systemMAC(device uint64) mac {
	return mac{0x02, 0xfa, 0xb5, byte(device >> 16), byte(device >> 8), byte(device)}
}

// String gives the usual notation, 02:fa:b5:00:00:01.
func (m mac) String() string { return net.HardwareAddr(m[:]).String() }

// value is the address as a table field.
func (m mac) value() p4rt.Value { return p4rt.Bytes(m[:]) }

// host says whether m can be one interface's address: not a group's and not zero.
func (m mac) host() bool { return m[0]&1 == 0 && m != mac{} }

// macOf is the inverse of value.
func macOf(v p4rt.Value) mac { return mac(v.Padded(6)) }

// parseMAC reads the usual notation.
func parseMAC(s string) (mac, bool) {
	a, err := net.ParseMAC(s)
	if err != nil || len(a) != 6 {
		return mac{}, false
	}
	return mac(a), true
}
