package records

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Backup makes a directory a copy of the store, as of now: all that was appended before is in it, as segments. Appending
// goes on meanwhile. Where the file system can, files are linked and take no space: segments never change.
func (s *Store) Backup(ctx context.Context, dir string) error {
	if err := s.backup(ctx, dir); err != nil {
		return fmt.Errorf("records: backup to %s: %w", dir, err)
	}
	return nil
}

func (s *Store) backup(ctx context.Context, dir string) error {
	s.mu.Lock()
	running := s.phase == Running
	s.mu.Unlock()
	if running {
		if err := s.Cut(ctx); err != nil {
			return err
		}
	}
	to := filepath.Join(dir, segmentDir)
	if err := os.MkdirAll(to, 0o750); err != nil {
		return err
	}
	segments, _ := s.acquire(&Query{})
	defer s.release(segments)
	for _, g := range segments {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := link(g.path, filepath.Join(to, filepath.Base(g.path))); err != nil {
			return err
		}
	}
	if !running { // what is in no segment is in the log, which nobody writes
		if err := s.copyLog(filepath.Join(dir, walDir)); err != nil {
			return err
		}
	}
	return errors.Join(syncDir(to), syncDir(dir))
}

func (s *Store) copyLog(to string) error {
	if err := os.MkdirAll(to, 0o750); err != nil {
		return err
	}
	files, err := os.ReadDir(s.path(walDir))
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := copyFile(s.path(walDir, f.Name()), filepath.Join(to, f.Name())); err != nil {
			return err
		}
	}
	return syncDir(to)
}

// link gives a file another name, or copies it where that cannot be.
func link(from, to string) error {
	err := os.Link(from, to)
	if err == nil || errors.Is(err, os.ErrExist) {
		return err
	}
	return copyFile(from, to)
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	if _, err = io.Copy(out, in); err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}
