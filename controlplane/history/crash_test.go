package history_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/history"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

const childDir = "FABRICSCOPE_TEST_HISTORY_DIR"

// recordUntilKilled is the child of TestKill: it records pods one by one and prints the number of each
// that is acknowledged. Without the variable it returns at once.
func recordUntilKilled() {
	cfg := history.DefaultConfig()
	if cfg.Dir = os.Getenv(childDir); cfg.Dir == "" {
		return
	}
	s, err := history.New(cfg, history.Deps{})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	go func() {
		fmt.Println(s.Run(context.Background()))
		os.Exit(1)
	}()
	for n := len(all(s.Now())); ; n++ {
		s.Record(inventory.Became(pod(n, "Running"), epoch))
		if err := s.Flush(context.Background()); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("acknowledged", n)
	}
}

func TestKill(t *testing.T) {
	cfg := config(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	known := -1
	for range 3 {
		child := exec.CommandContext(t.Context(), self)
		child.Env = append(os.Environ(), childDir+"="+cfg.Dir)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for acknowledged := 0; lines.Scan(); acknowledged++ {
			if _, err := fmt.Sscanf(lines.Text(), "acknowledged %d", &known); err != nil {
				t.Fatalf("child says: %s", lines.Text())
			}
			if acknowledged == 60 {
				if err := child.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = child.Wait()

		s, stop := start(t, cfg, deps(t))
		for n := range known + 1 {
			if _, ok := s.Now().Get(pod(n, "").Ref()); !ok {
				t.Fatalf("pod %d of %d acknowledged is lost", n, known+1)
			}
		}
		if n := len(all(s.Now())); n > known+2 {
			t.Errorf("%d pods after %d acknowledged", n, known+1)
		}
		stop()
	}
}

func TestFilesThatCannotBeUsed(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(t *testing.T, file string)
		want    error
	}{
		"foreign": {func(t *testing.T, file string) { execute(t, file, "CREATE TABLE x (y)") }, history.ErrCorrupt},
		"newer": {func(t *testing.T, file string) {
			made(t, filepath.Dir(file))
			execute(t, file, "PRAGMA user_version = 99")
		}, history.ErrNewerSchema},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t)
			if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(cfg.Dir, "history.db")
			c.prepare(t, file)
			_, err := history.New(cfg, deps(t))
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), file) {
				t.Errorf("got %v; want %v and the name of the file", err, c.want)
			}
		})
	}
}

// TestDamagedFilesAreIsolated begins anew where a file is damaged, and keeps what there was.
func TestDamagedFilesAreIsolated(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, file string) error{
		"no database": func(_ *testing.T, file string) error {
			return os.WriteFile(file, []byte(strings.Repeat("no database ", 1000)), 0o600)
		},
		"emptied": func(t *testing.T, file string) error {
			made(t, filepath.Dir(file))
			return os.Truncate(file, 0)
		},
		"cut": func(t *testing.T, file string) error {
			made(t, filepath.Dir(file))
			return os.Truncate(file, 20<<10)
		},
		"overwritten": func(t *testing.T, file string) error {
			made(t, filepath.Dir(file))
			f, err := os.OpenFile(file, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteAt(make([]byte, 16<<10), 4096)
			return errors.Join(err, f.Close())
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t)
			if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(cfg.Dir, "history.db")
			if err := damage(t, file); err != nil {
				t.Fatal(err)
			}
			before, err := os.Stat(file)
			if err != nil {
				t.Fatal(err)
			}
			s, stop := start(t, cfg, deps(t))
			isolated := strings.Join(s.Status().Isolated, " ")
			if after, err := os.Stat(isolated); err != nil || after.Size() != before.Size() {
				t.Errorf("isolated as %q, which is not as long as it was: %v", isolated, err)
			}
			s.Record(inventory.Became(pod(1, "Running"), epoch))
			stop()
			s, _ = start(t, cfg, deps(t))
			if n := len(all(s.Now())); n != 1 || len(s.Status().Isolated) > 0 {
				t.Errorf("the new history has %d facts after a restart; isolated: %q", n, s.Status().Isolated)
			}
		})
	}
}

// made makes a history with something in it.
func made(t *testing.T, dir string) {
	cfg := history.DefaultConfig()
	cfg.Dir = dir
	s, stop := start(t, cfg, deps(t))
	for n := range 100 {
		s.Record(inventory.Became(pod(n, "Running"), epoch))
	}
	stop()
}

func TestOneProcessAtATime(t *testing.T) {
	cfg := config(t)
	s, stop := start(t, cfg, deps(t))
	if _, err := history.New(cfg, deps(t)); !errors.Is(err, history.ErrInUse) {
		t.Errorf("second store: %v, want %v", err, history.ErrInUse)
	}
	stop()
	if err := s.Flush(t.Context()); err != nil {
		t.Errorf("flush of nothing after the end: %v", err)
	}
	s.Record(inventory.Became(pod(1, "Running"), time.Now()))
	if n := len(all(s.Now())); n != 0 {
		t.Errorf("%d facts recorded after the end", n)
	}
	if _, err := s.At(t.Context(), time.Now(), history.ByEvent); !errors.Is(err, history.ErrClosed) {
		t.Errorf("past after the end: %v", err)
	}
	again, err := history.New(cfg, deps(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}
