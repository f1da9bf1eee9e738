package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/config"
	"github.com/fabricscope/fabricscope/controlplane/history"
	"github.com/fabricscope/fabricscope/controlplane/history/records"
)

// Directories of what is kept, in the state directory and in a backup.
const (
	historyDir = "history"
	recordsDir = "records"
)

// errNotRunning says that there is no daemon to ask.
var errNotRunning = errors.New("no daemon runs")

// backup writes all that is kept to a directory, which must be new or empty. recorder may be nil.
func backup(ctx context.Context, recorder *records.Recorder, flows *records.Store, store *history.Store, dir string) error {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return fmt.Errorf("backup: %s is not empty", dir)
	}
	if recorder != nil {
		if err := recorder.Flush(ctx); err != nil {
			return fmt.Errorf("backup: %w", err)
		}
	}
	return errors.Join(flows.Backup(ctx, filepath.Join(dir, recordsDir)), store.Backup(ctx, filepath.Join(dir, historyDir)))
}

// Backup writes all that the daemon of a configuration keeps to a directory: through the daemon while it
// runs, else by itself.
func Backup(ctx context.Context, cfg config.Config, dir string, log *slog.Logger) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if err := askForBackup(ctx, cfg.StateDir, dir); !errors.Is(err, errNotRunning) {
		return err
	}
	store, flows, err := openStores(cfg, log)
	if err != nil {
		return err
	}
	return errors.Join(backup(ctx, nil, flows, store, dir), flows.Close(), store.Close())
}

func openStores(cfg config.Config, log *slog.Logger) (*history.Store, *records.Store, error) {
	store, err := newStore(cfg, log, nil)
	if err != nil {
		return nil, nil, err
	}
	flows, err := newRecords(cfg, log, nil)
	if err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	return store, flows, nil
}

// Restore makes a backup what the daemon of a configuration keeps, while it does not run, and says what it has. What was
// kept before is moved aside in the state directory.
func Restore(cfg config.Config, dir string, log *slog.Logger, out io.Writer) error {
	for _, d := range []string{historyDir, recordsDir} {
		if _, err := os.Stat(filepath.Join(dir, d)); err != nil {
			return fmt.Errorf("restore: %s is no backup: %w", dir, err)
		}
	}
	store, flows, err := openStores(cfg, log) // holds the locks, so that no daemon runs
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	aside := filepath.Join(cfg.StateDir, "before-restore-"+time.Now().UTC().Format("20060102T150405Z"))
	if err := errors.Join(moveAside(cfg.StateDir, aside), flows.Close(), store.Close()); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	for _, d := range []string{historyDir, recordsDir} {
		if err := os.CopyFS(filepath.Join(cfg.StateDir, d), os.DirFS(filepath.Join(dir, d))); err != nil {
			return fmt.Errorf("restore: %w", err)
		}
	}
	if store, flows, err = openStores(cfg, log); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	v, st := store.Status(), flows.Status()
	fmt.Fprintf(out, "restored %d changes and %d flow records; what was here before is in %s\n", v.Stored, st.Records+int64(st.Head), aside)
	return errors.Join(flows.Close(), store.Close())
}

func moveAside(stateDir, aside string) error {
	if err := os.MkdirAll(aside, 0o750); err != nil {
		return err
	}
	for _, d := range []string{historyDir, recordsDir} {
		if err := os.Rename(filepath.Join(stateDir, d), filepath.Join(aside, d)); err != nil {
			return err
		}
	}
	return nil
}
