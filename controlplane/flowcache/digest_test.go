package flowcache

import (
	"net/netip"
	"testing"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/p4src"
)

func TestFlowKey(t *testing.T) {
	a := netip.MustParseAddr
	outerSrc, outerDst, src, dst := a("192.0.2.1"), a("192.0.2.2"), a("2001:db8::1"), a("2001:db8::2")
	tuple := flow.Tuple{Protocol: flow.TCP, Src: src, Dst: dst, SrcPort: 40000, DstPort: 80}
	for _, c := range []struct {
		meta p4src.KeyMeta
		want flow.Key
	}{
		{0x1fd0_0000_0000_0006, flow.Key{IngressPort: 509, Tuple: tuple}},
		{0x0031_00ff_ffff_0006, flow.Key{IngressPort: 3, Outer: flow.Outer{Kind: flow.VXLAN, VNI: 0xffffff, Src: outerSrc, Dst: outerDst}, Tuple: tuple}},
		{0x0032_0000_0005_0006, flow.Key{IngressPort: 3, Outer: flow.Outer{Kind: flow.Geneve, VNI: 5, Src: outerSrc, Dst: outerDst}, Tuple: tuple}},
		{0x0033_0000_0000_0006, flow.Key{IngressPort: 3, Outer: flow.Outer{Kind: flow.IPIP, Src: outerSrc, Dst: outerDst}, Tuple: tuple}},
		{0x0034_dead_beef_0006, flow.Key{IngressPort: 3, Outer: flow.Outer{Kind: flow.InGRE, VNI: 0xdeadbeef, Src: outerSrc, Dst: outerDst}, Tuple: tuple}},
	} {
		if got := flowKey(c.meta, outerSrc, outerDst, src, dst, 40000<<16|80); got != c.want {
			t.Errorf("%016x: got %+v, want %+v", uint64(c.meta), got, c.want)
		}
	}
}
