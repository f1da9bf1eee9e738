package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// standard lists the modules of others that ours import, directly or not, by their places in the
// source of github.com/openconfig/ygot. It has several revisions of some of them; these
// are the ones that fit together.
func standard() []string {
	return []string{
		"gogen/testdata/schema/openconfig-extensions.yang",
		"demo/getting_started/yang/iana-if-type.yang",
		"demo/getting_started/yang/ietf-inet-types.yang",
		"demo/getting_started/yang/ietf-interfaces.yang",
		"demo/getting_started/yang/ietf-yang-types.yang",
		"demo/getting_started/yang/openconfig-interfaces.yang",
		"demo/protobuf_getting_started/yang/deps/openconfig-inet-types.yang",
		"demo/protobuf_getting_started/yang/deps/openconfig-types.yang",
	}
}

// readModules gives the text of every YANG module by its file name. root is the root of
// the repository.
func readModules(root string) (map[string][]byte, error) {
	own, err := filepath.Glob(filepath.Join(root, "models", "yang", "*.yang"))
	if err != nil {
		return nil, fmt.Errorf("find the own modules: %w", err)
	}
	if len(own) == 0 {
		return nil, fmt.Errorf("no YANG modules in %s: run from the root of the repository", filepath.Join(root, "models", "yang"))
	}
	dir, err := moduleDir(root, "github.com/openconfig/ygot")
	if err != nil {
		return nil, err
	}
	files := own
	for _, name := range standard() {
		files = append(files, filepath.Join(dir, filepath.FromSlash(name)))
	}
	modules := map[string][]byte{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read a YANG module: %w", err)
		}
		modules[filepath.Base(file)] = text
	}
	return modules, nil
}

// moduleDir gives the directory that holds the source of a Go module that go.mod requires.
func moduleDir(root, path string) (string, error) {
	cmd := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", path)
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		return "", fmt.Errorf("find the Go module %s: %w", path, err)
	}
	dir := strings.TrimSpace(string(out))
	if dir == "" {
		return "", fmt.Errorf("the source of the Go module %s is not in the module cache: run go mod download", path)
	}
	return dir, nil
}
