package history

import (
	"database/sql"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// portion is how many rows are deleted at once, so that writing is not held up. Of a file that is hardly too large it is as many
// as have bytesEach of what is too much, but fewestRows.
const (
	portion    = 500
	bytesEach  = 4096
	fewestRows = 16
)

// sweep deletes a portion of what is past its retention and says when to go on.
func (s *Store) sweep() time.Duration {
	if s.failing() || s.steady() < steady {
		return sweepEvery
	}
	now := s.now()
	gone, err := s.disk.sweep(now.Add(-s.cfg.Retention), now.Add(-s.cfg.FlowRetention), s.cfg.MaxBytes)
	if err = s.judge(err); err != nil {
		s.log.Error("history past its retention cannot be deleted", "file", s.disk.path, "error", err)
		return sweepEvery
	}
	s.metrics.swept(gone)
	if gone.stuck != s.metrics.stuck.Swap(gone.stuck) && gone.stuck {
		s.log.Warn("what is so now takes more than the history may: nothing is left to delete", "file", s.disk.path, "max-bytes", s.cfg.MaxBytes)
	}
	if gone.more {
		return sweepAgain
	}
	return sweepEvery
}

// Causes of deletion.
const (
	byAge   = "age"
	byBytes = "bytes"
)

// swept is what a sweep deleted, and why.
type swept struct {
	cause           string
	parts, flowRows int
	more            bool // there may be more to delete
	stuck           bool // the file is too large, and everything in it is so now
}

// sweep deletes a portion of the intervals whose end was committed before intervals, and of the flow records committed before
// flows; where there are none and the file has more than a number of bytes in use, 0 for no bound, of what ended longest ago.
func (d *disk) sweep(intervals, flows time.Time, bytes int64) (gone swept, err error) {
	tx, err := d.writer.Begin()
	if err != nil {
		return gone, err
	}
	defer func() { _ = tx.Rollback() }()
	lives := d.lives(tx)
	gone, err = lives.outdated(tx, second(nanos(intervals)), nanos(flows))
	if err == nil && gone.parts+gone.flowRows == 0 && bytes > 0 {
		gone, err = lives.oversize(tx, bytes)
	}
	if err != nil || gone.parts+gone.flowRows == 0 {
		return gone, err
	}
	if err := lives.save(); err != nil {
		return gone, err
	}
	if err := tx.Commit(); err != nil {
		return gone, err
	}
	d.learn(&lives)
	for _, r := range lives.forgotten {
		delete(d.services, r)
	}
	_, err = d.writer.Exec(`PRAGMA incremental_vacuum(1000)`)
	return gone, err
}

// outdated deletes a portion of the parts in which everything ended by a second, and of the flow records from before a time.
func (l *lives) outdated(tx *sql.Tx, by, flows int64) (gone swept, err error) {
	gone.cause = byAge
	var last int64
	if gone.parts, last, err = l.expire(by, portion); err != nil {
		return gone, err
	}
	if gone.parts > 0 {
		if err := raise(tx, "horizon_ns", max(last, by*int64(time.Second))); err != nil {
			return gone, err
		}
	}
	gone.flowRows, err = deleteFlows(tx, flows)
	gone.more = gone.parts == portion || gone.flowRows == portion
	return gone, err
}

// oversize deletes a portion of what ended longest ago, if more bytes than a number are in use.
func (l *lives) oversize(tx *sql.Tx, bytes int64) (gone swept, err error) {
	gone.cause = byBytes
	var used int64
	err = tx.QueryRow(`SELECT (c.page_count - f.freelist_count) * s.page_size
		FROM pragma_page_count c, pragma_freelist_count f, pragma_page_size s`).Scan(&used)
	if err != nil || used <= bytes {
		return gone, err
	}
	some := int(min(max((used-bytes)/bytesEach, fewestRows), portion))
	var ended, flow sql.NullInt64
	if err := tx.QueryRow(`SELECT (SELECT min(at) FROM ended), (SELECT min(commit_ns) FROM flow_record)`).Scan(&ended, &flow); err != nil {
		return gone, err
	}
	switch {
	case !ended.Valid && !flow.Valid:
		gone.stuck = true
		return gone, nil
	case !flow.Valid, ended.Valid && ended.Int64 <= second(flow.Int64):
		var last int64
		if gone.parts, last, err = l.expire(open, some); err == nil {
			err = raise(tx, "horizon_ns", last)
		}
	default:
		var last int64
		err = tx.QueryRow(`SELECT max(commit_ns) FROM (SELECT commit_ns FROM flow_record ORDER BY commit_ns LIMIT ?)`, some).Scan(&last)
		if err == nil {
			gone.flowRows, err = deleteFlows(tx, last+1)
		}
	}
	gone.more = true
	return gone, err
}

// deleteFlows deletes a portion of the flow records from before a time, oldest first, and says how many.
func deleteFlows(tx *sql.Tx, before int64) (int, error) {
	result, err := tx.Exec(`DELETE FROM flow_record WHERE id IN
		(SELECT id FROM flow_record WHERE commit_ns < ? ORDER BY commit_ns LIMIT ?)`, before, portion)
	if err != nil {
		return 0, err
	}
	rows, err := result.RowsAffected()
	if err == nil && rows > 0 {
		err = raise(tx, "flow_horizon_ns", before)
	}
	return int(rows), err
}

// raise has a horizon of the table progress be no earlier than a time.
func raise(tx *sql.Tx, horizon string, to int64) error {
	_, err := tx.Exec(`UPDATE progress SET `+horizon+` = max(`+horizon+`, ?)`, to)
	return err
}

// expire deletes some of the parts in which everything ended by a second, those that ended first, and says how many, and from
// when on nothing of them was so, by either time.
func (l *lives) expire(by int64, most int) (count int, last int64, err error) {
	rows, err := l.expired(by, most)
	if err != nil {
		return 0, 0, err
	}
	for _, row := range rows {
		at := row.place
		p, err := l.load(at)
		if err != nil {
			return 0, 0, err
		}
		if p.sealed != row.ended { // what has not ended is not deleted, whatever a row says that was damaged
			if _, err := l.sql.deleteEnded.Exec(row.ended, at.life, at.part); err != nil {
				return 0, 0, err
			}
			continue
		}
		for _, s := range p.states {
			last = max(last, s.endCommit, s.until)
		}
		for _, s := range p.stored {
			if _, err := l.sql.deleteSpan.Exec(s.scope, s.node, s.begin, s.until, at.life, at.part); err != nil {
				return 0, 0, err
			}
		}
		if _, err := l.sql.deletePart.Exec(at.life, at.part); err != nil {
			return 0, 0, err
		}
		if _, err := l.sql.deleteEnded.Exec(p.sealed, at.life, at.part); err != nil {
			return 0, 0, err
		}
		if err := l.forget(p.objects); err != nil {
			return 0, 0, err
		}
	}
	return len(rows), last, nil
}

// endedRow says that everything in a part has ended by a second.
type endedRow struct {
	ended int64
	place
}

// expired gives some of the parts in which everything ended by a second, those that ended first.
func (l *lives) expired(by int64, most int) (all []endedRow, err error) {
	rows, err := l.sql.expired.Query(by, most)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var r endedRow
		if err := rows.Scan(&r.ended, &r.life, &r.part); err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, rows.Err()
}

// forget deletes what the owners of objects, and the services that they are members of, are found by, where nothing of them is left.
func (l *lives) forget(objects []inventory.Ref) error {
	owners := map[inventory.Ref]struct{}{}
	for _, r := range objects {
		owners[ownerOf(r)] = struct{}{}
		if r.Kind == inventory.KindMember {
			owners[serviceOf(r)] = struct{}{}
		}
	}
	for r := range owners {
		result, err := l.sql.forget.Exec(keyOf(r))
		if err != nil {
			return err
		}
		gone, err := result.RowsAffected()
		if err != nil {
			return err
		}
		if gone > 0 {
			l.forgotten = append(l.forgotten, r)
		}
	}
	return nil
}
