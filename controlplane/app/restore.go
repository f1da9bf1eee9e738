package app

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/config"
)

// restoringDir is where a restore copies to, in the state directory. It is there only while one goes on, or was killed.
const restoringDir = "restoring"

// checkRestored refuses what a restore that was killed has left: some of it may be of the backup, and some not.
func checkRestored(stateDir string) error {
	left := filepath.Join(stateDir, restoringDir)
	if _, err := os.Lstat(left); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	return fmt.Errorf("%s: a restore did not end: run it again (with --replace if it refuses), or delete this directory", left)
}

// Restore makes a backup what the daemon of a configuration keeps, while it does not run, and says what it has. Nothing is
// changed before every file of the backup was copied and found to be what was saved. It refuses where
// something is kept already, unless replace is set: then that is moved aside in the state directory.
func Restore(cfg config.Config, dir string, replace bool, log *slog.Logger, out io.Writer) error {
	aside, err := restore(cfg, dir, replace, log)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	store, flows, err := openStores(cfg, log)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	v, st := store.Status(), flows.Status()
	fmt.Fprintf(out, "restored %d changes and %d flow records", v.Stored, st.Records+int64(st.Head))
	if aside != "" {
		fmt.Fprintf(out, "; what was here before is in %s", aside)
	}
	fmt.Fprintln(out)
	return errors.Join(flows.Close(), store.Close())
}

func restore(cfg config.Config, dir string, replace bool, log *slog.Logger) (aside string, err error) {
	m, err := readManifest(dir)
	if err != nil {
		return "", err
	}
	kept, err := isKept(cfg.StateDir)
	switch {
	case err != nil:
		return "", err
	case kept && !replace:
		return "", fmt.Errorf("%s has a history already; --replace moves it aside", cfg.StateDir)
	}
	to := filepath.Join(cfg.StateDir, restoringDir)
	if err := os.RemoveAll(to); err != nil {
		return "", err
	}
	for _, d := range []string{historyDir, recordsDir} {
		if err := os.MkdirAll(filepath.Join(to, d), 0o750); err != nil {
			return "", err
		}
	}
	if err := m.copyTo(to, dir); err != nil {
		return "", errors.Join(err, os.RemoveAll(to))
	}
	if kept {
		if aside, err = moveAside(cfg, log); err != nil {
			return "", errors.Join(err, os.RemoveAll(to))
		}
	}
	for _, d := range []string{historyDir, recordsDir} {
		if err := os.Rename(filepath.Join(to, d), filepath.Join(cfg.StateDir, d)); err != nil {
			return "", err
		}
	}
	if err := os.Remove(to); err != nil {
		return "", err
	}
	return aside, syncDir(cfg.StateDir)
}

// isKept says whether a state directory has anything that a restore would replace.
func isKept(stateDir string) (bool, error) {
	for _, d := range []string{historyDir, recordsDir} {
		entries, err := os.ReadDir(filepath.Join(stateDir, d))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		if len(entries) > 0 {
			return true, nil
		}
	}
	return false, nil
}

// moveAside takes what is kept out of the way, while it holds the locks of both stores, so that no daemon runs.
func moveAside(cfg config.Config, log *slog.Logger) (aside string, err error) {
	store, flows, err := openStores(cfg, log)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, flows.Close(), store.Close()) }()
	aside = filepath.Join(cfg.StateDir, "before-restore-"+time.Now().UTC().Format("20060102T150405.000Z"))
	if err := os.MkdirAll(aside, 0o750); err != nil {
		return "", err
	}
	for _, d := range []string{historyDir, recordsDir} {
		if err := os.Rename(filepath.Join(cfg.StateDir, d), filepath.Join(aside, d)); err != nil {
			return "", err
		}
	}
	return aside, syncDir(cfg.StateDir)
}
