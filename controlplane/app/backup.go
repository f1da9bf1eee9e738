package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/fabricscope/fabricscope/controlplane/clock"
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

// backup writes all that is kept to a directory, which must be new or empty. recorder may be nil. What failed or was given
// up leaves nothing there; what a kill leaves has no manifest, and is never restored.
func backup(ctx context.Context, recorder *records.Recorder, flows *records.Store, store *history.Store, dir string) (err error) {
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 0 {
		return fmt.Errorf("backup: %s is not empty", dir)
	}
	created := errors.Is(err, os.ErrNotExist)
	if recorder != nil {
		if err := recorder.Flush(ctx); err != nil {
			return fmt.Errorf("backup: %w", err)
		}
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, clear(dir, created))
		}
	}()
	if err := flows.Backup(ctx, filepath.Join(dir, recordsDir)); err != nil {
		return err
	}
	if err := store.Backup(ctx, filepath.Join(dir, historyDir)); err != nil {
		return err
	}
	m, err := takeStock(ctx, dir, historyDir, recordsDir)
	if err == nil {
		err = m.write(dir)
	}
	if err != nil {
		return fmt.Errorf("backup to %s: %w", dir, err)
	}
	return nil
}

// clear takes away what a backup that failed has left, and the directory if it was made for it.
func clear(dir string, created bool) error {
	if created {
		return os.RemoveAll(dir)
	}
	var errs []error
	for _, made := range []string{historyDir, recordsDir, manifestName + ".part"} {
		errs = append(errs, os.RemoveAll(filepath.Join(dir, made)))
	}
	return errors.Join(errs...)
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
	if err := checkRestored(cfg.StateDir); err != nil {
		return err
	}
	store, flows, err := openStores(cfg, log)
	if err != nil {
		return err
	}
	return errors.Join(backup(ctx, nil, flows, store, dir), flows.Close(), store.Close())
}

func openStores(cfg config.Config, log *slog.Logger) (*history.Store, *records.Store, error) {
	c := clock.New()
	store, err := newStore(cfg, c, log, nil)
	if err != nil {
		return nil, nil, err
	}
	flows, err := newRecords(cfg, c, log, nil)
	if err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	return store, flows, nil
}
