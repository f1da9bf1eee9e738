package app

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/fabricscope/fabricscope/controlplane/config"
	"github.com/fabricscope/fabricscope/controlplane/history/smalldisk"
)

// saved makes a backup of a daemon that knew 50 pods.
func saved(t *testing.T) (dir string) {
	t.Helper()
	file, _ := configured(t)
	cfg, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	d, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	stop := runBehind(d.records.Run, runBehind(d.store.Run, func() error { return nil }))
	observe(d, 0, 50)
	dir = filepath.Join(t.TempDir(), "saved")
	if err := backup(t.Context(), d.recorder, d.records, d.store, dir); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestRestoreOfWhatIsNoWholeBackup changes a backup in each way: nothing of it is restored then, and the daemon is as it was.
func TestRestoreOfWhatIsNoWholeBackup(t *testing.T) {
	flip := func(pattern string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			files, err := filepath.Glob(filepath.Join(dir, pattern))
			if err != nil || len(files) == 0 {
				t.Fatal(files, err)
			}
			content, err := os.ReadFile(files[0])
			if err != nil {
				t.Fatal(err)
			}
			content[len(content)/2] ^= 1
			if err := errors.Join(os.Remove(files[0]), os.WriteFile(files[0], content, 0o600)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		change func(t *testing.T, dir string)
		says   string
	}{
		"killed before its end": {func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, manifestName)); err != nil {
				t.Fatal(err)
			}
		}, "has no " + manifestName},
		"a bit of the history": {flip("history/history.db"), "history.db: no whole backup"},
		"a bit of a segment":   {flip("records/segments/*"), ".parquet: no whole backup"},
		"a bit of its list":    {flip(manifestName), "saved"},
		"a file too few": {func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, "history", "history.db")); err != nil {
				t.Fatal(err)
			}
		}, "history.db: no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := saved(t)
			c.change(t, dir)
			file, state := configured(t)
			if status, said := command("restore", "--config", file, dir); status == 0 || !strings.Contains(said, c.says) {
				t.Errorf("status %d, %q has no %q", status, said, c.says)
			}
			if left, err := os.ReadDir(state); err == nil && len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// TestRestoreThatWasKilled lets no daemon run on half of a backup, and the next restore end the work.
func TestRestoreThatWasKilled(t *testing.T) {
	dir := saved(t)
	file, state := configured(t)
	if err := os.MkdirAll(filepath.Join(state, restoringDir, recordsDir), 0o750); err != nil {
		t.Fatal(err)
	}
	if status, said := command("--config", file); status == 0 || !strings.Contains(said, "a restore did not end") {
		t.Errorf("a daemon after it: %d, %s", status, said)
	}
	if status, said := command("restore", "--config", file, dir); status != 0 {
		t.Fatalf("restore again: %s", said)
	}
	if pods, packets := kept(t, file); pods != 50 || packets != 350 {
		t.Errorf("restored %d pods and %d packets, want 50 and 350", pods, packets)
	}
}

// TestBackupThatFails has no room, or nobody who waits for it: it leaves nothing behind, and the daemon goes on.
func TestBackupThatFails(t *testing.T) {
	dir := t.TempDir()
	v := revive(t, filepath.Join(dir, "state"))
	v.observe(200, 10)
	disk := smalldisk.New(t, filepath.Join(dir, "small"), "1m")
	disk.Fill()
	given, giveUp := context.WithCancel(t.Context())
	giveUp()
	for name, c := range map[string]struct {
		ctx  context.Context
		to   string
		want error
	}{
		"full":     {t.Context(), filepath.Join(disk.Dir, "saved"), syscall.ENOSPC},
		"given up": {given, filepath.Join(dir, "saved"), context.Canceled},
	} {
		err := backup(c.ctx, v.recorder, v.flows, v.store, c.to)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if left, err := os.ReadDir(c.to); err == nil {
			t.Errorf("%s: left behind: %v", name, left)
		}
	}
	disk.Free()
	for _, to := range []string{filepath.Join(disk.Dir, "saved"), filepath.Join(dir, "saved")} {
		if err := backup(t.Context(), v.recorder, v.flows, v.store, to); err != nil {
			t.Errorf("again: %v", err)
		}
	}
}
