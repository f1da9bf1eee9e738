package history

import (
	"database/sql"
	"time"
)

// portion is how many rows are deleted at once, so that writing is not held up.
const portion = 500

// sweep deletes a portion of what is past its retention and says when to go on.
func (s *Store) sweep() time.Duration {
	if s.failing() {
		return sweepEvery
	}
	now := s.now()
	more, err := s.disk.sweep(now.Add(-s.cfg.Retention), now.Add(-s.cfg.FlowRetention))
	if err != nil {
		s.log.Error("history past its retention cannot be deleted", "file", s.disk.path, "error", err)
		return sweepEvery
	}
	if more {
		return sweepAgain
	}
	return sweepEvery
}

// sweep deletes a portion of the intervals whose end was committed before intervals, and
// of the flow records committed before flows. It says whether there may be more.
func (d *disk) sweep(intervals, flows time.Time) (more bool, err error) {
	tx, err := d.writer.Begin()
	if err != nil {
		return false, err
	}
	defer func() { _ = tx.Rollback() }()
	objects, err := deleteIntervals(tx, nanos(intervals))
	if err != nil {
		return false, err
	}
	result, err := tx.Exec(`DELETE FROM flow_record WHERE id IN
		(SELECT id FROM flow_record WHERE commit_ns < ? LIMIT ?)`, nanos(flows), portion)
	if err != nil {
		return false, err
	}
	flowRows, err := result.RowsAffected()
	if err != nil {
		return false, err
	}
	if len(objects) > 0 {
		if _, err := tx.Exec(`UPDATE progress SET horizon_ns = max(horizon_ns, ?)`, nanos(intervals)); err != nil {
			return false, err
		}
	}
	if flowRows > 0 {
		if _, err := tx.Exec(`UPDATE progress SET flow_horizon_ns = max(flow_horizon_ns, ?)`, nanos(flows)); err != nil {
			return false, err
		}
	}
	if len(objects) == 0 && flowRows == 0 {
		return false, nil
	}
	if err := tx.Commit(); err != nil {
		return false, err
	}
	if _, err := d.writer.Exec(`PRAGMA incremental_vacuum(1000)`); err != nil {
		return false, err
	}
	return len(objects) == portion || flowRows == portion, nil
}

// deleteIntervals deletes a portion and gives the object of each row; an object without
// intervals goes too.
func deleteIntervals(tx *sql.Tx, before int64) (objects []int64, err error) {
	rows, err := tx.Query(`DELETE FROM interval WHERE id IN
		(SELECT id FROM interval WHERE end_commit_ns < ? LIMIT ?) RETURNING object`, before, portion)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var object int64
		if err := rows.Scan(&object); err != nil {
			return nil, err
		}
		objects = append(objects, object)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	for _, object := range objects {
		if _, err := tx.Exec(`DELETE FROM object WHERE id = ?1 AND NOT EXISTS
			(SELECT 1 FROM interval WHERE object = ?1 OR service = ?1)`, object); err != nil {
			return nil, err
		}
	}
	return objects, nil
}
