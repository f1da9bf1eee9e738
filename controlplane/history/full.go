package history

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/klauspost/compress/s2"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// SQLite needs a file beside the log to open a database, and a full disk has no room for it. One who has a database for
// himself does without, and so what there is can be read. The file is opened for writing once there is room.

// full says that there is no room on the disk.
func full(err error) bool { return errors.Is(err, syscall.ENOSPC) }

// noRoom adds to an error that there is no room, where that is so: SQLite says it in many ways.
func (d *disk) noRoom(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN:
		var room syscall.Statfs_t
		if syscall.Statfs(filepath.Dir(d.path), &room) == nil && room.Bavail < 16 {
			return fmt.Errorf("%w: %w", syscall.ENOSPC, err)
		}
	}
	return err
}

// connectWithoutRoom opens the file, if there is one, so that load can read it. A file of an older schema has to wait for room.
func (d *disk) connectWithoutRoom(why error) (err error) {
	d.shut = why
	if _, err := os.Stat(d.path); errors.Is(err, os.ErrNotExist) {
		first := s2.MakeDict(firstWords(), nil) // as the file will have it
		d.vocabulary, d.words = vocabulary{1: first}, words{1, first}
		return nil
	}
	// No other setting: the driver may make it first, and would look into the file for it.
	if d.writer, err = sql.Open("sqlite", d.dsn("rw", "locking_mode(exclusive)")); err != nil {
		return err
	}
	d.writer.SetMaxOpenConns(1)
	version, empty, err := d.identify()
	switch {
	case err != nil:
		return err
	case empty || version != schemaVersion:
		return why
	}
	return d.readVocabulary()
}

// disconnect takes back what connect did. A file that was made and has nothing would be taken for a damaged one.
func (d *disk) disconnect(fresh bool) {
	_ = d.statements.close() // what could not be opened need not be closed well
	_ = d.writer.Close()
	d.writer, d.statements = nil, statements{}
	if info, err := os.Stat(d.path); fresh && err == nil && info.Size() == 0 {
		_ = os.Remove(d.path)
	}
}

// reopen opens for writing what could only be read for want of room.
func (d *disk) reopen() error {
	if d.shut == nil {
		return nil
	}
	if err := d.connect(); err != nil {
		if d.writer != nil {
			d.disconnect(false)
		}
		return err
	}
	if !d.begins.IsZero() {
		if err := d.beginAt(d.begins); err != nil {
			return err
		}
	}
	d.shut = nil
	return nil
}

// loadedWithoutRoom lets go of a file that was read and cannot be written yet.
func (s *Store) loadedWithoutRoom(spoiled []*damage) {
	if s.disk.writer != nil {
		s.disk.disconnect(false)
	}
	s.condemned = spoiled
	s.failure, s.failedFrom = s.disk.shut, s.lastCommit.Add(1)
}
