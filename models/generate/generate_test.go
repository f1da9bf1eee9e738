package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
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
