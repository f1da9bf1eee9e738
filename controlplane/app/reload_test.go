package app

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fabricscope/fabricscope/controlplane/config"
)

func TestCheckReadsFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "c.yaml")
	check := func(text string) (int, string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		return Main([]string{"--config", path, "--check"}, &out, &out), out.String()
	}
	if status, out := check("clusters: [{name: red, kubeconfig: " + filepath.Join(dir, "none") + "}]"); status != 1 || !strings.Contains(out, "cluster red: kubeconfig: open") {
		t.Errorf("status %d: %s", status, out)
	}
	users := filepath.Join(dir, "users")
	if err := os.WriteFile(users, []byte("alice:secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	reader := "access: {users-file: " + users + ", readers: [{name: a, users: [alice], clusters: [blu]}]}"
	if status, out := check(reader); status != 1 || !strings.Contains(out, "users-file: "+users+": line 1") {
		t.Errorf("status %d: %s", status, out)
	}
	if err := os.WriteFile(users, []byte("alice:$2y$05$"+strings.Repeat("a", 53)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, out := check(reader); status != 0 || !strings.Contains(out, `readers[0].clusters: no cluster "blu"`) {
		t.Errorf("status %d: %s", status, out)
	}
	if status, out := check("log-level: debug"); status != 0 || !strings.Contains(out, "is good: 0 clusters") {
		t.Errorf("status %d: %s", status, out)
	}
}

func TestReload(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	token := write("token", "t")
	cluster := func(name string) config.Cluster {
		return config.Cluster{Name: name, Server: "https://127.0.0.1:1", TokenFile: token}
	}
	cfg := config.Default()
	cfg.StateDir = dir
	cfg.Clusters = []config.Cluster{cluster("blue")}
	d, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.store.Close(); err != nil {
			t.Error(err)
		}
	}()
	next := cfg
	next.Clusters = []config.Cluster{cluster("blue"), cluster("green")}
	if waiting, err := d.Reload(next); err != nil || len(waiting) > 0 {
		t.Errorf("another cluster: %v waits, %v", waiting, err)
	}
	next.HTTP.Listen, next.Flows.Linger = "127.0.0.1:1", 1
	if waiting, err := d.Reload(next); err != nil || strings.Join(waiting, " ") != "http flows" {
		t.Errorf("another address and time: %v waits, %v", waiting, err)
	}
	// A kubeconfig that is not there yet is waited for; only what the configuration itself says can be refused.
	missing := config.Cluster{Name: "red", Kubeconfig: filepath.Join(dir, "none")}
	next.Clusters = append(next.Clusters, missing)
	if _, err := d.Reload(next); err != nil || len(d.cfg.Clusters) != 3 {
		t.Errorf("a kubeconfig that is not there: %v, %v", err, d.cfg.Clusters)
	}
	missing.Server = "https://127.0.0.1:1"
	next.Clusters = []config.Cluster{missing}
	if _, err := d.Reload(next); err == nil || !strings.Contains(err.Error(), "red") {
		t.Errorf("a kubeconfig and a server: %v", err)
	}
	if len(d.cfg.Clusters) != 3 {
		t.Errorf("after a refused configuration: %v", d.cfg.Clusters)
	}
}
