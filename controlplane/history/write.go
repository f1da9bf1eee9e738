package history

import (
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// statements are those of every batch, compiled once.
type statements struct {
	object, insertObject, insert, end, flow, latest, progress,
	newestFirst, overrule *sql.Stmt
}

func (s *statements) prepare(db *sql.DB) error {
	for target, text := range map[**sql.Stmt]string{
		&s.object:       `SELECT id FROM object WHERE kind = ? AND cluster = ? AND name = ?`,
		&s.insertObject: `INSERT INTO object VALUES (?, ?, ?, ?)`,
		&s.insert: `INSERT INTO interval VALUES
			(?, ?, ?, ?, 9223372036854775807, 9223372036854775807, 1, ?, 9223372036854775807, ?, ?, ?)`,
		&s.end: `UPDATE interval SET end_event_ns = ?, end_commit_ns = ?, end_known = ?,
			until_ns = ?1, event_node = ?5, commit_node = ?6 WHERE id = ?4`,
		&s.newestFirst: `SELECT id, event_ns, until_ns FROM interval WHERE object = ? AND id < ? ORDER BY id DESC`,
		&s.overrule:    `UPDATE interval SET until_ns = ?, event_node = ? WHERE id = ?`,
		&s.flow: `INSERT OR REPLACE INTO flow_record VALUES
			(NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		&s.latest:   `INSERT OR REPLACE INTO latest VALUES (?, ?, ?, ?, ?)`,
		&s.progress: `UPDATE progress SET version = ?, commit_ns = ?`,
	} {
		stmt, err := db.Prepare(text)
		if err != nil {
			return err
		}
		*target = stmt
	}
	return nil
}

func (s *statements) close() error {
	var errs []error
	for _, stmt := range []*sql.Stmt{s.object, s.insertObject, s.insert, s.end, s.flow, s.latest, s.progress, s.newestFirst, s.overrule} {
		if stmt != nil {
			errs = append(errs, stmt.Close())
		}
	}
	return errors.Join(errs...)
}

// batch is one transaction. What it does to the open intervals counts once it committed.
type batch struct {
	d      *disk
	tx     *sql.Tx
	staged map[inventory.Ref]row // id 0: ended in this batch
	flows  map[string]item       // the newest of each conversation, where only that is kept
	nextInterval,
	nextObject int64
	intervals, flowRows int
}

// live is the state that the disk is to be brought to, after changes were dropped.
type live struct {
	view
	failedFrom time.Time // no change before was dropped
}

// write makes items durable, and after that, when level is not nil, makes the open
// intervals what level holds. All of it is on disk when it returns, or none.
func (d *disk) write(items []item, level *live, p progress) (intervals, flowRows int, err error) {
	tx, err := d.writer.Begin()
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = tx.Rollback() }()
	b := &batch{d: d, tx: tx, staged: map[inventory.Ref]row{}, flows: map[string]item{},
		nextInterval: d.nextInterval, nextObject: d.nextObject}
	for _, it := range items {
		if err := b.put(it); err != nil {
			return 0, 0, fmt.Errorf("write %v: %w", it.Ref, err)
		}
	}
	if level != nil {
		if err := b.level(*level, p.commit); err != nil {
			return 0, 0, fmt.Errorf("level: %w", err)
		}
	}
	for _, it := range b.flows {
		if err := b.putFlow(it); err != nil {
			return 0, 0, fmt.Errorf("write %v: %w", it.Ref, err)
		}
	}
	if _, err := tx.Stmt(d.inserts.progress).Exec(int64(p.version), nanos(p.commit)); err != nil {
		return 0, 0, err
	}
	if err := tx.Commit(); err != nil {
		return 0, 0, err
	}
	b.settle()
	return b.intervals, b.flowRows, nil
}

// settle takes over what the committed batch did to the open intervals.
func (b *batch) settle() {
	for r, at := range b.staged {
		if at.id == 0 {
			delete(b.d.rows, r)
		} else {
			b.d.rows[r] = at
		}
	}
	b.d.nextInterval, b.d.nextObject = b.nextInterval, b.nextObject
}

func (b *batch) put(it item) error {
	switch it.Ref.Kind {
	case inventory.KindAccounting, inventory.KindFlowCache, inventory.KindLinkLoss: // of the moment only: they change with every read, and come with the level
		return nil
	case inventory.KindLedger: // its past says nothing
		if it.Fact == nil {
			return nil
		}
		_, err := b.tx.Stmt(b.d.inserts.latest).Exec(string(it.Ref.Kind), it.Ref.ID, nanos(it.Event), nanos(it.Commit), string(it.text))
		return err
	case inventory.KindConversation:
		switch {
		case it.Fact == nil: // left the live state; its rows stand
			return nil
		case b.d.flowInterval > 0:
			b.flows[it.Ref.ID] = it
			return nil
		}
		return b.putFlow(it)
	}
	at, opened := b.find(it.Ref)
	if opened {
		if err := b.end(it.Ref, at, it); err != nil {
			return err
		}
	}
	if it.Fact == nil {
		return nil
	}
	return b.begin(it, at.object, !opened)
}

func (b *batch) find(r inventory.Ref) (row, bool) {
	if at, ok := b.staged[r]; ok {
		return at, at.id != 0
	}
	at, ok := b.d.rows[r]
	return at, ok
}

func (b *batch) end(r inventory.Ref, at row, by item) error {
	known := 0
	if by.Fact != nil || by.endKnown {
		known = 1
	}
	b.staged[r] = row{object: at.object}
	event, commit := nanos(by.Event), nanos(by.Commit)
	if _, err := b.tx.Stmt(b.d.inserts.end).Exec(event, commit, known, at.id,
		fork(at.event, event), fork(at.commit, commit)); err != nil {
		return err
	}
	if event >= at.event { // what was before ended when this began, or earlier
		return nil
	}
	return b.overrule(at.object, at.id, event)
}

// begin writes a new open interval; object is 0 when it is not known. Anew says that no interval ended with it.
func (b *batch) begin(it item, object int64, anew bool) error {
	var service sql.NullInt64
	if m, ok := it.Fact.(inventory.Member); ok {
		id, err := b.object(serviceOf(m))
		if err != nil {
			return err
		}
		service = sql.NullInt64{Int64: id, Valid: true}
	}
	id, event, commit := b.nextInterval, nanos(it.Event), nanos(it.Commit)
	if object == 0 {
		var err error
		if object, err = b.object(it.Ref); err != nil {
			return err
		}
	}
	if anew {
		if err := b.overrule(object, id, event); err != nil {
			return err
		}
	}
	b.staged[it.Ref] = row{id: id, object: object, event: event, commit: commit, sum: it.sum}
	b.nextInterval++
	b.intervals++
	_, err := b.tx.Stmt(b.d.inserts.insert).Exec(id, object, event, commit, string(it.text), fork(event, open), fork(commit, open), service)
	return err
}

// serviceOf is the service that a member is of.
func serviceOf(m inventory.Member) inventory.Ref {
	return inventory.Service{Cluster: m.Cluster, Namespace: m.Namespace, Name: m.Service}.Ref()
}

// overrule makes the intervals of an object that were recorded before one hold by event time until just before event at
// most: what was recorded later knows better. An interval holds until the next one begins or earlier, so those
// before one that begins earlier need no look.
func (b *batch) overrule(object, before, event int64) error {
	type late struct{ id, event int64 }
	var found []late
	rows, err := b.tx.Stmt(b.d.inserts.newestFirst).Query(object, before)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var l late
		var until int64
		if err := rows.Scan(&l.id, &l.event, &until); err != nil {
			return err
		}
		if until > event {
			found = append(found, l)
		}
		if l.event <= event {
			break
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for _, l := range found {
		if _, err := b.tx.Stmt(b.d.inserts.overrule).Exec(event, fork(l.event, event), l.id); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) object(r inventory.Ref) (id int64, err error) {
	err = b.tx.Stmt(b.d.inserts.object).QueryRow(string(r.Kind), r.Cluster, r.ID).Scan(&id)
	if !errors.Is(err, sql.ErrNoRows) {
		return id, err
	}
	id = b.nextObject
	b.nextObject++
	_, err = b.tx.Stmt(b.d.inserts.insertObject).Exec(id, string(r.Kind), r.Cluster, r.ID)
	return id, err
}

func (b *batch) putFlow(it item) error {
	c := it.Fact.(flow.Conversation)
	commit := nanos(it.Commit)
	slot := commit
	if every := int64(b.d.flowInterval); every > 0 {
		slot -= commit % every
	}
	_, err := b.tx.Stmt(b.d.inserts.flow).Exec(c.ID, slot, nanos(it.Event), commit, nanos(c.First), nanos(c.Last), int64(c.Protocol),
		c.Client.Address.String(), int64(c.Client.Port), c.Client.Identity.Cluster, c.Client.Identity.Namespace,
		c.Client.Identity.Pod, c.Client.Identity.Service,
		c.Server.Address.String(), int64(c.Server.Port), c.Server.Identity.Cluster, c.Server.Identity.Namespace,
		c.Server.Identity.Pod, c.Server.Identity.Service,
		int64(c.Forward.Packets), int64(c.Forward.Bytes), int64(c.Reverse.Packets), int64(c.Reverse.Bytes), string(it.text))
	b.flowRows++
	return err
}

// level ends what is open and not in v, and begins what is in v and not open so. Conversations have no
// intervals: those that changed since writing failed are written as they are.
func (b *batch) level(v live, now time.Time) error {
	open := make(map[inventory.Ref]row, len(b.d.rows))
	for r := range b.d.rows {
		if at, ok := b.find(r); ok {
			open[r] = at
		}
	}
	for r := range b.staged {
		if at, ok := b.find(r); ok {
			open[r] = at
		}
	}
	var err error
	v.root.ascend(inventory.Ref{}, func(n *node) bool {
		at, ok := open[n.ref]
		delete(open, n.ref)
		if ok && at.sum == n.rec.sum || n.ref.Kind == inventory.KindConversation && n.rec.Commit.Before(v.failedFrom) {
			return true
		}
		it := item{Update: inventory.Update{Ref: n.ref, Entry: n.rec.Entry}, endKnown: true}
		it.text, it.sum = encode(n.rec.Fact)
		err = b.put(it)
		return err == nil
	})
	for r, at := range open {
		if err != nil {
			break
		}
		gone := item{Update: inventory.Update{Ref: r, Entry: inventory.Entry{Event: now, Commit: now}}}
		err = b.end(r, at, gone)
	}
	return err
}
