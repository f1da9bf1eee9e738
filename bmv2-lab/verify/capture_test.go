package verify

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/fabricscope/fabricscope/bmv2-lab/check"
	"github.com/fabricscope/fabricscope/bmv2-lab/traffic"
)

// packet is a frame of TCP in IPv4 without its Ethernet header.
func packet(t *testing.T) []byte {
	t.Helper()
	for _, f := range traffic.All() {
		if f.Name == "native IPv4 TCP" {
			return f.Data[ethernetSize:]
		}
	}
	t.Fatal("no such frame")
	return nil
}

func prepared(t *testing.T, file string) (*port, error) {
	t.Helper()
	tshark, err := check.NewTshark(t.Context(), tunnels())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tshark.Close() })
	return prepare(t.Context(), file, t.TempDir(), 1, tshark)
}

// mixed writes a packet on links of several types, and what has no place for one.
func mixed(t *testing.T) string {
	t.Helper()
	ip := packet(t)
	four := func(b ...byte) []byte { return append(b, ip...) }
	sll := func(size, at int) []byte {
		h := make([]byte, size)
		h[at] = 0x08
		return append(h, ip...)
	}
	path := filepath.Join(t.TempDir(), "mixed.pcapng")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	w, err := pcapgo.NewNgWriter(file, layers.LinkTypeRaw)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range []struct {
		link layers.LinkType
		data []byte
	}{
		{layers.LinkTypeRaw, ip}, {layers.LinkTypeIPv4, ip}, {layers.LinkTypeLinuxSLL, sll(16, 14)}, {layers.LinkTypeLinuxSLL2, sll(20, 0)},
		{layers.LinkTypeNull, four(2, 0, 0, 0)}, {layers.LinkTypeNull, four(0, 0, 0, 2)}, {layers.LinkTypeLoop, four(0, 0, 0, 2)},
		{layers.LinkTypeLinuxSLL, sll(16, 15)}, {layers.LinkTypeNull, four(7, 0, 0, 0)}, {layers.LinkTypePPP, four(0xc0, 0x21)},
		{layers.LinkTypePPP, four(0, 0x21)}, {layers.LinkTypePPP_HDLC, four(0xff, 3, 0, 0x21)}, {layers.LinkTypeC_HDLC, four(15, 0, 8, 0)},
		{layers.LinkTypeEthernet, []byte("short")}, {layers.LinkTypeEthernet, make([]byte, mtu+ethernetSize+1)},
	} {
		at := 0
		if i > 0 {
			if at, err = w.AddInterface(pcapgo.NgInterface{LinkType: p.link, SnapLength: 1 << 18}); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.WritePacket(gopacket.CaptureInfo{InterfaceIndex: at, CaptureLength: len(p.data), Length: len(p.data)}, p.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestLinks gives packets that were captured on other links the header that a switch needs.
func TestLinks(t *testing.T) {
	p, err := prepared(t, mixed(t))
	if err != nil {
		t.Fatal(err)
	}
	size := uint64(ethernetSize + len(packet(t)))
	if want := (check.Count{Packets: 10, Bytes: 10 * size}); p.frames != 10 || p.tshark.Total != want || len(p.tshark.Flows) != 1 {
		t.Errorf("%d frames, %s in %d flows, want %s in 1", p.frames, p.tshark.Total, len(p.tshark.Flows), want)
	}
	left := 0
	for _, n := range p.left {
		left += n
	}
	if left != 5 || p.left[tooShort] != 1 || p.left[tooLong] != 1 {
		t.Errorf("left out: %v", p.left)
	}
	var said strings.Builder
	if !report(&said, p, nil) || !strings.Contains(said.String(), "link type 9)") {
		t.Errorf("report: %s", &said)
	}
}

// TestDamagedFiles says behind which packet a file cannot be read.
func TestDamagedFiles(t *testing.T) {
	var whole bytes.Buffer
	frame := traffic.Frame{Data: append(make([]byte, ethernetSize-2), append([]byte{8, 0}, packet(t)...)...)}
	if err := traffic.WritePcap(&whole, []traffic.Frame{frame, frame, frame}); err != nil {
		t.Fatal(err)
	}
	impossible := bytes.Clone(whole.Bytes()[:24+2*(16+len(frame.Data))])
	impossible = append(impossible, bytes.Repeat([]byte{0xff}, 200)...)
	for name, c := range map[string]struct {
		data []byte
		cut  bool
	}{"cut": {whole.Bytes()[:whole.Len()-5], true}, "impossible": {impossible, false}} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, c.data, 0o644); err != nil {
			t.Fatal(err)
		}
		p, err := prepared(t, path)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if p.frames != 2 || p.damage == nil || p.damage.packets != 2 || p.damage.cut != c.cut {
			t.Errorf("%s: %d frames, damage %+v", name, p.frames, p.damage)
		}
		var said strings.Builder
		if well := report(&said, p, nil); well != c.cut || !strings.Contains(said.String(), "behind packet 2") {
			t.Errorf("%s: well %t: %s", name, well, &said)
		}
	}
	_, err := prepared(t, filepath.Join(t.TempDir(), "missing"))
	if err == nil || !strings.Contains(err.Error(), "missing: tshark cannot read it") {
		t.Errorf("a file that is not there: %v", err)
	}
}
