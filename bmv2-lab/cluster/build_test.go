package cluster

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func moduleConfig(t *testing.T) BuildConfig {
	t.Helper()
	config, err := DefaultBuildConfig()
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func TestModuleRequiresTheVersion(t *testing.T) {
	content, err := os.ReadFile(filepath.Join(moduleConfig(t).Module, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(content), "k8s.io/kubernetes "+Version+"\n") {
		t.Errorf("the nested module does not require k8s.io/kubernetes %s", Version)
	}
	staging := strings.Replace(Version, "v1", "v0", 1)
	for line := range strings.Lines(string(content)) {
		if strings.Contains(line, " => ") && !strings.HasSuffix(strings.TrimSpace(line), " "+staging) {
			t.Errorf("%q does not name %s", strings.TrimSpace(line), staging)
		}
	}
	for _, name := range executables() {
		if !strings.Contains(string(content), "\tk8s.io/kubernetes/cmd/"+name+"\n") {
			t.Errorf("the nested module has no tool directive for %s", name)
		}
	}
}

func TestFindNamesWhatIsMissing(t *testing.T) {
	config := moduleConfig(t)
	config.Cache = t.TempDir()
	_, err := Find(config)
	if !errors.Is(err, ErrNotBuilt) || !strings.Contains(err.Error(), KubeAPIServer) {
		t.Fatalf("got %v, want ErrNotBuilt that names kube-apiserver", err)
	}
	directory, err := config.Directory()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(directory, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range executables() {
		if err := os.WriteFile(filepath.Join(directory, name), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if found, err := Find(config); err != nil || found != directory {
		t.Fatalf("got %q and %v, want %q", found, err, directory)
	}
}

func TestPackageCounterTellsProgress(t *testing.T) {
	var out bytes.Buffer
	counter := &packageCounter{total: 9, begin: time.Now().Add(-time.Minute), every: 10 * time.Second, out: &out}
	for _, chunk := range []string{"k8s.io/api/core/v1\nk8s.io/a", "pi/apps/v1\n"} {
		if _, err := counter.Write([]byte(chunk)); err != nil {
			t.Fatal(err)
		}
	}
	if got := out.String(); got != "kubernetes "+Version+": 1 of at most 9 packages, 1m0s\n" {
		t.Errorf("got %q", got)
	}
	if got := counter.tail(); got != "  k8s.io/api/core/v1\n  k8s.io/api/apps/v1" {
		t.Errorf("tail: got %q", got)
	}
}
