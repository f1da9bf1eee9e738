package history_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/history"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// TestFullDisk fills the file system under a history: the live state goes on, and what could not be written is when
// there is room again.
func TestFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=4m"); err != nil {
		t.Fatalf("mount a small file system, which takes root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	cfg := config(t)
	cfg.Dir = filepath.Join(disk, "history")
	s, stop := start(t, cfg, deps(t))
	s.Record(inventory.Became(pod(0, "Running"), epoch))
	flush(t, s)
	ballast := filepath.Join(disk, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	for chunk := make([]byte, 4096); err == nil; {
		_, err = f.Write(chunk)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	n := 1
	for err = nil; err == nil; n++ { // what SQLite's files have left still fits
		s.Record(inventory.Became(pod(n, "Running"), epoch))
		err = s.Flush(t.Context())
	}
	if !errors.Is(err, history.ErrNotStored) {
		t.Fatalf("flush to a full disk: %v", err)
	}
	if st := s.Status(); st.Phase != history.Failing || len(all(s.Now())) != n {
		t.Errorf("on a full disk: %+v, %d facts of %d", st, len(all(s.Now())), n)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	for s.Flush(t.Context()) != nil {
		select {
		case <-t.Context().Done():
			t.Fatal("never written")
		case <-time.After(time.Millisecond):
		}
	}
	stop()
	s, _ = start(t, cfg, deps(t))
	if got := len(all(s.Now())); got != n || s.Status().Isolated != "" {
		t.Errorf("after a restart: %d facts of %d; isolated: %q", got, n, s.Status().Isolated)
	}
}
