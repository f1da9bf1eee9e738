package history

import (
	"errors"
	"fmt"
	"os"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// damage is a row of the file that is not what was written. It is taken out, into the table of that name, so that
// it is met once.
type damage struct {
	place       // of a part
	flow  int64 // number of a flow record; 0 of a part
	err   error
}

// Error implements error.
func (d *damage) Error() string {
	if d.flow != 0 {
		return fmt.Sprintf("flow record %d: %v", d.flow, d.err)
	}
	return fmt.Sprintf("part %d of life %d: %v", d.part, d.life, d.err)
}

// Unwrap gives why it is damaged.
func (d *damage) Unwrap() error { return d.err }

// marker is the file that says that the history has to be isolated when it is opened next.
func marker(path string) string { return path + ".damaged" }

// broken says that SQLite found a file damaged, and not just to be of somebody else.
func broken(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && (e.Code()&0xff == sqlite3.SQLITE_CORRUPT || e.Code()&0xff == sqlite3.SQLITE_NOTADB)
}

// classify marks what SQLite says of a damaged file as ErrCorrupt.
func classify(err error) error {
	if broken(err) {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return err
}

// judge is classify for what a question or a write met: it has a damaged row taken out, and a damaged file reported.
func (s *Store) judge(err error) error {
	err = classify(s.disk.noRoom(err))
	if !errors.Is(err, ErrCorrupt) {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var row *damage
	if errors.As(err, &row) {
		s.condemned = append(s.condemned, row)
		s.nudge()
		return err
	}
	if s.damage == nil || s.damage.Error() != err.Error() {
		s.log.Error("the history is damaged; what is asked of this part of it cannot be answered", "file", s.disk.path, "error", err)
	}
	s.damage = err
	return err
}

// takeOut takes damaged rows out of the file, and says so. What is so now and was in them is to be written anew.
func (s *Store) takeOut(rows []*damage) error {
	if len(rows) == 0 {
		return nil
	}
	taken, open, err := s.disk.takeOut(rows, s.now())
	if err != nil {
		return fmt.Errorf("take out what is damaged: %w", err)
	}
	for _, row := range taken {
		s.log.Error("a row of the history is damaged and taken out; what was so then is missing", "file", s.disk.path, "row", row.Error())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(taken) > 0 {
		s.damage = taken[len(taken)-1]
		s.damaged += uint64(len(taken))
	}
	if open > 0 && !s.lossy {
		s.lossy = true
		if s.failure == nil {
			s.failedFrom = s.lastCommit.Add(1) // nothing was dropped
		}
	}
	return nil
}

// takeOut moves rows to the table of what is damaged, with all that leads to them. It gives those that were there still, and
// how many intervals were in them that have not ended.
func (d *disk) takeOut(rows []*damage, now time.Time) (taken []*damage, open int, err error) {
	tx, err := d.writer.Begin()
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = tx.Rollback() }()
	for _, row := range rows {
		statements := []string{
			`INSERT OR IGNORE INTO damaged SELECT life, part, 0, ?3, states FROM life WHERE life = ?1 AND part = ?2`,
			`DELETE FROM life WHERE life = ?1 AND part = ?2`, `DELETE FROM span WHERE life = ?1 AND part = ?2`,
			`DELETE FROM ended WHERE life = ?1 AND part = ?2`}
		args := []any{row.life, row.part, nanos(now)}
		if row.flow != 0 {
			statements = []string{`INSERT OR IGNORE INTO damaged SELECT 0, 0, id, ?2, fact FROM flow_record WHERE id = ?1`,
				`DELETE FROM flow_record WHERE id = ?1`}
			args = []any{row.flow, nanos(now)}
		}
		for i, text := range statements {
			if i == 1 {
				args = args[:len(args)-1]
			}
			result, err := tx.Exec(text, args...)
			if err != nil {
				return nil, 0, err
			}
			if n, err := result.RowsAffected(); i == 0 && n > 0 && err == nil {
				taken = append(taken, row)
			}
		}
	}
	if err := tx.Commit(); err != nil {
		return nil, 0, err
	}
	for _, row := range taken {
		for r, at := range d.rows {
			if row.flow == 0 && at.place == row.place {
				delete(d.rows, r)
				open++
			}
		}
	}
	return taken, open, nil
}

// condemn has a file that cannot be written because it is damaged isolated when it is opened next.
func (d *disk) condemn(why error) error {
	return os.WriteFile(marker(d.path), []byte(why.Error()+"\n"), 0o640)
}
