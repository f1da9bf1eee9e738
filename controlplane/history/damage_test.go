package history_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fabricscope/fabricscope/controlplane/history"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// spoil changes one byte of a part and of a flow record.
const spoil = `UPDATE life SET states = CAST(substr(states, 1, 40) || x'ff' || substr(states, 42) AS BLOB) WHERE life = 7;
	UPDATE flow_record SET fact = replace(fact, '"packets":3', '"packets":4') WHERE conversation = 'c1'`

// observed records 100 pods and a conversation, and gives what is so then.
func observed(t *testing.T, s *history.Store) map[inventory.Ref]inventory.Entry {
	t.Helper()
	for n := range 100 {
		s.Record(inventory.Became(pod(n, "Running"), epoch))
	}
	s.Record(inventory.Became(conversation(1, 3, time.Now()), time.Now()))
	flush(t, s)
	return all(s.Now())
}

// TestDamagedRowsAtTheStart does without rows that are not what was written, and keeps all others.
func TestDamagedRowsAtTheStart(t *testing.T) {
	cfg := config(t)
	s, stop := start(t, cfg, deps(t))
	live := observed(t, s)
	stop()
	execute(t, filepath.Join(cfg.Dir, "history.db"), spoil)
	var said bytes.Buffer
	s, err := history.New(cfg, history.Deps{Log: slog.New(slog.NewTextHandler(&said, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if st := s.Status(); st.Damaged != 2 || !errors.Is(st.Damage, history.ErrCorrupt) || len(st.Isolated) > 0 {
		t.Errorf("status %+v", st)
	}
	for _, want := range []string{"part 0 of life 7", "flow record 1"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("the log has no %q:\n%s", want, said.String())
		}
	}
	if n := len(all(s.Now())); n != len(live)-2 {
		t.Errorf("%d facts, want all %d but 2", n, len(live))
	}
	if n := history.Rows(t, s, "damaged"); n != 2 {
		t.Errorf("%d rows are kept aside", n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, _ = start(t, cfg, deps(t))
	if st := s.Status(); st.Damaged != 0 || len(all(s.Now())) != len(live)-2 {
		t.Errorf("after another start: %+v", st)
	}
}

// TestDamagedRowsWhileItRuns tells whoever asks for a damaged row, takes it out, and writes anew what is so now.
func TestDamagedRowsWhileItRuns(t *testing.T) {
	cfg := config(t)
	s, stop := start(t, cfg, deps(t))
	live := observed(t, s)
	execute(t, filepath.Join(cfg.Dir, "history.db"), spoil)
	for n := range uint64(2) {
		if _, err := s.At(t.Context(), time.Now(), history.ByCommit); !errors.Is(err, history.ErrCorrupt) {
			t.Fatalf("question %d: %v, want %v", n, err, history.ErrCorrupt)
		}
		eventually(t, func() bool { return s.Status().Damaged == n+1 })
	}
	flush(t, s)
	past := all(at(t, s, time.Now(), history.ByCommit))
	delete(live, conversation(1, 0, epoch).Ref()) // its next state is written again
	if diff := cmp.Diff(live, past, equal...); diff != "" {
		t.Errorf("the past without the damage (-want +got):\n%s", diff)
	}
	stop()
	s, _ = start(t, cfg, deps(t))
	if diff := cmp.Diff(live, all(s.Now()), equal...); diff != "" {
		t.Errorf("after a restart (-want +got):\n%s", diff)
	}
}

// TestDamagedPageWhileItRuns goes on live when a page that it writes to is damaged, and begins anew at the next start.
func TestDamagedPageWhileItRuns(t *testing.T) {
	cfg := config(t)
	made(t, cfg.Dir)
	file := filepath.Join(cfg.Dir, "history.db")
	overwrite(t, file, 4096*(rootOf(t, file, "owner")-1), make([]byte, 4096))
	s, stop := failing(t, cfg)
	if len(all(s.Now())) != 100 {
		t.Fatalf("%d facts, want those of before: the damage is elsewhere", len(all(s.Now())))
	}
	before := time.Now()
	s.Record(inventory.Became(pod(200, "Running"), epoch))
	if err := s.Flush(t.Context()); !errors.Is(err, history.ErrNotStored) || !errors.Is(err, history.ErrCorrupt) || !strings.Contains(err.Error(), "starts again") {
		t.Errorf("flush: %v", err)
	}
	if len(all(s.Now())) != 101 {
		t.Errorf("%d facts live", len(all(s.Now())))
	}
	if err := stop(); !errors.Is(err, history.ErrNotStored) {
		t.Errorf("at the end: %v", err)
	}

	s, _ = start(t, cfg, deps(t))
	if st := s.Status(); len(st.Isolated) != 1 {
		t.Errorf("status %+v", st)
	}
	if _, err := s.At(t.Context(), before, history.ByCommit); !errors.Is(err, history.ErrBeforeRetention) {
		t.Errorf("what was before: %v, want %v", err, history.ErrBeforeRetention)
	}
	s.Record(inventory.Became(pod(200, "Running"), epoch))
	flush(t, s)
}

// TestDamagedLog tells what a kill has torn from what was damaged after it was acknowledged.
func TestDamagedLog(t *testing.T) {
	whole := config(t)
	s, _ := start(t, whole, deps(t))
	for n := range 50 {
		s.Record(inventory.Became(pod(n, "Running"), epoch))
		flush(t, s)
	}
	log, err := os.ReadFile(filepath.Join(whole.Dir, "history.db-wal"))
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(whole.Dir, "history.db"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		damage      func([]byte) []byte
		least, most int // pods that are left
		isolated    int
	}{
		"killed":        {func(log []byte) []byte { return log }, 50, 50, 0},
		"torn":          {func(log []byte) []byte { return log[:len(log)-1000] }, 49, 49, 0},
		"torn page":     {func(log []byte) []byte { log[len(log)-1000] ^= 1; return log }, 49, 49, 0},
		"bit of a page": {func(log []byte) []byte { log[len(log)/2] ^= 1; return log }, 1, 48, 1},
		"bit of header": {func(log []byte) []byte { log[20] ^= 1; return log }, 0, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t)
			if err := errors.Join(os.MkdirAll(cfg.Dir, 0o700), os.WriteFile(filepath.Join(cfg.Dir, "history.db"), file, 0o600),
				os.WriteFile(filepath.Join(cfg.Dir, "history.db-wal"), c.damage(bytes.Clone(log)), 0o600)); err != nil {
				t.Fatal(err)
			}
			var said bytes.Buffer
			s, err := history.New(cfg, history.Deps{Log: slog.New(slog.NewTextHandler(&said, nil))})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if n := len(all(s.Now())); n < c.least || n > c.most {
				t.Errorf("%d pods, want %d to %d", n, c.least, c.most)
			}
			if st := s.Status(); len(st.Isolated) != c.isolated {
				t.Errorf("isolated: %v\n%s", st.Isolated, said.String())
			}
			if strings.Contains(said.String(), "log of the history is damaged") != (c.isolated > 0) {
				t.Errorf("it says: %s", said.String())
			}
		})
	}
}

// TestLostEnd loses the end of the log after it was acknowledged, where nothing that is left of the log can tell: it is said at the
// next start, and once.
func TestLostEnd(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(log []byte) []byte
		note   bool
		lost   string
	}{
		"killed":              {func(log []byte) []byte { return log }, true, ""},
		"the last page":       {func(log []byte) []byte { log[len(log)-1000] ^= 1; return log }, true, "the last 1 changes"},
		"cut":                 {func(log []byte) []byte { return log[:len(log)-1000] }, true, "the last 1 changes"},
		"the whole log":       {func([]byte) []byte { return nil }, true, "the last 50 changes"},
		"with nothing to say": {func(log []byte) []byte { return log[:len(log)-1000] }, false, ""}, // as files of before
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t)
			s, stop := start(t, cfg, deps(t))
			for n := range 50 {
				s.Record(inventory.Became(pod(n, "Running"), epoch))
				flush(t, s)
			}
			killed(t, cfg, stop)
			log := filepath.Join(cfg.Dir, "history.db-wal")
			text, err := os.ReadFile(log)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(log, c.damage(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if !c.note {
				if err := os.WriteFile(filepath.Join(cfg.Dir, "history.last"), []byte("x"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			s, stop = start(t, cfg, deps(t))
			if st := s.Status(); (c.lost == "") != (st.Damage == nil) || st.Damage != nil && (!errors.Is(st.Damage, history.ErrCorrupt) || !strings.Contains(st.Damage.Error(), c.lost)) {
				t.Errorf("status %+v, want %q", st, c.lost)
			}
			s.Record(inventory.Became(pod(100, "Running"), epoch))
			flush(t, s)
			killed(t, cfg, stop)
			s, _ = start(t, cfg, deps(t))
			if st := s.Status(); st.Damage != nil {
				t.Errorf("after another start: %v", st.Damage)
			}
		})
	}
}

// failing is start for a store whose end is an error.
func failing(t *testing.T, cfg history.Config) (s *history.Store, stop func() error) {
	t.Helper()
	s, err := history.New(cfg, deps(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	return s, func() error {
		cancel()
		return <-ended
	}
}

// overwrite writes bytes into a file.
func overwrite(t *testing.T, file string, at int64, with []byte) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt(with, at)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// rootOf gives the first page of a table, from 1.
func rootOf(t *testing.T, file, table string) (page int64) {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow(fmt.Sprintf("SELECT rootpage FROM sqlite_schema WHERE name = '%s'", table)).Scan(&page); err != nil {
		t.Fatal(err)
	}
	return page
}
