package app

import (
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fabricscope/fabricscope/controlplane/config"
)

// TestMetricsAreGuarded where others than this machine reach them; health is everybody's.
func TestMetricsAreGuarded(t *testing.T) {
	cfg := config.Default()
	cfg.StateDir = t.TempDir()
	cfg.Access.UsersFile = filepath.Join(cfg.StateDir, "users")
	if err := os.WriteFile(cfg.Access.UsersFile, []byte("alice:$2y$05$"+strings.Repeat("a", 53)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.store.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, c := range []struct {
		open bool
		path string
		want int
	}{{true, "/metrics", http.StatusOK}, {false, "/metrics", http.StatusUnauthorized}, {true, "/healthz", http.StatusOK}, {false, "/healthz", http.StatusOK}} {
		w := httptest.NewRecorder()
		d.http.handler(c.open).ServeHTTP(w, httptest.NewRequest(http.MethodGet, c.path, nil))
		if w.Code != c.want {
			t.Errorf("%s, open %t: %d, want %d", c.path, c.open, w.Code, c.want)
		}
	}
	for address, want := range map[string]bool{"127.0.0.1:1": true, "[::1]:1": true, "[::ffff:127.0.0.1]:1": true, "0.0.0.0:1": false, "[::]:1": false, "192.0.2.1:1": false} {
		a, err := net.ResolveTCPAddr("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if isLoopback(a) != want {
			t.Errorf("%s: %t", address, !want)
		}
	}
}
