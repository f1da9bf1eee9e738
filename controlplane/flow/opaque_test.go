package flow

import "testing"

func TestOpaque(t *testing.T) {
	wireGuard := []uint16{51820, 51821}
	for _, c := range []struct {
		tuple Tuple
		want  Opaque
	}{
		{Tuple{Protocol: ESP}, OpaqueESP},
		{Tuple{Protocol: AH}, OpaqueAH},
		{Tuple{Protocol: UDP, SrcPort: 4500, DstPort: 40000}, OpaqueESP},
		{Tuple{Protocol: UDP, SrcPort: 40000, DstPort: 51821}, OpaqueWireGuard},
		{Tuple{Protocol: UDP, SrcPort: 51820, DstPort: 51820}, OpaqueWireGuard},
		{Tuple{Protocol: TCP, SrcPort: 40000, DstPort: 51820}, ""},
		{Tuple{Protocol: UDP, SrcPort: 40000, DstPort: 53}, ""},
		{Tuple{Protocol: GRE}, ""},
	} {
		if got := c.tuple.Opaque(wireGuard); got != c.want {
			t.Errorf("%+v: got %q, want %q", c.tuple, got, c.want)
		}
	}
}
