package history

import (
	"time"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// portion is how many rows are deleted at once, so that writing is not held up.
const portion = 500

// sweep deletes a portion of what is past its retention and says when to go on.
func (s *Store) sweep() time.Duration {
	if s.failing() || s.steady() < steady {
		return sweepEvery
	}
	now := s.now()
	more, err := s.disk.sweep(now.Add(-s.cfg.Retention), now.Add(-s.cfg.FlowRetention))
	if err = s.judge(err); err != nil {
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
	lives := d.lives(tx)
	parts, err := lives.expire(second(nanos(intervals)))
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
	if parts > 0 {
		if _, err := tx.Exec(`UPDATE progress SET horizon_ns = max(horizon_ns, ?)`, nanos(intervals)); err != nil {
			return false, err
		}
	}
	if flowRows > 0 {
		if _, err := tx.Exec(`UPDATE progress SET flow_horizon_ns = max(flow_horizon_ns, ?)`, nanos(flows)); err != nil {
			return false, err
		}
	}
	if parts == 0 && flowRows == 0 {
		return false, nil
	}
	if err := lives.save(); err != nil {
		return false, err
	}
	if err := tx.Commit(); err != nil {
		return false, err
	}
	d.learn(&lives)
	for _, r := range lives.forgotten {
		delete(d.services, r)
	}
	if _, err := d.writer.Exec(`PRAGMA incremental_vacuum(1000)`); err != nil {
		return false, err
	}
	return parts == portion || flowRows == portion, nil
}

// expire deletes a portion of the parts in which everything ended by a second, and says how many.
func (l *lives) expire(by int64) (int, error) {
	places, err := l.expired(by)
	if err != nil {
		return 0, err
	}
	for _, at := range places {
		p, err := l.load(at)
		if err != nil {
			return 0, err
		}
		for _, s := range p.stored {
			if _, err := l.sql.deleteSpan.Exec(s.scope, s.node, s.begin, s.until, at.life, at.part); err != nil {
				return 0, err
			}
		}
		if _, err := l.sql.deletePart.Exec(at.life, at.part); err != nil {
			return 0, err
		}
		if _, err := l.sql.deleteEnded.Exec(p.sealed, at.life, at.part); err != nil {
			return 0, err
		}
		if err := l.forget(p.objects); err != nil {
			return 0, err
		}
	}
	return len(places), nil
}

// expired gives a portion of the parts in which everything ended by a second.
func (l *lives) expired(by int64) (places []place, err error) {
	rows, err := l.sql.expired.Query(by, portion)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var at place
		if err := rows.Scan(&at.life, &at.part); err != nil {
			return nil, err
		}
		places = append(places, at)
	}
	return places, rows.Err()
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
