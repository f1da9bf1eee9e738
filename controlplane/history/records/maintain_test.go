package records_test

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/history/records"
)

// clock is a clock that a test sets.
type clock struct{ ns atomic.Int64 }

func newClock(t time.Time) *clock {
	c := &clock{}
	c.set(t)
	return c
}

func (c *clock) set(t time.Time) { c.ns.Store(t.UnixNano()) }
func (c *clock) now() time.Time  { return time.Unix(0, c.ns.Load()) }

// await polls until a condition holds; the test's own deadline ends it.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for !holds() {
		select {
		case <-t.Context().Done():
			t.Fatalf("never: %s", what)
		case <-time.After(time.Millisecond):
		}
	}
}

func segments(t *testing.T, cfg records.Config) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(cfg.Dir, "segments", "*.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestCompactionKeepsEveryRecord(t *testing.T) {
	cfg := config(t)
	cfg.SegmentAge = 10 * time.Millisecond
	c := newClock(epoch)
	s, stop := start(t, cfg, c.now)
	want := sample(3, 5000)
	for i := range 5 {
		appendAll(t, s, want[i*1000:(i+1)*1000])
		if err := s.Cut(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if st := s.Status(); st.Segments != 5 {
		t.Fatalf("before its window is over: %d segments", st.Segments)
	}
	c.set(epoch.Add(2 * time.Hour))
	await(t, "one segment", func() bool { return s.Status().Segments == 1 })
	if !slices.IsSortedFunc(scan(t, s, records.Query{}), func(a, b records.Record) int {
		return cmp.Or(cmp.Compare(a.Server.Port, b.Server.Port), strings.Compare(a.Client.Address.String(), b.Client.Address.String()),
			strings.Compare(a.Server.Address.String(), b.Server.Address.String()), a.First.Compare(b.First),
			strings.Compare(a.Conversation, b.Conversation), a.Time.Compare(b.Time))
	}) {
		t.Error("not in the order that the segment says")
	}
	if d := difference(want, scan(t, s, records.Query{})); d != "" {
		t.Error(d)
	}
	if n := len(segments(t, cfg)); n != 1 {
		t.Errorf("%d files", n)
	}
	stop()
	s, _ = start(t, cfg, c.now)
	if st := s.Status(); st.Records != 5000 || len(st.Isolated) > 0 {
		t.Errorf("after a restart: %+v", st)
	}
}

// TestCompactionKilled leaves the files as a kill between the end of compaction and the deletion of what was compacted.
func TestCompactionKilled(t *testing.T) {
	cfg := config(t)
	cfg.SegmentAge = 10 * time.Millisecond
	c := newClock(epoch)
	s, stop := start(t, cfg, c.now)
	want := sample(4, 2000)
	kept := map[string][]byte{}
	for i := range 2 {
		appendAll(t, s, want[i*1000:(i+1)*1000])
		if err := s.Cut(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range segments(t, cfg) {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		kept[f] = text
	}
	c.set(epoch.Add(2 * time.Hour))
	await(t, "one segment", func() bool { return s.Status().Segments == 1 })
	stop()
	for f, text := range kept {
		if err := os.WriteFile(f, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, _ = start(t, cfg, c.now)
	if d := difference(want, scan(t, s, records.Query{})); d != "" {
		t.Error(d)
	}
	if n := len(segments(t, cfg)); n != 1 {
		t.Errorf("%d files", n)
	}
}

func TestRetentionByAgeAndBytes(t *testing.T) {
	cfg := config(t)
	cfg.SegmentAge, cfg.CompactWindow = 10*time.Millisecond, time.Second
	c := newClock(epoch)
	s, stop := start(t, cfg, c.now)
	for day := range 3 {
		list := sample(uint64(10+day), 1000)
		for i := range list {
			list[i].Time = epoch.Add(time.Duration(day) * 24 * time.Hour)
		}
		appendAll(t, s, list)
		if err := s.Cut(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	c.set(epoch.Add(cfg.Retention + time.Hour))
	await(t, "the first day is gone", func() bool { return s.Status().Segments == 2 })
	size := s.Status().Bytes
	stop()
	cfg.MaxBytes = size - 1
	s, _ = start(t, cfg, c.now)
	await(t, "the second day is gone", func() bool { return s.Status().Segments == 1 })
	got := scan(t, s, records.Query{})
	if len(got) != 1000 || !got[0].Time.Equal(epoch.Add(48*time.Hour)) {
		t.Errorf("%d records remain, the first of %v", len(got), got[0].Time)
	}
}

// TestReadersKeepWhatTheyRead deletes segments while a scan is in the first.
func TestReadersKeepWhatTheyRead(t *testing.T) {
	cfg := config(t)
	cfg.SegmentAge, cfg.CompactWindow = 10*time.Millisecond, time.Second
	c := newClock(epoch)
	s, _ := start(t, cfg, c.now)
	for i := range 3 {
		appendAll(t, s, sample(uint64(20+i), 500))
		if err := s.Cut(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	err := s.Scan(t.Context(), records.Query{}, func(*records.Record) error {
		if n++; n == 1 {
			c.set(epoch.Add(cfg.Retention + 2*time.Hour))
			await(t, "all are gone", func() bool { return s.Status().Segments == 0 })
		}
		return nil
	})
	if err != nil || n != 1500 {
		t.Errorf("%d records, %v", n, err)
	}
	if files := segments(t, cfg); len(files) > 0 {
		t.Errorf("files are left: %v", files)
	}
}
