package app

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/fabricscope/fabricscope/"

// rules says which of our packages each package may know; docs/ARCHITECTURE.md says why.
// "..." stands for the package's own subpackages and siblings of the same room.
func rules() map[string][]string {
	words := []string{"controlplane/inventory", "controlplane/flow"}
	return map[string][]string{
		"p4src":                               {},
		"models":                              {},
		"controlplane/inventory":              {},
		"controlplane/clock":                  {},
		"controlplane/heap":                   {},
		"controlplane/flow":                   {"controlplane/inventory"},
		"controlplane/p4rt":                   append([]string{"p4src"}, words...),
		"controlplane/portstate":              {},
		"controlplane/fabric":                 append([]string{"p4src", "controlplane/p4rt", "controlplane/portstate"}, words...),
		"controlplane/flowcache":              append([]string{"p4src", "controlplane/p4rt", "controlplane/track"}, words...),
		"controlplane/track":                  words,
		"controlplane/kube":                   words,
		"controlplane/correlate":              words,
		"controlplane/diagnose":               words,
		"controlplane/history":                words,
		"controlplane/history/historybench":   append([]string{"controlplane/heap", "controlplane/history", "controlplane/publish", "controlplane/cli", "models"}, words...),
		"controlplane/publish":                append([]string{"controlplane/history", "models"}, words...),
		"controlplane/publish/gnmi/gnmibench": append([]string{"controlplane/access", "controlplane/heap", "controlplane/publish", "controlplane/history", "models"}, words...),
		"controlplane/access":                 append([]string{"controlplane/history", "models"}, words...),
		"controlplane/cli":                    {},
		"controlplane/config":                 {},
		"bmv2-lab/softswitch":                 {"p4src"},
		"bmv2-lab/topology":                   {},
		"bmv2-lab/cluster":                    {},
		"bmv2-lab/node":                       {"bmv2-lab/cluster"},
		"bmv2-lab/workload":                   {},
		"bmv2-lab/check":                      {"bmv2-lab/topology"},
		"bmv2-lab/traffic":                    {},
		"bmv2-lab/verify":                     {"bmv2-lab/check", "bmv2-lab/cluster"},
	}
}

// room is the entry of the rules that a package belongs to, the narrowest; "" for those without a rule.
func room(pkg string) (narrowest string) {
	for r := range rules() {
		if (pkg == r || strings.HasPrefix(pkg, r+"/")) && len(r) > len(narrowest) {
			narrowest = r
		}
	}
	return narrowest
}

func TestImports(t *testing.T) {
	seen := map[string]bool{}
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || d.Name() == "build" || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		from := room(filepath.ToSlash(rel))
		if from == "" {
			return nil
		}
		seen[from] = true
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			pkg, ours := strings.CutPrefix(name, module)
			if !ours {
				continue
			}
			if to := room(pkg); to != from && !slices.Contains(rules()[from], to) {
				t.Errorf("%s: %s may not know %s", path, from, pkg)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for r := range rules() {
		if !seen[r] {
			t.Errorf("there is a rule for %s, and no code", r)
		}
	}
}
