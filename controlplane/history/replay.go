package history

import (
	"container/heap"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// selectChanges gives what was recorded from ?1 until just before ?2, in the order of recording. An end has no
// fact; where the object only changed, its beginning comes after it with the same commit time. That an interval cannot
// end before it begins is said for the index.
const selectChanges = `
	SELECT o.kind, o.cluster, o.name, i.commit_ns AS at, 1 AS phase, i.id, i.event_ns, i.fact
		FROM interval i JOIN object o ON o.id = i.object WHERE i.end_commit_ns >= ?1 AND i.commit_ns >= ?1 AND i.commit_ns < ?2
	UNION ALL SELECT o.kind, o.cluster, o.name, i.end_commit_ns, 0, i.id, i.end_event_ns, NULL
		FROM interval i JOIN object o ON o.id = i.object WHERE i.end_commit_ns >= ?1 AND i.end_commit_ns < ?2
	UNION ALL SELECT 'conversation', '', conversation, commit_ns, 2, id, event_ns, fact
		FROM flow_record WHERE commit_ns >= ?1 AND commit_ns < ?2
	ORDER BY at, phase, id`

// Replay is the past from one moment to another, change by change in the order in which they became known. Conversations
// leave it as they leave the live state, when they were quiet for the linger time. It is for one goroutine.
type Replay struct {
	tx      *sql.Tx
	rows    *sql.Rows
	linger  time.Duration
	until   time.Time
	state   tree
	version uint64 // of the last update, counted from the beginning of the replay
	quiet   quietHeap
	ahead   *change // read from rows and not given out yet
	done    bool
}

// change is a row of selectChanges.
type change struct {
	ref    inventory.Ref
	fact   inventory.Fact // nil for an end
	event  time.Time
	commit time.Time
}

// Replay opens the past from from until just before until, by commit time. View gives the state that from begins
// with, and Next what became known then. It fails as At does. The caller closes the replay.
func (s *Store) Replay(ctx context.Context, from, until time.Time) (*Replay, error) {
	r := &Replay{linger: s.cfg.Linger, until: until}
	root, err := s.at(ctx, from.Add(-1), ByCommit, nil)
	if err == nil {
		r.state.root = root
		err = r.open(ctx, s.disk, from)
	}
	if err != nil {
		return nil, fmt.Errorf("history: replay from %s: %w", from.Format(time.RFC3339Nano), errors.Join(err, r.Close()))
	}
	for e := range r.View().All(inventory.KindConversation) {
		r.watch(e)
	}
	return r, nil
}

func (r *Replay) open(ctx context.Context, d *disk, from time.Time) error {
	var err error
	if r.tx, err = d.reader.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}); err != nil {
		return err
	}
	var horizon int64
	if err := r.tx.QueryRowContext(ctx, `SELECT horizon_ns FROM progress`).Scan(&horizon); err != nil {
		return classify(err)
	}
	if nanos(from) < horizon {
		return fmt.Errorf("%w: it begins at %s", ErrBeforeRetention, moment(horizon).Format(time.RFC3339))
	}
	r.rows, err = r.tx.QueryContext(ctx, selectChanges, nanos(from), nanos(r.until))
	return classify(err)
}

// View gives the state after what Next gave last.
func (r *Replay) View() inventory.View { return view{root: r.state.snapshot(), version: r.version} }

// Next gives the next changes, all of one commit time; io.EOF says that there are no more.
func (r *Replay) Next() ([]inventory.Update, error) {
	if r.done {
		return nil, io.EOF
	}
	if err := r.fetch(); err != nil {
		return nil, err
	}
	if r.ahead == nil {
		r.done = true
		if updates := r.expire(r.until.Add(-1)); len(updates) > 0 {
			return updates, nil
		}
		return nil, io.EOF
	}
	commit := r.ahead.commit
	if updates := r.expire(commit); len(updates) > 0 {
		return updates, nil
	}
	var updates []inventory.Update
	for r.ahead != nil && r.ahead.commit.Equal(commit) {
		updates = r.add(updates, *r.ahead)
		r.ahead = nil
		if err := r.fetch(); err != nil {
			return nil, err
		}
	}
	for i := range updates {
		r.apply(&updates[i])
	}
	return updates, nil
}

// add puts a change behind the others of its commit, or in the place of the end that it follows.
func (r *Replay) add(updates []inventory.Update, c change) []inventory.Update {
	u := inventory.Update{Ref: c.ref, Entry: inventory.Entry{Fact: c.fact, Event: c.event, Commit: c.commit}}
	if c.fact != nil {
		for i := range updates {
			if updates[i].Ref == c.ref && updates[i].Fact == nil {
				updates[i] = u
				return updates
			}
		}
	}
	return append(updates, u)
}

// apply makes an update part of the state, and tells it what was before.
func (r *Replay) apply(u *inventory.Update) {
	r.version++
	u.Version = r.version
	rec, existed := r.state.root.find(u.Ref)
	u.Before = rec.Entry
	switch {
	case u.Fact != nil:
		r.state.set(u.Ref, record{Entry: u.Entry})
		r.watch(u.Entry)
	case existed:
		r.state.remove(u.Ref)
	}
}

// fetch reads one row ahead.
func (r *Replay) fetch() error {
	if r.ahead != nil {
		return nil
	}
	if !r.rows.Next() {
		return classify(r.rows.Err())
	}
	var ref inventory.Ref
	var phase, id, event, commit int64
	var text sql.RawBytes
	if err := r.rows.Scan(&ref.Kind, &ref.Cluster, &ref.ID, &commit, &phase, &id, &event, &text); err != nil {
		return classify(err)
	}
	c := &change{ref: ref, event: moment(event), commit: moment(commit)}
	if text != nil {
		var err error
		if c.fact, err = decode(ref.Kind, text); err != nil {
			return fmt.Errorf("row %d of %v: %w", id, ref, err)
		}
	}
	r.ahead = c
	return nil
}

// expire ends the conversations that are quiet for the linger time at t, oldest first.
func (r *Replay) expire(t time.Time) []inventory.Update {
	var updates []inventory.Update
	for len(r.quiet) > 0 && r.quiet[0].last.Add(r.linger).Before(t) {
		q := heap.Pop(&r.quiet).(quiet)
		rec, ok := r.state.root.find(q.ref)
		if !ok || seen(rec.Entry).After(q.last) {
			continue // it went on, and is in the heap again
		}
		at := q.last.Add(r.linger)
		u := inventory.Update{Ref: q.ref, Entry: inventory.Entry{Event: at, Commit: at}}
		r.apply(&u)
		updates = append(updates, u)
	}
	return updates
}

// watch notes when a conversation was last seen.
func (r *Replay) watch(e inventory.Entry) {
	if e.Fact.Ref().Kind == inventory.KindConversation {
		heap.Push(&r.quiet, quiet{e.Fact.Ref(), seen(e)})
	}
}

// seen is what At counts the linger time of a conversation from.
func seen(e inventory.Entry) time.Time {
	if last := e.Fact.(flow.Conversation).Last; last.Before(e.Commit) {
		return last
	}
	return e.Commit
}

// Close ends the replay.
func (r *Replay) Close() error {
	var errs []error
	if r.rows != nil {
		errs = append(errs, r.rows.Close())
	}
	if r.tx != nil {
		errs = append(errs, r.tx.Rollback())
	}
	return errors.Join(errs...)
}

// quiet is a conversation and when it was last seen.
type quiet struct {
	ref  inventory.Ref
	last time.Time
}

// quietHeap has the longest quiet conversation first.
type quietHeap []quiet

func (h quietHeap) Len() int           { return len(h) }
func (h quietHeap) Less(i, j int) bool { return h[i].last.Before(h[j].last) }
func (h quietHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *quietHeap) Push(x any)        { *h = append(*h, x.(quiet)) }
func (h *quietHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
