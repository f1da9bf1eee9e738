package records_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fabricscope/fabricscope/controlplane/history/records"
)

func TestMain(m *testing.M) {
	appendUntilKilled()
	goleak.VerifyTestMain(m)
}

// childDir names the directory of a child of TestKill.
const childDir = "FABRICSCOPE_TEST_RECORDS_DIR"

// killConfig makes everything that a store does happen many times a second.
func killConfig(dir string) records.Config {
	cfg := records.DefaultConfig()
	cfg.Dir, cfg.SegmentRecords, cfg.SegmentAge, cfg.CompactWindow = dir, 500, 20*time.Millisecond, 40*time.Millisecond
	return cfg
}

// batchSize is how many records a batch of TestKill has.
const batchSize = 50

// appendUntilKilled is the child of TestKill: it appends batches and prints the number of each that is
// acknowledged. Without the variable it returns at once.
func appendUntilKilled() {
	dir := os.Getenv(childDir)
	if dir == "" {
		return
	}
	stop := func(err error) {
		fmt.Println(err)
		os.Exit(1)
	}
	s, err := records.New(killConfig(dir), records.Deps{})
	if err != nil {
		stop(err)
	}
	go func() { stop(s.Run(context.Background())) }()
	next := 0
	if err := s.Scan(context.Background(), records.Query{}, func(r *records.Record) error {
		var batch, i int
		_, err := fmt.Sscanf(r.Conversation, "%d-%d", &batch, &i)
		next = max(next, batch+1)
		return err
	}); err != nil {
		stop(err)
	}
	for ; ; next++ {
		batch := sample(uint64(next), batchSize)
		for i := range batch {
			batch[i].Conversation = fmt.Sprintf("%d-%d", next, i)
			batch[i].Time = time.Now().UTC().Truncate(time.Millisecond)
		}
		if err := s.Append(context.Background(), batch); err != nil {
			stop(err)
		}
		fmt.Println("acknowledged", next)
	}
}

// TestKill kills a process at moments that a seed chooses, again and again in the same directory.
func TestKill(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "records")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(7, 7))
	acknowledged := map[int]bool{}
	for round := range 8 {
		child := exec.CommandContext(t.Context(), self)
		child.Env = append(os.Environ(), childDir+"="+dir)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		left := 1 + random.IntN(120)
		delay := time.Duration(random.IntN(3000)) * time.Microsecond
		for lines := bufio.NewScanner(out); lines.Scan(); left-- {
			var n int
			if _, err := fmt.Sscanf(lines.Text(), "acknowledged %d", &n); err != nil {
				t.Fatalf("child says: %s", lines.Text())
			}
			acknowledged[n] = true
			if left == 0 {
				time.AfterFunc(delay, func() { _ = child.Process.Kill() })
			}
		}
		_ = child.Wait()
		checkBatches(t, dir, round, acknowledged)
	}
}

// checkBatches looks for acknowledged batches that are not there, and for any that are there twice or in part.
func checkBatches(t *testing.T, dir string, round int, acknowledged map[int]bool) {
	t.Helper()
	s, stop := start(t, killConfig(dir), nil)
	defer stop()
	seen := map[string]bool{}
	whole := map[int]int{}
	for _, r := range scan(t, s, records.Query{}) {
		if seen[r.Conversation] {
			t.Fatalf("round %d: %s is there twice", round, r.Conversation)
		}
		seen[r.Conversation] = true
		var batch, i int
		if _, err := fmt.Sscanf(r.Conversation, "%d-%d", &batch, &i); err != nil {
			t.Fatal(err)
		}
		whole[batch]++
	}
	for n := range acknowledged {
		if whole[n] != batchSize {
			t.Fatalf("round %d: of batch %d, acknowledged, %d records are there", round, n, whole[n])
		}
	}
	for n, records := range whole {
		if records != batchSize {
			t.Fatalf("round %d: of batch %d, %d records are there", round, n, records)
		}
		acknowledged[n] = true // what was found must stay
	}
	if st := s.Status(); len(st.Isolated) > 0 {
		t.Fatalf("round %d: a kill damaged %v", round, st.Isolated)
	}
}

// opened opens a store and gives what it logged.
func opened(t *testing.T, cfg records.Config) (*records.Store, string) {
	t.Helper()
	var said bytes.Buffer
	s, err := records.New(cfg, records.Deps{Log: slog.New(slog.NewTextHandler(&said, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, said.String()
}

// filled gives the configuration of a closed store that has a segment of 1000 records and a log of 500.
func filled(t *testing.T) records.Config {
	cfg := config(t)
	s, stop := start(t, cfg, newClock(epoch).now)
	list := sample(8, 1500)
	appendAll(t, s, list[:1000])
	if err := s.Cut(t.Context()); err != nil {
		t.Fatal(err)
	}
	appendAll(t, s, list[1000:])
	stop()
	return cfg
}

// newestLog gives the path of the log's file that has batches.
func newestLog(t *testing.T, cfg records.Config) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(cfg.Dir, "wal", "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	return files[len(files)-1]
}

func TestDamage(t *testing.T) {
	overwrite := func(t *testing.T, path string, at int64, with []byte) {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt(with, at); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	size := func(t *testing.T, path string) int64 {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	for name, c := range map[string]struct {
		damage   func(t *testing.T, cfg records.Config)
		least    int // records that have to be left
		most     int
		says     string
		isolated int
	}{
		"torn log": {func(t *testing.T, cfg records.Config) {
			if err := os.Truncate(newestLog(t, cfg), size(t, newestLog(t, cfg))/2); err != nil {
				t.Fatal(err)
			}
		}, 1000, 1400, "ends within a batch", 0},
		"damaged log": {func(t *testing.T, cfg records.Config) {
			overwrite(t, newestLog(t, cfg), size(t, newestLog(t, cfg))/2, []byte("damage"))
		}, 1000, 1400, "log is damaged", 1},
		"cut segment": {func(t *testing.T, cfg records.Config) {
			if err := os.Truncate(segments(t, cfg)[0], 4000); err != nil {
				t.Fatal(err)
			}
		}, 500, 500, "damaged file is isolated", 1},
		"bit of a footer": {func(t *testing.T, cfg records.Config) {
			overwrite(t, segments(t, cfg)[0], size(t, segments(t, cfg)[0])-500, []byte{0x55})
		}, 500, 500, "its footer has another sum", 1},
		"end of the log": {func(t *testing.T, cfg records.Config) {
			overwrite(t, newestLog(t, cfg), size(t, newestLog(t, cfg))-100, []byte("damage"))
		}, 1000, 1500, "log is damaged", 1},
		"foreign file": {func(t *testing.T, cfg records.Config) {
			if err := os.WriteFile(filepath.Join(cfg.Dir, "segments", "holiday.parquet"), []byte("PAR1"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, 1500, 1500, "damaged file is isolated", 1},
		"unfinished segment": {func(t *testing.T, cfg records.Config) {
			if err := os.WriteFile(segments(t, cfg)[0]+".new", []byte("PAR1"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, 1500, 1500, "was not finished", 0},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := filled(t)
			c.damage(t, cfg)
			s, said := opened(t, cfg)
			if !strings.Contains(said, c.says) {
				t.Errorf("log has no %q:\n%s", c.says, said)
			}
			if n := len(scan(t, s, records.Query{})); n < c.least || n > c.most {
				t.Errorf("%d records are left, want %d to %d", n, c.least, c.most)
			}
			if st := s.Status(); len(st.Isolated) != c.isolated {
				t.Errorf("isolated: %v", st.Isolated)
			}
		})
	}
}

// TestDamagedPage damages what only a query reads: the query says so, and the next does without.
func TestDamagedPage(t *testing.T) {
	cfg := filled(t)
	f, err := os.OpenFile(segments(t, cfg)[0], os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(bytes.Repeat([]byte{0xff}, 5000), 100); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	s, _ := opened(t, cfg)
	err = s.Scan(t.Context(), records.Query{}, func(*records.Record) error { return nil })
	if !errors.Is(err, records.ErrCorrupt) {
		t.Fatalf("got %v, want %v", err, records.ErrCorrupt)
	}
	if n := len(scan(t, s, records.Query{})); n != 500 {
		t.Errorf("%d records are left, want those of the log", n)
	}
	if st := s.Status(); len(st.Isolated) != 1 {
		t.Errorf("isolated: %v", st.Isolated)
	}
}

func TestOneProcessAtATime(t *testing.T) {
	cfg := config(t)
	_, stop := start(t, cfg, nil)
	if _, err := records.New(cfg, records.Deps{}); !errors.Is(err, records.ErrInUse) {
		t.Errorf("second store: %v, want %v", err, records.ErrInUse)
	}
	stop()
}

func TestAppendAfterTheEnd(t *testing.T) {
	s, stop := start(t, config(t), nil)
	stop()
	if err := s.Append(t.Context(), sample(1, 1)); !errors.Is(err, records.ErrClosed) {
		t.Errorf("got %v, want %v", err, records.ErrClosed)
	}
}
