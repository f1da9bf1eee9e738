package engine

import (
	"bytes"
	"os"
	"testing"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"
)

// sent is a frame that a switch transmitted.
type sent struct {
	port  uint32
	frame []byte
}

// recorder keeps what a switch outputs.
type recorder struct {
	frames  []sent
	digests []Digest
}

func (r *recorder) Transmit(port uint32, frame []byte) {
	r.frames = append(r.frames, sent{port, bytes.Clone(frame)})
}

func (r *recorder) Digest(d Digest) {
	values := make([][]byte, len(d.Values))
	for i, v := range d.Values {
		values[i] = bytes.Clone(v)
	}
	r.digests = append(r.digests, Digest{d.ID, d.Name, values})
}

func (r *recorder) reset() { *r = recorder{} }

func load(t testing.TB, path string) *Switch {
	t.Helper()
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p, err := bmjson.Decode(doc)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	prog, err := Compile(p)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return New(prog, Options{Seed: 1})
}
