package main

import (
	"bytes"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/fabricscope/fabricscope/bmv2-lab/conformance/rig"
	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"
	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

const programs = "../conformance/programs/"

func load(t *testing.T, name string) *program {
	t.Helper()
	p, err := loadProgram(programs + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func compile(t *testing.T, p *program) *engine.Program {
	t.Helper()
	decoded, err := bmjson.Decode(p.config.GetP4DeviceConfig())
	if err != nil {
		t.Fatal(err)
	}
	out, err := engine.Compile(decoded)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// What neutral makes of a program is a program.
func TestNeutralProgramsCompile(t *testing.T) {
	files, err := filepath.Glob(programs + "*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d programs: %v", len(files), err)
	}
	for _, f := range append(files, "../../p4src/gen/fabricscope.json") {
		p, err := loadProgram(f)
		if err != nil {
			t.Fatal(err)
		}
		compile(t, p)
	}
}

func TestNeutralTakesTheClockAway(t *testing.T) {
	p, err := loadProgram("../../p4src/gen/fabricscope.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range clockFields() {
		if bytes.Contains(p.config.GetP4DeviceConfig(), []byte(`"value":["standard_metadata","`+f+`"]`)) {
			t.Errorf("%s is still read", f)
		}
	}
	if !bytes.Contains(p.config.GetP4DeviceConfig(), []byte(`"value":["`+clockHeader+`","ingress_global_timestamp"]`)) {
		t.Error("the program reads no time stamp: this test tests nothing")
	}
}

// A seed makes the same trial each time, and another seed another one.
func TestSeedsRepeat(t *testing.T) {
	p := load(t, "match_mixed")
	a, b, c := makeTrial(p, 7, 30, 8), makeTrial(p, 7, 30, 8), makeTrial(p, 8, 30, 8)
	if !reflect.DeepEqual(a, b) {
		t.Error("seed 7 makes two different trials")
	}
	if reflect.DeepEqual(a.packets, c.packets) {
		t.Error("seeds 7 and 8 make the same packets")
	}
	for _, x := range a.packets {
		if len(x.frame) < rig.MinFrame {
			t.Errorf("a frame of %d bytes", len(x.frame))
		}
	}
}

// sent collects what the engine sends.
type sent struct{ frames [][]byte }

func (s *sent) Transmit(_ uint32, frame []byte) { s.frames = append(s.frames, bytes.Clone(frame)) }
func (s *sent) Digest(engine.Digest)            {}

// Packets reach every transition of a select, deep loops included.
func TestPacketsFollowTheParser(t *testing.T) {
	for name, c := range map[string]struct {
		seen func(frame []byte) byte
		want []byte
	}{
		// The last byte says which way the parser went.
		"select": {func(f []byte) byte { return f[15] }, []byte{0, 1, 2, 3, 4}},
		// The byte says how many labels were extracted before the last one.
		"stack": {func(f []byte) byte { return f[11] }, []byte{0, 1, 2}},
		// 1 and 2: a header of the union is there.
		"union": {func(f []byte) byte { return f[11] }, []byte{0, 1, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			p := load(t, name)
			sw := engine.New(compile(t, p), engine.Options{})
			out := &sent{}
			for _, x := range makeTrial(p, 1, 1000, 8).packets {
				sw.Process(0, x.port, x.frame, out)
			}
			count := map[byte]int{}
			for _, f := range out.frames {
				count[c.seen(f)]++
			}
			for _, w := range c.want {
				if count[w] < 20 {
					t.Errorf("value %d was reached by %d packets of 1000", w, count[w])
				}
			}
		})
	}
}

// Packets hit entries: they have the values that entries match.
func TestEntriesAreHit(t *testing.T) {
	p := load(t, "match_exact")
	hits, entries := 0, 0
	for seed := range uint64(10) {
		g := makeTrial(p, seed, 100, 8)
		keys := map[string]bool{}
		for _, s := range g.setup {
			if m := s.entity.GetTableEntry().GetMatch(); len(m) > 0 {
				keys[string(bytes.TrimLeft(m[0].GetExact().GetValue(), "\x00"))] = true
			}
		}
		entries += len(keys)
		for _, x := range g.packets {
			if keys[string(bytes.TrimLeft(x.frame[:4], "\x00"))] {
				hits++
			}
		}
	}
	if hits < 200 {
		t.Errorf("%d entries, and %d packets of 1000 have the key of one", entries, hits)
	}
}

func TestShrink(t *testing.T) {
	list := make([]int, 100)
	for i := range list {
		list[i] = i
	}
	tries := 0
	got := shrink(list, func(l []int) bool {
		tries++
		return slices.Contains(l, 13) && slices.Contains(l, 77)
	})
	if !slices.Equal(got, []int{13, 77}) || tries > 200 {
		t.Errorf("%v after %d tries", got, tries)
	}
}

func TestFramesAreComparedByPortAndOrder(t *testing.T) {
	f := func(port uint32, b ...byte) rig.Frame { return rig.Frame{Port: port, Data: b} }
	if text := compareFrames([]rig.Frame{f(1, 1), f(2, 2), f(1, 3)}, []rig.Frame{f(2, 2), f(1, 1), f(1, 3)}); text != "" {
		t.Error(text)
	}
	for _, bmv2 := range [][]rig.Frame{{f(1, 3), f(1, 1)}, {f(1, 1)}, {f(1, 1), f(1, 3), f(4, 4)}, {f(1, 1), f(1, 2)}} {
		if text := compareFrames([]rig.Frame{f(1, 1), f(1, 3)}, bmv2); !strings.Contains(text, "softswitch") {
			t.Errorf("%v: %q", bmv2, text)
		}
	}
}
