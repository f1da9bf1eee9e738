// Command generate makes the Go package models from the YANG modules: the project's own under
// models/yang, and the standard ones that they build on, which are read from the module
// github.com/openconfig/ygot and not kept here.
//
//	go run ./models/generate               writes the package into ./models
//	go run ./models/generate -bundle DIR   writes every YANG module into DIR
//	go run ./models/generate -docs DIR     writes a page for each module of ours into DIR
//
// All are run from the root of the repository.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	bundle := flag.String("bundle", "", "write the YANG modules, own and standard, into this `directory` and nothing else")
	docs := flag.String("docs", "", "write pages that describe our YANG modules into this `directory` and nothing else")
	flag.Parse()
	if err := run(*bundle, *docs); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(bundle, docs string) error {
	modules, err := readModules(".")
	if err != nil {
		return err
	}
	if bundle != "" {
		return writeFiles(bundle, modules)
	}
	if docs != "" {
		pages, err := documents(modules)
		if err != nil {
			return err
		}
		return writeFiles(docs, pages)
	}
	code, err := generate(modules)
	if err != nil {
		return err
	}
	return writeFiles("models", code)
}

// writeFiles writes each file of files, by name, into dir.
func writeFiles(dir string, files map[string][]byte) error {
	for name, text := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		err := os.MkdirAll(filepath.Dir(file), 0o755)
		if err == nil {
			err = os.WriteFile(file, text, 0o644)
		}
		if err != nil {
			return fmt.Errorf("write a file: %w", err)
		}
	}
	return nil
}
