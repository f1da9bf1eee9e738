package history

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// The queries of the past's flows.
const (
	recentFlows = selectFlow + `WHERE last_ns >= ?1 ORDER BY id DESC`
	newestFlows = selectFlow + `r WHERE last_ns >= ?1 AND NOT EXISTS (SELECT 1 FROM flow_record n
		WHERE n.conversation = r.conversation AND n.slot_ns > r.slot_ns) ORDER BY id DESC`
	flowsByEvent  = selectFlow + `WHERE event_ns BETWEEN ?1 AND ?2 ORDER BY id DESC`
	flowsByCommit = selectFlow + `WHERE commit_ns BETWEEN ?1 AND ?2 ORDER BY id DESC`
)

// querier is a handle or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// readLatest gives the facts of which there is only the newest state.
func readLatest(ctx context.Context, q querier, each func(inventory.Entry, sum)) error {
	rows, err := q.QueryContext(ctx, `SELECT kind, name, event_ns, commit_ns, fact FROM latest`)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var r inventory.Ref
		var event, commit int64
		var text sql.RawBytes
		if err := rows.Scan(&r.Kind, &r.ID, &event, &commit, &text); err != nil {
			return err
		}
		fact, err := decode(r.Kind, text)
		if err != nil {
			return fmt.Errorf("latest %v: %w", r, err)
		}
		each(inventory.Entry{Fact: fact, Event: moment(event), Commit: moment(commit)}, sumOf(text))
	}
	return rows.Err()
}

// readFlows gives the newest row of each conversation that the query, newest first, finds. Spoiled takes rows that are
// damaged; if it is nil, the first is an error.
func readFlows(ctx context.Context, q querier, query string, args []any, each func(inventory.Entry, sum), spoiled func(*damage)) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	seen := map[string]struct{}{}
	for rows.Next() {
		var r flowRow
		var text sql.RawBytes
		if err := rows.Scan(r.into(&text)...); err != nil {
			return err
		}
		r.text = text
		fact, err := r.decode()
		if err != nil {
			row := &damage{flow: r.id, err: err}
			if spoiled == nil {
				return row
			}
			spoiled(row)
			continue
		}
		id := fact.Ref().ID
		if _, old := seen[id]; old {
			continue
		}
		seen[id] = struct{}{}
		each(inventory.Entry{Fact: fact, Event: r.times.event(), Commit: r.times.commit()}, sumOf(text))
	}
	return rows.Err()
}

// beginPast begins to read one consistent state of the file, for questions about t and later, and says from when on it has
// flow records.
func (d *disk) beginPast(ctx context.Context, t time.Time) (tx *sql.Tx, flowHorizon int64, err error) {
	if tx, err = d.reader.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}); err != nil {
		return nil, 0, err
	}
	var horizon int64
	err = tx.QueryRowContext(ctx, `SELECT horizon_ns, flow_horizon_ns FROM progress`).Scan(&horizon, &flowHorizon)
	if err == nil && nanos(t) < horizon {
		err = fmt.Errorf("%w: it begins at %s", ErrBeforeRetention, moment(horizon).Format(time.RFC3339))
	}
	if err != nil {
		return nil, 0, errors.Join(err, tx.Rollback())
	}
	return tx, flowHorizon, nil
}

// at builds the state at t of what is wanted from one consistent state of the file.
func (d *disk) at(ctx context.Context, t time.Time, axis Axis, wants []Want, linger time.Duration) (*node, error) {
	tx, flowHorizon, err := d.beginPast(ctx, t)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }()
	from := t.Add(-linger)
	if wantsFlows(wants) && flowHorizon > 0 && nanos(from) < flowHorizon {
		// Some that were there then may have had their last state before the horizon.
		return nil, fmt.Errorf("%w: conversations are known from %s on", ErrBeforeRetention, moment(flowHorizon).Add(linger).Format(time.RFC3339))
	}
	where, err := find(ctx, tx, wants)
	if err != nil {
		return nil, err
	}
	var past grove
	instant := nanos(t)
	then := choice{holds: func(s *state) bool { return s.holds(instant, axis) }, of: ofKinds(wants), is: func(r inventory.Ref) bool { return wanted(wants, r) }}
	err = d.scan(ctx, tx, where.coverAt(second(instant)).read(partsOf), then, func(f *found) {
		past.add(f.ref, record{Entry: f.entry()})
	})
	if err != nil {
		return nil, err
	}
	flows := flowsByEvent
	if axis == ByCommit {
		flows = flowsByCommit
	}
	if !wantsFlows(wants) {
		return past.tree(), nil
	}
	err = readFlows(ctx, tx, flows, []any{nanos(from), instant}, func(e inventory.Entry, _ sum) {
		if c := e.Fact.(flow.Conversation); !c.Last.Before(from) && wanted(wants, c.Ref()) {
			past.add(c.Ref(), record{Entry: e})
		}
	}, nil)
	return past.tree(), err
}
