package main

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/openconfig/goyang/pkg/yang"
)

// bundle writes all modules into a directory and gives the names of ours.
func bundle(t *testing.T) (dir string, own []string) {
	t.Helper()
	modules, err := readModules("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	if err := writeFiles(dir, modules); err != nil {
		t.Fatal(err)
	}
	for name := range modules {
		if strings.HasPrefix(name, "fabricscope-") {
			own = append(own, name)
		}
	}
	slices.Sort(own)
	return dir, own
}

func TestLinters(t *testing.T) {
	dir, own := bundle(t)
	linters := map[string][]string{"yanglint": {"yanglint", "-p", dir}}
	// pyang is in no Debian 12 package; where it is installed it has its say.
	if path, err := exec.LookPath("pyang"); err == nil {
		linters["pyang"] = []string{path, "--strict", "--lint", "-p", dir}
	}
	for name, command := range linters {
		for _, module := range own {
			t.Run(name+"/"+module, func(t *testing.T) {
				args := append(slices.Clone(command[1:]), filepath.Join(dir, module))
				out, err := exec.Command(command[0], args...).CombinedOutput()
				if err != nil {
					t.Fatalf("%v (yanglint is in the Debian package libyang2-tools)\n%s", err, out)
				}
				if len(out) > 0 {
					t.Errorf("%s", out)
				}
			})
		}
	}
}

// TestStyle holds our modules to the rules of OpenConfig's style that no general linter
// knows.
func TestStyle(t *testing.T) {
	dir, own := bundle(t)
	set := yang.NewModules()
	set.AddPath(dir)
	for _, module := range own {
		if err := set.Read(filepath.Join(dir, module)); err != nil {
			t.Fatal(err)
		}
	}
	if errs := set.Process(); len(errs) > 0 {
		t.Fatal(errs)
	}
	for _, module := range own {
		name := strings.TrimSuffix(module, ".yang")
		m := set.Modules[name]
		checkModule(t, m)
		entry := yang.ToEntry(m)
		for _, child := range entry.Dir {
			checkEntry(t, child)
		}
	}
}

func checkModule(t *testing.T, m *yang.Module) {
	t.Helper()
	if want := "https://github.com/fabricscope/fabricscope/yang/" + strings.TrimPrefix(m.Name, "fabricscope-"); m.Namespace.Name != want {
		t.Errorf("%s: namespace %s, not %s", m.Name, m.Namespace.Name, want)
	}
	if !strings.HasPrefix(m.Prefix.Name, "fs-") {
		t.Errorf("%s: prefix %s does not begin with fs-", m.Name, m.Prefix.Name)
	}
	if len(m.Container)+len(m.List)+len(m.Leaf)+len(m.LeafList) > 0 {
		t.Errorf("%s: data at the top level, not used from a grouping", m.Name)
	}
	version := ""
	for _, e := range m.Extensions {
		if e.Keyword == "oc-ext:openconfig-version" {
			version = e.Argument
		}
	}
	if len(m.Revision) == 0 || m.Revision[0].Reference == nil || m.Revision[0].Reference.Name != version {
		t.Errorf("%s: the newest revision's reference is not the openconfig-version %q", m.Name, version)
	}
}

func checkEntry(t *testing.T, e *yang.Entry) {
	t.Helper()
	path := e.Path()
	switch {
	case e.Description == "":
		t.Errorf("%s: no description", path)
	case !e.ReadOnly():
		t.Errorf("%s: not config false", path)
	case e.IsList():
		checkList(t, e)
	case e.Kind == yang.LeafEntry:
		checkLeaf(t, e)
	}
	for _, child := range e.Dir {
		checkEntry(t, child)
	}
}

func checkList(t *testing.T, e *yang.Entry) {
	t.Helper()
	if len(e.Parent.Dir) != 1 {
		t.Errorf("%s: the list is not alone in its container", e.Path())
	}
	for _, key := range strings.Fields(e.Key) {
		leaf := e.Dir[key]
		if leaf == nil || leaf.Type.Kind != yang.Yleafref || leaf.Type.Path != "../state/"+key {
			t.Errorf("%s: key %s is no leafref to ../state/%s", e.Path(), key, key)
		}
		if state := e.Dir["state"]; state == nil || state.Dir[key] == nil {
			t.Errorf("%s: no state/%s", e.Path(), key)
		}
	}
}

func checkLeaf(t *testing.T, e *yang.Entry) {
	t.Helper()
	isKey := e.Parent.IsList()
	inState := slices.Contains(strings.Split(e.Path(), "/"), "state")
	if !isKey && !inState {
		t.Errorf("%s: a leaf outside state", e.Path())
	}
	counts := strings.HasSuffix(e.Name, "-pkts") || strings.HasSuffix(e.Name, "-octets") || e.Name == "pkts" || e.Name == "octets"
	if counts && e.Type.Name != "counter64" && e.Type.Kind != yang.Yint64 {
		t.Errorf("%s: a counter of type %s", e.Path(), e.Type.Name)
	}
	if leaf, ok := e.Node.(*yang.Leaf); counts && ok && leaf.Units == nil {
		t.Errorf("%s: a counter without units", e.Path())
	}
	if len(e.Default) > 0 {
		t.Errorf("%s: a default, which the server would have to tell where there is no value", e.Path())
	}
}
