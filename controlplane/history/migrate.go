package history

import (
	"database/sql"
	"fmt"
	"math"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// migrate brings a file of an earlier schema up to date, all or nothing.
func (d *disk) migrate(from int64) error {
	if from == schemaVersion {
		return nil
	}
	tx, err := d.writer.Begin()
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if err := indexInstants(tx); err != nil {
		return fmt.Errorf("bring schema %d up to %d: %w", from, schemaVersion, err)
	}
	if _, err := tx.Exec(fmt.Sprintf("PRAGMA user_version = %d", schemaVersion)); err != nil {
		return err
	}
	return tx.Commit()
}

// indexInstants makes schema 2 of 1: intervals know until when they hold by event time, at which nodes they are, and the
// service of a member.
func indexInstants(tx *sql.Tx) error {
	if _, err := tx.Exec(`DROP INDEX interval_by_object; DROP INDEX interval_by_event; DROP INDEX interval_by_commit;
		ALTER TABLE interval ADD COLUMN until_ns INTEGER NOT NULL DEFAULT 9223372036854775807;
		ALTER TABLE interval ADD COLUMN event_node INTEGER;
		ALTER TABLE interval ADD COLUMN commit_node INTEGER;
		ALTER TABLE interval ADD COLUMN service INTEGER;` + intervalIndexes); err != nil {
		return err
	}
	rows, err := tx.Query(`SELECT id, object, event_ns, commit_ns, end_event_ns, end_commit_ns FROM interval ORDER BY object, id DESC`)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	type instants struct{ id, object, event, commit, endEvent, endCommit, until int64 }
	var all []instants
	until, of := int64(math.MaxInt64), int64(0)
	for rows.Next() {
		var i instants
		if err := rows.Scan(&i.id, &i.object, &i.event, &i.commit, &i.endEvent, &i.endCommit); err != nil {
			return err
		}
		if i.object != of {
			of, until = i.object, math.MaxInt64
		}
		i.until = min(until, i.endEvent)
		until = min(i.until, i.event)
		all = append(all, i)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, i := range all {
		if _, err := tx.Exec(`UPDATE interval SET until_ns = ?, event_node = ?, commit_node = ? WHERE id = ?`,
			i.until, fork(i.event, i.until), fork(i.commit, i.endCommit), i.id); err != nil {
			return err
		}
	}
	return nameServices(tx)
}

// nameServices gives the intervals of members their service.
func nameServices(tx *sql.Tx) error {
	rows, err := tx.Query(`SELECT i.id, i.fact FROM interval i JOIN object o ON o.id = i.object WHERE o.kind = ?`, string(inventory.KindMember))
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	services := map[inventory.Ref][]int64{}
	for rows.Next() {
		var id int64
		var text sql.RawBytes
		if err := rows.Scan(&id, &text); err != nil {
			return err
		}
		fact, err := decodeAs[inventory.Member](text)
		if err != nil {
			return fmt.Errorf("interval %d: %w", id, err)
		}
		r := serviceOf(fact.(inventory.Member))
		services[r] = append(services[r], id)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for r, intervals := range services {
		if _, err := tx.Exec(`INSERT INTO object (kind, cluster, name) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`, string(r.Kind), r.Cluster, r.ID); err != nil {
			return err
		}
		for _, id := range intervals {
			if _, err := tx.Exec(`UPDATE interval SET service = (SELECT id FROM object WHERE kind = ? AND cluster = ? AND name = ?) WHERE id = ?`,
				string(r.Kind), r.Cluster, r.ID, id); err != nil {
				return err
			}
		}
	}
	return nil
}
