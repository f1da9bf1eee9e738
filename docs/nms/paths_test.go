package nms_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/fabricscope/fabricscope/models/schema"
)

// TestPathsOfDocuments looks for every path of the models in what people read and copy: the documents, the recipes and
// the commands in both. A path may leave keys out, have wildcards, and begin with … for what leads there.
func TestPathsOfDocuments(t *testing.T) {
	var roots []string
	for _, n := range schema.Root() {
		roots = append(roots, n.Name)
	}
	const element = `/(?:[a-z][a-z-]*|\*|\.\.\.)(?:\[[^][\s]*\])*`
	path := regexp.MustCompile(`(?:(?:^|[^\w.…/>*-])|openconfig:)(/(?:` + strings.Join(roots, "|") + `)(?:\[[^][\s]*\])*\b(?:` + element + `)*|…(?:` + element + `)+)`)
	paths := 0
	for _, file := range documents(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range path.FindAllStringSubmatch(string(text), -1) {
			if strings.HasPrefix(found[1], "…") && filepath.Base(file) != "gnmi.md" {
				continue // of something else
			}
			paths++
			elems := elementsOf(strings.Replace(found[1], "…", "/...", 1))
			if !leads(schema.Root(), elems) {
				t.Errorf("%s: no model has %s", file, found[1])
			}
		}
	}
	if paths < 100 {
		t.Errorf("only %d paths", paths)
	}
	for _, wrong := range []string{"/flows/conversations/conversation/state/forward", "/fabric/switches/switch[id=1]", "…/colours", "/fabric/.../colours"} {
		if leads(schema.Root(), elementsOf(strings.Replace(wrong, "…", "/...", 1))) {
			t.Errorf("%s is found", wrong)
		}
	}
}

// documents are the files that people read and copy; those of docs/models are made from the models.
func documents(t *testing.T) []string {
	files := []string{"../../README.md"}
	err := filepath.WalkDir("..", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == "models":
			return fs.SkipDir
		case slices.Contains([]string{".md", ".yaml", ".yml", ".conf", ".json"}, filepath.Ext(name)):
			files = append(files, name)
		}
		return nil
	})
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	return files
}

// elem is an element of a path: its name and the names of the keys that it has.
type elem struct {
	name string
	keys []string
}

func elementsOf(path string) (elems []elem) {
	for _, part := range regexp.MustCompile(`/([^/[]+)((?:\[[^][]*\])*)`).FindAllStringSubmatch(path, -1) {
		e := elem{name: part[1]}
		for _, key := range regexp.MustCompile(`\[([^]=]*)`).FindAllStringSubmatch(part[2], -1) {
			e.keys = append(e.keys, key[1])
		}
		elems = append(elems, e)
	}
	return elems
}

// leads says whether a path leads to a node at or beneath some.
func leads(nodes []schema.Node, elems []elem) bool {
	if len(elems) == 0 {
		return true
	}
	e := elems[0]
	if e.name == "..." && leads(nodes, elems[1:]) {
		return true
	}
	return slices.ContainsFunc(nodes, func(n schema.Node) bool {
		switch {
		case e.name == "...":
			return leads(n.Children, elems)
		case e.name != "*" && e.name != n.Name,
			slices.ContainsFunc(e.keys, func(key string) bool { return !slices.Contains(n.Keys, key) }):
			return false
		}
		return leads(n.Children, elems[1:])
	})
}
