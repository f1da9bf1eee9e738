package history

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
)

// Backup writes a copy of the history to a directory, as of now; recording goes on meanwhile. The copy is there whole, and
// durable, or not at all. It is an error if there is one already.
func (s *Store) Backup(ctx context.Context, dir string) error {
	if err := s.backup(ctx, dir); err != nil {
		return fmt.Errorf("history: backup to %s: %w", dir, classify(err))
	}
	return nil
}

func (s *Store) backup(ctx context.Context, dir string) (err error) {
	if s.Status().Phase == Running {
		if err := s.Flush(ctx); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	to := filepath.Join(dir, fileName)
	if _, err := os.Lstat(to); err == nil {
		return fmt.Errorf("%s: %w", to, os.ErrExist)
	}
	// A connection of its own: copying is neither the writer's work, nor does it hold up questions.
	u := url.URL{Scheme: "file", Path: s.disk.path, RawQuery: "_pragma=busy_timeout(5000)"}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	part := to + ".part"
	if _, err := db.ExecContext(ctx, `VACUUM INTO ?`, part); err != nil {
		_ = os.Remove(part)
		return err
	}
	if err := syncPath(part); err != nil {
		return err
	}
	if err := os.Rename(part, to); err != nil {
		return err
	}
	return syncPath(dir)
}

// syncPath makes a file or directory durable.
func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return f.Sync()
}
