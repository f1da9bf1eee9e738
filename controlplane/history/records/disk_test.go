package records_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/fabricscope/fabricscope/controlplane/history/records"
)

// smallDisk mounts a file system of a few megabytes.
func smallDisk(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Fatalf("mount a small file system, which takes root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

// fill takes all space that is left on a disk; the file it gives back frees it.
func fill(t *testing.T, dir string) (ballast string) {
	t.Helper()
	ballast = filepath.Join(dir, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for chunk := make([]byte, 4096); err == nil; {
		_, err = f.Write(chunk)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	return ballast
}

func TestFullDisk(t *testing.T) {
	disk := smallDisk(t, "size=8m")
	cfg := records.DefaultConfig()
	cfg.Dir = filepath.Join(disk, "records")
	s, stop := start(t, cfg, newClock(epoch).now)
	list := sample(9, 3000)
	appendAll(t, s, list[:1000])
	ballast := fill(t, disk)
	stored := 1000
	var err error
	for err == nil && stored < 3000 { // what is left in the last page of the log still fits
		if err = s.Append(t.Context(), append([]records.Record{}, list[stored:stored+100]...)); err == nil {
			stored += 100
		}
	}
	if !errors.Is(err, records.ErrNotStored) || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("append to a full disk: %v", err)
	}
	if st := s.Status(); st.Phase != records.Failing || !errors.Is(st.Err, syscall.ENOSPC) {
		t.Errorf("status on a full disk: %+v", st)
	}
	if d := difference(list[:stored], scan(t, s, records.Query{})); d != "" {
		t.Errorf("on a full disk: %s", d)
	}
	if err := s.Append(t.Context(), list[stored:stored+1]); !errors.Is(err, records.ErrNotStored) {
		t.Errorf("second append to a full disk: %v", err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	appendAll(t, s, list[stored:])
	if err := s.Cut(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st := s.Status(); st.Phase != records.Running || st.Err != nil {
		t.Errorf("status when there is room again: %+v", st)
	}
	stop()
	s, stop = start(t, cfg, nil)
	defer stop()
	if d := difference(list, scan(t, s, records.Query{})); d != "" {
		t.Errorf("after a restart: %s", d)
	}
	if st := s.Status(); len(st.Isolated) > 0 {
		t.Errorf("isolated: %v", st.Isolated)
	}
}

// TestNoRoomForASegment fills the disk between the log and the segment.
func TestNoRoomForASegment(t *testing.T) {
	disk := smallDisk(t, "size=8m")
	cfg := records.DefaultConfig()
	cfg.Dir = filepath.Join(disk, "records")
	cfg.SegmentRecords, cfg.CompactRecords = 1000, 1000
	s, _ := start(t, cfg, newClock(epoch).now)
	list := sample(10, 4000)
	appendAll(t, s, list[:1000])
	ballast := fill(t, disk)
	if err := s.Cut(t.Context()); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("cut on a full disk: %v", err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	await(t, "cut", func() bool { return s.Cut(t.Context()) == nil })
	appendAll(t, s, list[1000:])
	if d := difference(list, scan(t, s, records.Query{})); d != "" {
		t.Error(d)
	}
}

func TestReadOnlyDisk(t *testing.T) {
	disk := smallDisk(t, "size=8m")
	cfg := records.DefaultConfig()
	cfg.Dir = filepath.Join(disk, "records")
	s, stop := start(t, cfg, newClock(epoch).now)
	list := sample(11, 300)
	appendAll(t, s, list[:200])
	stop()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := records.New(cfg, records.Deps{}); !errors.Is(err, syscall.EROFS) {
		t.Errorf("open on a read-only disk: %v", err)
	}
	if err := syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT, ""); err != nil {
		t.Fatal(err)
	}
	s, _ = start(t, cfg, nil)
	appendAll(t, s, list[200:])
	if d := difference(list, scan(t, s, records.Query{})); d != "" {
		t.Error(d)
	}
}
