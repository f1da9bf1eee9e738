package stf

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

// loadProgram reads a program of testdata.
func loadProgram(t testing.TB, name string) *Program {
	t.Helper()
	doc, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewProgram(doc)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// FuzzScript runs whatever a file may say. The seeds are the files of the scripts.
func FuzzScript(f *testing.F) {
	programs := []*Program{loadProgram(f, "kinds"), loadProgram(f, "extern")}
	scripts, err := filepath.Glob(filepath.Join("testdata", "script", "*.txtar"))
	if err != nil || len(scripts) == 0 {
		f.Fatalf("no scripts: %v", err)
	}
	for _, path := range scripts {
		a, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range a.Files {
			if filepath.Ext(file.Name) == ".stf" {
				f.Add(file.Data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Parse("fuzz.stf", text)
		if err != nil {
			return
		}
		for _, p := range programs {
			r := p.Run(s, p.NewSwitch(engine.Options{}), io.Discard)
			if r.Packets > len(s.statements) || r.Expectations > len(s.statements) {
				t.Errorf("%d statements, and %+v", len(s.statements), r)
			}
		}
	})
}
