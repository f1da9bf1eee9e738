package flow

import "slices"

// Opaque names an overlay whose inside is encrypted or sealed, so that its flows end with the
// tunnel; empty for all others.
type Opaque string

// Opaque overlays.
const (
	OpaqueESP       Opaque = "esp" // RFC 4303, also in UDP (RFC 3948)
	OpaqueAH        Opaque = "ah"  // RFC 4302
	OpaqueWireGuard Opaque = "wireguard"
)

// portNATTraversal is the UDP port of ESP behind address translation (RFC 3948, section 2.1).
const portNATTraversal = 4500

// Opaque says which opaque overlay the tuple's packets are of. WireGuard has no number of its
// own: it is told by its UDP ports.
func (t Tuple) Opaque(wireGuard []uint16) Opaque {
	switch t.Protocol {
	case ESP:
		return OpaqueESP
	case AH:
		return OpaqueAH
	case UDP:
		switch {
		case t.SrcPort == portNATTraversal || t.DstPort == portNATTraversal:
			return OpaqueESP
		case slices.Contains(wireGuard, t.SrcPort) || slices.Contains(wireGuard, t.DstPort):
			return OpaqueWireGuard
		}
	}
	return ""
}
