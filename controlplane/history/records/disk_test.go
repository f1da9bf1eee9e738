package records_test

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/fabricscope/fabricscope/controlplane/history/records"
	"github.com/fabricscope/fabricscope/controlplane/history/smalldisk"
)

func TestFullDisk(t *testing.T) {
	disk := smalldisk.New(t, t.TempDir(), "8m")
	cfg := records.DefaultConfig()
	cfg.Dir = filepath.Join(disk.Dir, "records")
	s, stop := start(t, cfg, newClock(epoch).now)
	list := sample(9, 3000)
	appendAll(t, s, list[:1000])
	disk.Fill()
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
	disk.Free()
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
	disk := smalldisk.New(t, t.TempDir(), "8m")
	cfg := records.DefaultConfig()
	cfg.Dir = filepath.Join(disk.Dir, "records")
	cfg.SegmentRecords, cfg.CompactRecords = 1000, 1000
	s, _ := start(t, cfg, newClock(epoch).now)
	list := sample(10, 4000)
	appendAll(t, s, list[:1000])
	disk.Fill()
	if err := s.Cut(t.Context()); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("cut on a full disk: %v", err)
	}
	disk.Free()
	await(t, "cut", func() bool { return s.Cut(t.Context()) == nil })
	appendAll(t, s, list[1000:])
	if d := difference(list, scan(t, s, records.Query{})); d != "" {
		t.Error(d)
	}
}

func TestReadOnlyDisk(t *testing.T) {
	disk := smalldisk.New(t, t.TempDir(), "8m")
	cfg := records.DefaultConfig()
	cfg.Dir = filepath.Join(disk.Dir, "records")
	s, stop := start(t, cfg, newClock(epoch).now)
	list := sample(11, 300)
	appendAll(t, s, list[:200])
	stop()
	disk.ReadOnly(true)
	if _, err := records.New(cfg, records.Deps{}); !errors.Is(err, syscall.EROFS) {
		t.Errorf("open on a read-only disk: %v", err)
	}
	disk.ReadOnly(false)
	s, _ = start(t, cfg, nil)
	appendAll(t, s, list[200:])
	if d := difference(list, scan(t, s, records.Query{})); d != "" {
		t.Error(d)
	}
}
