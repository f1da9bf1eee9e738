package ports

import (
	"bytes"
	"encoding/binary"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// at is a frame of a capture, at so many microseconds after some moment.
type at struct {
	micros int
	frame  []byte
}

// writePcap makes a capture file.
func writePcap(t *testing.T, name string, frames ...at) {
	t.Helper()
	var b bytes.Buffer
	w := pcapgo.NewWriter(&b)
	if err := w.WriteFileHeader(65535, layers.LinkTypeEthernet); err != nil {
		t.Fatal(err)
	}
	for _, f := range frames {
		when := time.Unix(1_700_000_000, 999_000_000).Add(time.Duration(f.micros) * time.Microsecond)
		info := gopacket.CaptureInfo{Timestamp: when, CaptureLength: len(f.frame), Length: len(f.frame)}
		if err := w.WritePacket(info, f.frame); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// files is a configuration of two ports, 2@DIR/a and 1@DIR/b.
func files(dir string) Config {
	cfg := DefaultConfig()
	cfg.Files = &Files{}
	cfg.Ports = []Port{{Number: 2, Interface: filepath.Join(dir, "a")}, {Number: 1, Interface: filepath.Join(dir, "b")}, {Number: 510}}
	return cfg
}

// Frames of several files arrive in the order of their times, those of the same time in the
// order of the ports, and what is sent is in the other files.
func TestFilesInFilesOut(t *testing.T) {
	dir := t.TempDir()
	var a, b []at
	for i := range 300 { // more than one batch, across the end of a second
		a = append(a, at{10 * i, frame(uint32(2 * i))})
		b = append(b, at{10*i + 5, frame(uint32(2*i + 1))})
	}
	a = append(a, at{5000, frame(601)}, at{6000, make([]byte, MaxFrame+1)})
	b = append(b, at{5000, frame(600)})
	writePcap(t, dir+"/a_in.pcap", a...)
	writePcap(t, dir+"/b_in.pcap", b...)
	s := openSet(t, files(dir), Deps{})
	var got []uint32
	poll := func() error {
		return s.Poll(ReceiverFunc(func(port uint32, f []byte) {
			if i := binary.BigEndian.Uint32(f); i < 600 && port != 2-i%2 {
				t.Errorf("frame %d at port %d", i, port)
			}
			got = append(got, binary.BigEndian.Uint32(f))
			s.Transmit(1, f)
		}))
	}
	pollUntil(t, func() bool { return len(got) == 602 && s.Stats()[0].RxOversize == 1 }, poll)
	for i, n := range got {
		if n != uint32(i) {
			t.Fatalf("frame %d arrived at place %d", n, i)
		}
	}
	s.Close()
	out, err := openPcap(dir + "/b_out.pcap")
	if err != nil {
		t.Fatal(err)
	}
	defer out.close()
	for i := range got {
		if more, err := out.next(); err != nil || !more || !bytes.Equal(out.frame, frame(uint32(i))) {
			t.Fatalf("frame %d that was sent: %x, %v, %v", i, out.frame, more, err)
		}
	}
	if more, err := out.next(); more || err != nil {
		t.Errorf("behind the last frame: %v, %v", more, err)
	}
}

func TestFilesWait(t *testing.T) {
	dir := t.TempDir()
	writePcap(t, dir+"/a_in.pcap", at{0, frame(1)})
	writePcap(t, dir+"/b_in.pcap")
	cfg := files(dir)
	cfg.Files.Wait = 50 * time.Millisecond
	start := time.Now()
	s := openSet(t, cfg, Deps{})
	s.tick = time.Minute // so that nothing else ends the wait
	arrived := time.Duration(0)
	pollUntil(t, func() bool { return arrived > 0 },
		func() error { return s.Poll(ReceiverFunc(func(uint32, []byte) { arrived = time.Since(start) })) })
	if arrived < cfg.Files.Wait {
		t.Errorf("a frame arrived after %v", arrived)
	}
	if arrived > s.tick/2 {
		t.Errorf("a frame arrived after %v: Poll did not wake up for it", arrived)
	}
}

// What is wrong with a file is said with its name and the frame's number.
func TestBadFiles(t *testing.T) {
	header := func(order binary.AppendByteOrder, magic uint32) []byte {
		return append(order.AppendUint32(nil, magic), make([]byte, 20)...)
	}
	record := func(b []byte, captured, length uint32, data ...byte) []byte {
		for _, v := range []uint32{1, 2, captured, length} {
			b = binary.BigEndian.AppendUint32(b, v)
		}
		return append(b, data...)
	}
	good := record(header(binary.BigEndian, pcapNanoMagic), 2, 2, 7, 8)
	for name, c := range map[string]struct {
		content []byte
		want    string // empty: it is good
	}{
		"big endian, nanoseconds": {good, ""},
		"empty":                   {nil, "header"},
		"short header":            {good[:23], "header"},
		"no pcap":                 {bytes.Repeat([]byte("x"), 30), "not a pcap file"},
		"pcapng":                  {header(binary.LittleEndian, pcapngMagic), "pcapng"},
		"cut in a header":         {record(good, 2, 2)[:len(good)+9], "frame 2"},
		"cut in a frame":          {record(good, 2, 2, 1), "frame 2"},
		"captured in part":        {record(good, 1, 2, 1), "frame 2: 1 of 2 bytes"},
		"not plausible":           {record(good, 1<<31, 1<<31, 1), "frame 2"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			writePcap(t, dir+"/b_in.pcap")
			if err := os.WriteFile(dir+"/a_in.pcap", c.content, 0o644); err != nil {
				t.Fatal(err)
			}
			s, err := New(files(dir), Deps{Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			if err = s.Open(); err == nil {
				defer s.Close()
				err = pollNow(s, func(uint32, []byte) { n++ })
			}
			if c.want == "" {
				if err != nil || n != 1 {
					t.Errorf("%d frames, %v", n, err)
				}
			} else if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "a_in.pcap") {
				t.Errorf("%v, want a_in.pcap and %q in it", err, c.want)
			}
		})
	}
	s, err := New(files(t.TempDir()), Deps{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Open(); err == nil || !strings.Contains(err.Error(), "a_in.pcap") {
		t.Errorf("no file: %v", err)
	}
}

// No file makes the reader panic or take memory without bound.
func FuzzPcap(f *testing.F) {
	f.Add([]byte("\xd4\xc3\xb2\xa1\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x04\x00\x01\x00\x00\x00" +
		"\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00x"))
	f.Fuzz(func(t *testing.T, content []byte) {
		name := filepath.Join(t.TempDir(), "x.pcap")
		if err := os.WriteFile(name, content, 0o644); err != nil {
			t.Fatal(err)
		}
		r, err := openPcap(name)
		if err != nil {
			return
		}
		defer r.close()
		total := 24
		for more, err := r.next(); more && err == nil; more, err = r.next() {
			total += 16 + len(r.frame)
		}
		if total > len(content) {
			t.Errorf("%d bytes were read of %d", total, len(content))
		}
	})
}
