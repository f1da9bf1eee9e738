package engine

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"
)

// FuzzProgram mutates JSON documents: whatever they say, loading them ends in a program or
// an error, and a program that loads takes entries and frames without a panic, traced or not.
func FuzzProgram(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		f.Fatal("no documents", err)
	}
	for _, name := range files {
		doc, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(doc, []byte("a frame that is long enough to be parsed by most of the programs"))
	}
	f.Fuzz(func(t *testing.T, doc, frame []byte) { tryProgram(t, doc, frame) })
}

func tryProgram(t *testing.T, doc, frame []byte) bool {
	src, err := bmjson.Decode(doc)
	if err != nil {
		return false
	}
	for _, r := range src.Registers {
		if r.Size*r.Width > 1<<24 {
			return false // fuzzing should not fill the machine's memory
		}
	}
	for _, c := range src.Counters {
		if c.Size > 1<<20 {
			return false
		}
	}
	prog, err := Compile(src)
	if err != nil {
		return false
	}
	options := []Options{{}}
	if len(doc)%8 == 0 { // compiling it twice takes time
		options = append(options, Options{Trace: func(string) {}})
	}
	for _, opt := range options {
		sw := New(prog, opt)
		sw.Process(1, 1, frame, &discard{})
		r := rand.New(rand.NewPCG(1, uint64(len(frame))))
		for _, table := range sw.Tables() {
			if len(table.Actions()) > 0 {
				_ = table.Insert(randomEntry(r, table))
			}
		}
		sw.Process(2, 510, frame, &discard{})
	}
	return true
}

// TestMutatedPrograms takes some lines of the documents away, doubles them, or swaps their
// values for others.
func TestMutatedPrograms(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no documents", err)
	}
	loaded, rejected := 0, 0
	frame := []byte("\x01\x12 a frame that is long enough to be parsed by most programs")
	for _, name := range files {
		doc, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.SplitAfter(string(doc), "\n")
		step := max(1, len(lines)/15)
		for i := 0; i < len(lines); i += step {
			for _, with := range mutations(lines[i]) {
				changed := strings.Join(lines[:i], "") + with + strings.Join(lines[i+1:], "")
				if tryProgram(t, []byte(changed), frame) {
					loaded++
				} else {
					rejected++
				}
			}
		}
	}
	if loaded == 0 || rejected == 0 {
		t.Errorf("%d loaded, %d rejected: the mutations are too harmless or too harsh", loaded, rejected)
	}
}

func mutations(line string) []string {
	out := []string{"", line + line}
	name, rest, ok := strings.Cut(line, " : ")
	if !ok {
		return out
	}
	end := ""
	if strings.HasSuffix(strings.TrimSpace(rest), ",") {
		end = ","
	}
	for _, v := range []string{"null", "0", "1", "-1", `"0x01"`, `"x"`, "[]", "{}", "true"} {
		out = append(out, name+" : "+v+end+"\n")
	}
	return out
}
