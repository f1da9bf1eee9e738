package history

import (
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// statement is one of statements, and its SQL.
type statement struct {
	stmt **sql.Stmt
	text string
}

// statements are those of every batch, compiled once.
type statements struct {
	newOwner, owner, lastPart, part, insertPart, updatePart, deletePart,
	insertSpan, deleteSpan, insertEnded, deleteEnded, expired, forget, numbering, flow, latest, progress *sql.Stmt
}

// texts gives each statement its SQL.
func (s *statements) texts() []statement {
	return []statement{
		{&s.newOwner, `INSERT OR IGNORE INTO owner VALUES (?, ?)`},
		{&s.owner, `SELECT life FROM owner WHERE key = ?`},
		{&s.lastPart, `SELECT max(part) FROM life WHERE life = ?`},
		{&s.part, `SELECT states FROM life WHERE life = ? AND part = ?`},
		{&s.insertPart, `INSERT INTO life VALUES (?, ?, ?)`},
		{&s.updatePart, `UPDATE life SET states = ?3 WHERE life = ?1 AND part = ?2`},
		{&s.deletePart, `DELETE FROM life WHERE life = ? AND part = ?`},
		{&s.insertSpan, `INSERT INTO span VALUES (?, ?, ?, ?, ?, ?)`},
		{&s.deleteSpan, `DELETE FROM span WHERE scope = ? AND node = ? AND begin = ? AND until = ? AND life = ? AND part = ?`},
		{&s.insertEnded, `INSERT INTO ended VALUES (?, ?, ?)`},
		{&s.deleteEnded, `DELETE FROM ended WHERE at = ? AND life = ? AND part = ?`},
		{&s.expired, `SELECT at, life, part FROM ended WHERE at <= ? ORDER BY at, life, part LIMIT ?`},
		{&s.forget, `DELETE FROM owner WHERE key = ?1 AND NOT EXISTS (SELECT 1 FROM life l WHERE l.life = owner.life)
			AND NOT EXISTS (SELECT 1 FROM span s WHERE s.scope = 64 + owner.life)`},
		{&s.numbering, `UPDATE numbering SET next_life = ?`},
		{&s.flow, `INSERT OR REPLACE INTO flow_record VALUES
			(NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`},
		{&s.latest, `INSERT OR REPLACE INTO latest VALUES (?, ?, ?, ?, ?)`},
		{&s.progress, `UPDATE progress SET version = ?, commit_ns = ?`},
	}
}

// preparer is a handle or a transaction.
type preparer interface {
	Prepare(query string) (*sql.Stmt, error)
}

func (s *statements) prepare(by preparer) error {
	for _, each := range s.texts() {
		var err error
		if *each.stmt, err = by.Prepare(each.text); err != nil {
			return err
		}
	}
	return nil
}

func (s *statements) close() error {
	var errs []error
	for _, each := range s.texts() {
		if *each.stmt != nil {
			errs = append(errs, (*each.stmt).Close())
		}
	}
	return errors.Join(errs...)
}

// in gives the statements as those of a transaction: taken once a batch, as each taking costs.
func (s *statements) in(tx *sql.Tx) *statements {
	var own statements
	to := own.texts()
	for i, each := range s.texts() {
		*to[i].stmt = tx.Stmt(*each.stmt)
	}
	return &own
}

// batch is one transaction. What it does to the open intervals counts once it committed.
type batch struct {
	lives
	d                   *disk
	staged              map[inventory.Ref]row
	flows               map[string]item // the newest of each conversation, where only that is kept
	intervals, flowRows int
}

// live is the state that the disk is to be brought to, after changes were dropped.
type live struct {
	view
	failedFrom time.Time // no change before was dropped
}

// row is where an interval that has not ended is in the file.
type row struct {
	place
	index         int // of the part's states
	closed        bool
	event, commit int64 // when it began
	sum           sum
}

// write makes items durable, and after that, when level is not nil, makes the open
// intervals what level holds. All of it is on disk when it returns, or none.
func (d *disk) write(items []item, level *live, p progress) (intervals, flowRows int, err error) {
	tx, err := d.writer.Begin()
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = tx.Rollback() }()
	b := &batch{lives: d.lives(tx), d: d, staged: map[inventory.Ref]row{}, flows: map[string]item{}}
	for _, it := range items {
		if err := b.put(it); err != nil {
			return 0, 0, fmt.Errorf("write %v: %w", it.ref, err)
		}
	}
	if level != nil {
		if err := b.level(*level, p.commit); err != nil {
			return 0, 0, fmt.Errorf("level: %w", err)
		}
	}
	for _, it := range b.flows {
		if err := b.putFlow(it); err != nil {
			return 0, 0, fmt.Errorf("write %v: %w", it.ref, err)
		}
	}
	if err := b.save(); err != nil {
		return 0, 0, fmt.Errorf("write lives: %w", err)
	}
	if _, err := b.sql.progress.Exec(int64(p.version), nanos(p.commit)); err != nil {
		return 0, 0, err
	}
	if err := tx.Commit(); err != nil {
		return 0, 0, err
	}
	b.settle()
	d.noteLast(p)
	return b.intervals, b.flowRows, nil
}

// settle takes over what the committed batch did to the open intervals.
func (b *batch) settle() {
	for r, at := range b.staged {
		if at.closed {
			delete(b.d.rows, r)
		} else {
			b.d.rows[r] = at
		}
	}
	b.d.learn(&b.lives)
}

func (b *batch) put(it item) error {
	switch it.ref.Kind {
	case inventory.KindAccounting, inventory.KindFlowCache, inventory.KindLinkLoss: // of the moment only: they change with every read, and come with the level
		return nil
	case inventory.KindLedger: // its past says nothing
		if it.Fact == nil {
			return nil
		}
		_, err := b.sql.latest.Exec(string(it.ref.Kind), it.ref.ID, nanos(it.Event), nanos(it.Commit), string(it.text))
		return err
	case inventory.KindConversation:
		switch {
		case it.Fact == nil: // left the live state; its rows stand
			return nil
		case b.d.flowInterval > 0:
			b.flows[it.ref.ID] = it
			return nil
		}
		return b.putFlow(it)
	}
	at, opened := b.find(it.ref)
	if opened {
		if err := b.end(it.ref, at, it); err != nil {
			return err
		}
	}
	if it.Fact == nil {
		return nil
	}
	return b.begin(it, at.life, !opened)
}

func (b *batch) find(r inventory.Ref) (row, bool) {
	if at, ok := b.staged[r]; ok {
		return at, !at.closed
	}
	at, ok := b.d.rows[r]
	return at, ok
}

func (b *batch) end(r inventory.Ref, at row, by item) error {
	p, err := b.load(at.place)
	if err != nil {
		return err
	}
	s := &p.states[at.index]
	s.endEvent, s.endCommit, s.endKnown = nanos(by.Event), nanos(by.Commit), by.Fact != nil || by.endKnown
	s.until, p.changed = s.endEvent, true
	b.staged[r] = row{place: at.place, closed: true}
	if s.endEvent >= s.event { // what was before ended when this began, or earlier
		return nil
	}
	return b.overrule(r, at.place, at.index, s.endEvent)
}

// begin writes a new open interval; life is 0 when it is not known. Anew says that no interval ended with it.
func (b *batch) begin(it item, life int64, anew bool) error {
	known := life != 0
	if !known {
		var err error
		if life, known, err = b.ownerOf(it.ref); err != nil {
			return err
		}
	}
	event, commit := nanos(it.Event), nanos(it.Commit)
	if anew && known {
		if err := b.overruleAll(it.ref, life, event); err != nil {
			return err
		}
	}
	at, err := b.add(life, it.ref, state{event: event, commit: commit, endEvent: open, endCommit: open, endKnown: true, until: open, text: it.text})
	if err != nil {
		return err
	}
	at.event, at.commit, at.sum = event, commit, it.sum
	b.staged[it.ref] = at
	b.intervals++
	return nil
}

func (b *batch) putFlow(it item) error {
	c := it.Fact.(flow.Conversation)
	commit := nanos(it.Commit)
	slot := commit
	if every := int64(b.d.flowInterval); every > 0 {
		slot -= commit % every
	}
	times := flowTimes{slot, nanos(it.Event), commit, nanos(c.First), nanos(c.Last)}
	_, err := b.sql.flow.Exec(c.ID, times[0], times[1], times[2], times[3], times[4], int64(c.Protocol),
		c.Client.Address.String(), int64(c.Client.Port), c.Client.Identity.Cluster, c.Client.Identity.Namespace,
		c.Client.Identity.Pod, c.Client.Identity.Service,
		c.Server.Address.String(), int64(c.Server.Port), c.Server.Identity.Cluster, c.Server.Identity.Namespace,
		c.Server.Identity.Pod, c.Server.Identity.Service,
		int64(c.Forward.Packets), int64(c.Forward.Bytes), int64(c.Reverse.Packets), int64(c.Reverse.Bytes), string(it.text), times.sum(it.text))
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
		it := item{ref: n.ref, Entry: n.rec.Entry, endKnown: true}
		it.text, it.sum = encode(n.rec.Fact)
		err = b.put(it)
		return err == nil
	})
	for r, at := range open {
		if err != nil {
			break
		}
		gone := item{ref: r, Entry: inventory.Entry{Event: now, Commit: now}}
		err = b.end(r, at, gone)
	}
	return err
}
