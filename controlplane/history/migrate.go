package history

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// migrateAtOnce is how many parts of lives are kept in memory while a file is brought up to date.
const migrateAtOnce = 20_000

// migrate brings a file of an earlier schema up to date, all or nothing. Those of 1 and 2 had a row for each interval.
func (d *disk) migrate(from int64) error {
	if from == schemaVersion {
		return nil
	}
	tx, err := d.writer.Begin()
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if err := d.intervalsToLives(tx); err != nil {
		return fmt.Errorf("bring schema %d up to %d: %w", from, schemaVersion, err)
	}
	if _, err := tx.Exec(fmt.Sprintf("PRAGMA user_version = %d", schemaVersion)); err != nil {
		return err
	}
	return tx.Commit()
}

// intervalsToLives makes schema 3 of 1 or 2. What these two have of when an interval holds follows from its times and those
// recorded later, as it does here.
func (d *disk) intervalsToLives(tx *sql.Tx) (err error) {
	if _, err := tx.Exec(lifeTables + `DROP VIEW fact_history;`); err != nil {
		return err
	}
	first := firstWords()
	if _, err := tx.Exec(`INSERT INTO vocabulary VALUES (1, ?)`, first); err != nil {
		return err
	}
	var old disk // of this transaction alone
	if old.vocabulary, old.words, err = readWords(context.Background(), tx); err != nil {
		return err
	}
	old.nextLife = 1
	if err := old.statements.prepare(tx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, old.statements.close()) }()
	rows, err := tx.Query(`SELECT o.kind, o.cluster, o.name, i.event_ns, i.commit_ns, i.end_event_ns, i.end_commit_ns, i.end_known, i.fact
		FROM interval i CROSS JOIN object o ON o.id = i.object ORDER BY i.id`)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	lives := old.lives(tx)
	for rows.Next() {
		var r inventory.Ref
		var s state
		if err := rows.Scan(&r.Kind, &r.Cluster, &r.ID, &s.event, &s.commit, &s.endEvent, &s.endCommit, &s.endKnown, &s.text); err != nil {
			return err
		}
		if err := lives.take(r, s); err != nil {
			return fmt.Errorf("interval of %v: %w", r, err)
		}
		if len(lives.parts) < migrateAtOnce {
			continue
		}
		if err := lives.save(); err != nil {
			return err
		}
		old.learn(&lives)
		lives = old.lives(tx)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if err := lives.save(); err != nil {
		return err
	}
	_, err = tx.Exec(`DROP TABLE interval; DROP TABLE object;`)
	return err
}

// take adds an interval that was recorded after all that the life has.
func (l *lives) take(r inventory.Ref, s state) error {
	life, known, err := l.ownerOf(r)
	if err != nil {
		return err
	}
	if known {
		if err := l.overruleAll(r, life, s.event); err != nil {
			return err
		}
	}
	s.until = s.endEvent
	_, err = l.add(life, r, s)
	return err
}
