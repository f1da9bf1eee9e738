package history_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

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

// TestStartOnAFullDisk opens a history where nothing more can be written: what it has is read, what comes is live and waits, the
// status says so, and all is written as soon as there is room.
func TestStartOnAFullDisk(t *testing.T) {
	for name, c := range map[string]struct {
		pods  int
		leave func(t *testing.T, cfg history.Config, stop func())
	}{
		"closed": {50, func(_ *testing.T, _ history.Config, stop func()) { stop() }},
		"killed": {50, killed},
		"of nothing": {0, func(t *testing.T, cfg history.Config, stop func()) {
			stop()
			if err := os.RemoveAll(cfg.Dir); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			disk := smalldisk.New(t, t.TempDir(), "8m")
			cfg := config(t)
			cfg.Dir = filepath.Join(disk.Dir, "history")
			s, stop := start(t, cfg, deps(t))
			for n := range c.pods {
				s.Record(inventory.Became(pod(n, "Running"), epoch))
			}
			flush(t, s)
			before := all(s.Now())
			c.leave(t, cfg, stop)
			disk.Fill()
			s, stop = start(t, cfg, deps(t))
			if diff := cmp.Diff(before, all(s.Now()), equal...); diff != "" {
				t.Errorf("read on a full disk (-want +got):\n%s", diff)
			}
			if st := s.Status(); !errors.Is(st.Err, syscall.ENOSPC) || !strings.Contains(st.Err.Error(), cfg.Dir) || len(st.Isolated) > 0 {
				t.Errorf("status %+v", st)
			}
			stop() // with nothing to write, which is no error
			s, stop = start(t, cfg, deps(t))
			s.Record(inventory.Ended(pod(0, "").Ref(), epoch.Add(time.Minute)), inventory.Became(pod(100, "Running"), epoch.Add(time.Minute)))
			if err := s.Flush(t.Context()); !errors.Is(err, history.ErrNotStored) || !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("flush: %v", err)
			}
			if _, err := s.At(t.Context(), time.Now(), history.ByCommit); !errors.Is(err, history.ErrNotStored) {
				t.Errorf("the past that is not stored: %v", err)
			}
			live := all(s.Now())
			disk.Free()
			eventually(t, func() bool { return s.Flush(t.Context()) == nil })
			if st := s.Status(); st.Phase != history.Running || st.Err != nil || st.Dropped > 0 {
				t.Errorf("when there is room: %+v", st)
			}
			for when, want := range map[time.Time]map[inventory.Ref]inventory.Entry{epoch.Add(time.Second): before, epoch.Add(time.Hour): live} {
				if diff := cmp.Diff(want, all(at(t, s, when, history.ByEvent)), equal...); diff != "" {
					t.Errorf("at %v (-want +got):\n%s", when, diff)
				}
			}
			stop()
			s, _ = start(t, cfg, deps(t))
			if diff := cmp.Diff(live, all(s.Now()), equal...); diff != "" || len(s.Status().Isolated) > 0 {
				t.Errorf("after a restart, isolated %q (-want +got):\n%s", s.Status().Isolated, diff)
			}
		})
	}
}

// TestFullDiskWithMoreThanWaits has more changes than wait for room after the start: all that is so then is written.
func TestFullDiskWithMoreThanWaits(t *testing.T) {
	disk := smalldisk.New(t, t.TempDir(), "8m")
	cfg := config(t)
	cfg.Dir, cfg.QueueSize = filepath.Join(disk.Dir, "history"), 20
	s, stop := start(t, cfg, deps(t))
	observed(t, s)
	stop()
	disk.Fill()
	s, stop = start(t, cfg, deps(t))
	for s.Flush(t.Context()) == nil { // the writer has not met the disk
		s.Record(inventory.Became(pod(200, "Running"), time.Now()))
	}
	for n := range 100 {
		s.Record(inventory.Ended(pod(n, "").Ref(), time.Now()), inventory.Became(pod(300+n, "Running"), time.Now()))
	}
	if st := s.Status(); st.Phase != history.Dropping || st.Dropped == 0 {
		t.Errorf("status %+v", st)
	}
	disk.Free()
	eventually(t, func() bool { return s.Flush(t.Context()) == nil })
	live := all(s.Now())
	stop()
	s, _ = start(t, cfg, deps(t))
	if diff := cmp.Diff(live, all(s.Now()), append(equal, cmpopts.IgnoreFields(inventory.Entry{}, "Commit"))...); diff != "" {
		t.Errorf("after a restart (-want +got):\n%s", diff)
	}
}

// killed gives a directory the files that a kill would have left in it.
func killed(t *testing.T, cfg history.Config, stop func()) {
	left := map[string][]byte{}
	for _, name := range []string{"history.db", "history.db-wal", "history.last"} {
		content, err := os.ReadFile(filepath.Join(cfg.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		left[name] = content
	}
	stop()
	for name, content := range left {
		if err := os.WriteFile(filepath.Join(cfg.Dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
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
