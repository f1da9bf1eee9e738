package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openconfig/goyang/pkg/yang"

	"github.com/fabricscope/fabricscope/models/schema"
)

func TestRegeneratingGivesTheSameBytes(t *testing.T) {
	modules, err := readModules("../..")
	if err != nil {
		t.Fatal(err)
	}
	files, err := generate(modules)
	if err != nil {
		t.Fatal(err)
	}
	size := 0
	for name, want := range files {
		size += len(want)
		got, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("models/%s is stale: run make models", name)
		}
	}
	if limit := 2 << 20; size > limit {
		t.Errorf("the generated code has %d bytes, more than %d", size, limit)
	}
	there, err := filepath.Glob("../*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range there {
		if _, ok := files[filepath.Base(file)]; !ok {
			t.Errorf("%s is not generated", file)
		}
	}
}

func TestGenerateNamesTheBrokenModule(t *testing.T) {
	modules, err := readModules("../..")
	if err != nil {
		t.Fatal(err)
	}
	delete(modules, "fabricscope-types.yang")
	if _, err := generate(modules); err == nil || !bytes.Contains([]byte(err.Error()), []byte("fabricscope-types")) {
		t.Fatalf("without fabricscope-types the error is %v", err)
	}
}

func TestReadModulesSaysWhereToRun(t *testing.T) {
	if _, err := readModules(t.TempDir()); err == nil {
		t.Fatal("no error outside the repository")
	}
}

func TestDocumentsAreCurrent(t *testing.T) {
	modules, err := readModules("../..")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := documents(modules)
	if err != nil {
		t.Fatal(err)
	}
	const dir = "../../docs/models"
	for name, want := range pages {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("docs/models/%s is stale: run make models", name)
		}
	}
	there, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(there) != len(pages) {
		t.Errorf("docs/models has %d files, and %d are made", len(there), len(pages))
	}
}

// TestDocumentsHaveEveryNode holds the pages to the tree that the server has.
func TestDocumentsHaveEveryNode(t *testing.T) {
	modules, err := readModules("../..")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := documents(modules)
	if err != nil {
		t.Fatal(err)
	}
	var look func(n schema.Node, path string)
	look = func(n schema.Node, path string) {
		path += "/" + n.Name
		keys := append([]string(nil), n.Keys...)
		for _, k := range keys {
			path += "[" + k + "]"
		}
		page := pages[n.Module+".md"]
		for _, c := range n.Children {
			look(c, path)
		}
		isKey := strings.HasSuffix(path[:strings.LastIndexByte(path, '/')], "["+n.Name+"]") || strings.Contains(path[:strings.LastIndexByte(path, '/')], "["+n.Name+"][")
		if page != nil && !bytes.Contains(page, []byte("| `"+path+"` |")) && !isKey {
			t.Errorf("%s is not on the page of %s", path, n.Module)
		}
	}
	for _, n := range schema.Root() {
		look(n, "")
	}
}

// TestBundleStandsAlone reads the bundle as any tool does that is given its directory and nothing else.
func TestBundleStandsAlone(t *testing.T) {
	modules, err := readModules("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := writeFiles(dir, modules); err != nil {
		t.Fatal(err)
	}
	set := yang.NewModules()
	files, err := filepath.Glob(filepath.Join(dir, "*.yang"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if err := set.Read(file); err != nil {
			t.Fatal(err)
		}
	}
	if errs := set.Process(); len(errs) > 0 {
		t.Fatal(errs)
	}
	for name, m := range set.Modules {
		for _, i := range m.Import {
			if set.Modules[i.Name] == nil {
				t.Errorf("%s imports %s, which is not in the bundle", name, i.Name)
			}
		}
	}
	for _, n := range schema.Root() {
		if e := yang.ToEntry(set.Modules[n.Module]).Dir[n.Name]; e == nil || len(e.Dir) != len(n.Children) {
			t.Errorf("/%s of the bundle is not what the server has", n.Name)
		}
	}
}
