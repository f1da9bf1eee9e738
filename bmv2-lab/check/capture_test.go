package check

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/fabricscope/fabricscope/bmv2-lab/traffic"
)

// pcap writes frames to a file.
func pcap(t *testing.T, frames []traffic.Frame) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.pcap")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := traffic.WritePcap(file, frames); err != nil {
		t.Fatal(err)
	}
	return path
}

func crafted() Tunnels { return Tunnels{VXLAN: traffic.VXLANPorts(), Geneve: traffic.GenevePorts()} }

func newTshark(t *testing.T) *Tshark {
	t.Helper()
	tshark, err := NewTshark(t.Context(), crafted())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tshark.Close() })
	return tshark
}

// known is what a crafted frame is, in the words of this package.
func known(f traffic.Frame) (Frame, Class) {
	if f.Class != "" {
		return Frame{}, Class(f.Class)
	}
	k := f.Key
	frame := Frame{Outer: Outer{k.Kind, k.ID, k.OuterSrc, k.OuterDst}, Protocol: k.Protocol, Src: k.Src, Dst: k.Dst, SrcPort: k.SrcPort, DstPort: k.DstPort}
	if k.Protocol == protocolARP {
		frame.SrcPort = 0
	}
	return frame, classFlow
}

// TestDissect holds the reading of tshark's output to frames that are known by construction:
// it is the ground truth of the lab's checks, so it must not be wrong in the same way as what
// it checks.
func TestDissect(t *testing.T) {
	frames, i := traffic.All(), 0
	err := newTshark(t).each(t.Context(), pcap(t, frames), func(columns []string) error {
		f := frames[i]
		i++
		got, class, err := dissect(columns, crafted())
		if err != nil {
			t.Errorf("%s: %v: %q", f.Name, err, columns)
			return nil
		}
		want, wanted := known(f)
		if class != wanted || (class == classFlow && got != want) {
			t.Errorf("%s (%x):\n got %q %s\nwant %q %s\n%q", f.Name, f.Data[:min(len(f.Data), 120)], class, got, wanted, want, columns)
		}
		return nil
	})
	if err != nil || i != len(frames) {
		t.Errorf("%d of %d frames: %v", i, len(frames), err)
	}
}

// TestCaptured counts a small capture.
func TestCaptured(t *testing.T) {
	var frames []traffic.Frame
	find := func(name string, times int) {
		for _, f := range traffic.All() {
			if f.Name == name {
				for range times {
					frames = append(frames, f)
				}
				return
			}
		}
		t.Fatalf("no frame is called %q", name)
	}
	find("VXLAN IPv4 TCP", 3)
	find("native IPv4 ICMP unreachable", 2)
	find("native ARP", 1)
	find("LLDP", 2)
	find("native first fragment", 1)
	got := NewCaptured()
	if err := got.Read(t.Context(), "leaf1-eth3", pcap(t, frames), newTshark(t)); err != nil {
		t.Fatal(err)
	}
	a := netip.MustParseAddr
	overlay := Frame{"leaf1-eth3", Outer{"vxlan", 1, a("172.16.0.1"), a("172.16.0.2")}, 6, a("10.244.0.5"), a("10.244.1.6"), 40001, 80}
	if n := got.Flows[overlay]; n != (Count{3, 3 * uint64(len(frames[0].Data))}) {
		t.Errorf("%s: %s", overlay, n)
	}
	var total uint64
	for _, f := range frames {
		total += uint64(len(f.Data))
	}
	if len(got.Flows) != 3 || got.Buckets[Bucket{"leaf1-eth3", classLLDP}].Packets != 2 ||
		got.Buckets[Bucket{"leaf1-eth3", classFragment}].Packets != 1 || got.Total != (Count{9, total}) {
		t.Errorf("flows %v, buckets %v, total %+v, want 9 frames of %d bytes", got.Flows, got.Buckets, got.Total, total)
	}
}
