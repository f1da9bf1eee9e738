package history_test

import (
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/history"
	"github.com/fabricscope/fabricscope/controlplane/history/smalldisk"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// TestFullDisk fills the file system under a history: the live state goes on, and what could not be written is when
// there is room again.
func TestFullDisk(t *testing.T) {
	disk := smalldisk.New(t, t.TempDir(), "4m")
	cfg := config(t)
	cfg.Dir = filepath.Join(disk.Dir, "history")
	s, stop := start(t, cfg, deps(t))
	s.Record(inventory.Became(pod(0, "Running"), epoch))
	flush(t, s)
	disk.Fill()
	n := 1
	var err error
	for ; err == nil; n++ { // what SQLite's files have left still fits
		s.Record(inventory.Became(pod(n, "Running"), epoch))
		err = s.Flush(t.Context())
	}
	if !errors.Is(err, history.ErrNotStored) {
		t.Fatalf("flush to a full disk: %v", err)
	}
	if st := s.Status(); st.Phase != history.Failing || len(all(s.Now())) != n {
		t.Errorf("on a full disk: %+v, %d facts of %d", st, len(all(s.Now())), n)
	}
	full := config(t)
	full.Dir = filepath.Join(disk.Dir, "another")
	if _, err := history.New(full, deps(t)); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), full.Dir) {
		t.Errorf("open on a full disk: %v", err)
	}
	disk.Free()
	for s.Flush(t.Context()) != nil {
		select {
		case <-t.Context().Done():
			t.Fatal("never written")
		case <-time.After(time.Millisecond):
		}
	}
	stop()
	s, _ = start(t, cfg, deps(t))
	if got := len(all(s.Now())); got != n || len(s.Status().Isolated) > 0 {
		t.Errorf("after a restart: %d facts of %d; isolated: %q", got, n, s.Status().Isolated)
	}
}

// TestReadOnlyDisk opens a history where nothing can be written: the error names what, and nothing is changed.
func TestReadOnlyDisk(t *testing.T) {
	disk := smalldisk.New(t, t.TempDir(), "4m")
	cfg := config(t)
	cfg.Dir = filepath.Join(disk.Dir, "history")
	s, stop := start(t, cfg, deps(t))
	s.Record(inventory.Became(pod(0, "Running"), epoch))
	stop()
	disk.ReadOnly(true)
	if _, err := history.New(cfg, deps(t)); !errors.Is(err, syscall.EROFS) || !strings.Contains(err.Error(), cfg.Dir) {
		t.Errorf("open on a read-only disk: %v", err)
	}
	disk.ReadOnly(false)
	s, _ = start(t, cfg, deps(t))
	if n := len(all(s.Now())); n != 1 || len(s.Status().Isolated) > 0 {
		t.Errorf("when it can be written again: %d facts, %v", n, s.Status().Isolated)
	}
}
