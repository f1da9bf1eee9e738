package history

import (
	"cmp"
	"container/heap"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// flowChanges are the flow records that were written from ?1 until just before ?2.
const flowChanges = selectFlow + `WHERE commit_ns >= ?1 AND commit_ns < ?2 ORDER BY commit_ns, id`

// The intervals that begin in a stretch of a replay are read at once: in firstStretch seconds, and then in as many as give
// between fewBegun and manyBegun parts.
const (
	firstStretch = 60
	fewBegun     = 1000
	manyBegun    = 20_000
)

// Replay is the past from one moment to another, change by change in the order in which they became known. Conversations
// leave it as they leave the live state, when they were quiet for the linger time. It is for one goroutine.
type Replay struct {
	tx      *sql.Tx
	ctx     context.Context // of the replay's queries
	disk    *disk
	judge   func(error) error // says what an error means, and has what is damaged taken out
	flows   *sql.Rows
	flow    *change // read from flows and not given out yet
	wants   []Want
	where   search
	linger  time.Duration
	until   time.Time
	stretch int64 // seconds to read at once
	read    int64 // up to this second, all parts that begin are in due
	due     changeHeap
	state   tree
	version uint64 // of the last update, counted from the beginning of the replay
	quiet   quietHeap
	done    bool
}

// change is the beginning or the end of an interval, or a flow record.
type change struct {
	ref    inventory.Ref
	text   []byte // the fact; nil for an end
	event  time.Time
	commit time.Time
	began  bool
	place
	index int      // of the part's states
	flow  *flowRow // nil for an interval
}

// compare orders changes as they were recorded: of one commit, the ends come first.
func (c *change) compare(o *change) int {
	rank := func(c *change) int {
		if c.began {
			return 1
		}
		return 0
	}
	return cmp.Or(c.commit.Compare(o.commit), cmp.Compare(rank(c), rank(o)), c.place.compare(o.place), cmp.Compare(c.index, o.index))
}

// changeHeap has the earliest change first.
type changeHeap []*change

func (h changeHeap) Len() int           { return len(h) }
func (h changeHeap) Less(i, j int) bool { return h[i].compare(h[j]) < 0 }
func (h changeHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *changeHeap) Push(x any)        { *h = append(*h, x.(*change)) }
func (h *changeHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}

// Replay opens the past of what is wanted, no wants being everything, from from until just before until, by commit time.
// View gives the state that from begins with, and Next what became known then. It fails as At does. The caller closes the
// replay.
func (s *Store) Replay(ctx context.Context, from, until time.Time, wants ...Want) (*Replay, error) {
	r := &Replay{ctx: ctx, disk: s.disk, judge: s.judge, wants: wants, linger: s.cfg.Linger, until: until, stretch: firstStretch}
	root, err := s.at(ctx, from.Add(-1), ByCommit, wants)
	if err == nil {
		r.state.root = root
		err = s.judge(r.open(from))
	}
	if err != nil {
		return nil, fmt.Errorf("history: replay from %s: %w", from.Format(time.RFC3339Nano), errors.Join(err, r.Close()))
	}
	for e := range r.View().All(inventory.KindConversation) {
		r.watch(e)
	}
	return r, nil
}

func (r *Replay) open(from time.Time) error {
	var err error
	if r.tx, _, err = r.disk.beginPast(r.ctx, from); err != nil {
		return err
	}
	if r.where, err = find(r.ctx, r.tx, r.wants); err != nil {
		return err
	}
	if wantsFlows(r.wants) {
		if r.flows, err = r.tx.QueryContext(r.ctx, flowChanges, nanos(from), nanos(r.until)); err != nil {
			return err
		}
	}
	r.read = second(nanos(from))
	if err := r.collect(r.where.coverAt(r.read), nanos(from)); err != nil {
		return err
	}
	if len(r.where.scopes) == 0 {
		r.read = second(nanos(r.until)) // the lives were read whole
	}
	return nil
}

// collect makes the changes from a commit time on, in the parts at some places, due.
func (r *Replay) collect(where question, from int64) error {
	parts := 0
	u := unpacker{vocabulary: r.disk.vocabulary}
	changes := func(s *state) bool { return r.within(s.commit, from) || r.within(s.endCommit, from) }
	err := readParts(r.ctx, r.tx, where.read(partsOf), func(some *packed) (*packed, error) {
		parts += len(some.places)
		for at, data := range some.each {
			if err := u.times(data); err != nil {
				return nil, &damage{place: at, err: err}
			}
			if !u.p.some(changes) {
				continue // the facts need not be read
			}
			p, err := unpack(data, r.disk.vocabulary) // the changes keep it
			if err != nil {
				return nil, &damage{place: at, err: err}
			}
			r.expect(p, at, from)
		}
		return some, nil
	})
	switch {
	case parts < fewBegun:
		r.stretch *= 2
	case parts > manyBegun:
		r.stretch = max(r.stretch/2, 1)
	}
	return err
}

// within says whether a commit is of the replay's time, from a time on.
func (r *Replay) within(commit, from int64) bool { return from <= commit && commit < nanos(r.until) }

// expect makes the changes in a part due that are of the replay's time.
func (r *Replay) expect(p *part, at place, from int64) {
	for i := range p.states {
		s := &p.states[i]
		c := change{ref: p.objects[s.object], place: at, index: i}
		if !wanted(r.wants, c.ref) {
			continue
		}
		if r.within(s.commit, from) {
			begin := c
			begin.event, begin.commit, begin.text, begin.began = moment(s.event), moment(s.commit), s.text, true
			heap.Push(&r.due, &begin)
		}
		if r.within(s.endCommit, from) {
			c.event, c.commit = moment(s.endEvent), moment(s.endCommit)
			heap.Push(&r.due, &c)
		}
	}
}

// View gives the state after what Next gave last.
func (r *Replay) View() inventory.View { return view{root: r.state.snapshot(), version: r.version} }

// Next gives the next changes, all of one commit time; io.EOF says that there are no more.
func (r *Replay) Next() ([]inventory.Update, error) {
	for !r.done {
		updates, err := r.next()
		if err != nil || len(updates) > 0 {
			return updates, err
		}
	}
	return nil, io.EOF
}

// next is Next, but it may give nothing where conversations changed that are not wanted.
func (r *Replay) next() ([]inventory.Update, error) {
	next, err := r.peek()
	if err != nil {
		return nil, err
	}
	if next == nil {
		r.done = true
		return r.expire(r.until.Add(-1)), nil
	}
	commit := next.commit
	if updates := r.expire(commit); len(updates) > 0 {
		return updates, nil
	}
	var updates []inventory.Update
	for next != nil && next.commit.Equal(commit) {
		if updates, err = r.add(updates, next); err != nil {
			return nil, err
		}
		r.drop(next)
		if next, err = r.peek(); err != nil {
			return nil, err
		}
	}
	for i := range updates {
		r.apply(&updates[i])
	}
	return updates, nil
}

// add puts a change behind the others of its commit, or in the place of the end that it follows.
func (r *Replay) add(updates []inventory.Update, c *change) ([]inventory.Update, error) {
	u := inventory.Update{Ref: c.ref, Entry: inventory.Entry{Event: c.event, Commit: c.commit}}
	if !c.began {
		return append(updates, u), nil
	}
	var err error
	spoiled := damage{place: c.place}
	if c.flow != nil {
		spoiled.flow = c.flow.id
		u.Fact, err = c.flow.decode()
	} else {
		u.Fact, err = decode(c.ref.Kind, c.text)
	}
	if err != nil {
		spoiled.err = err
		return nil, r.judge(fmt.Errorf("what %v became at %s: %w", c.ref, c.commit.Format(time.RFC3339Nano), &spoiled))
	}
	if c.ref.Kind == inventory.KindConversation {
		if u.Ref = u.Fact.Ref(); !wanted(r.wants, u.Ref) {
			return updates, nil
		}
	}
	for i := range updates {
		if updates[i].Ref == u.Ref && updates[i].Fact == nil {
			updates[i] = u
			return updates, nil
		}
	}
	return append(updates, u), nil
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

// peek gives the next change without taking it: an interval's before a flow's of the same commit. It gives nil at the end.
func (r *Replay) peek() (*change, error) {
	if err := r.nextFlow(); err != nil {
		return nil, err
	}
	for last := second(nanos(r.until)); r.read < last && (len(r.due) == 0 || second(nanos(r.due[0].commit)) > r.read); {
		to := min(r.read+r.stretch, last)
		if err := r.collect(r.where.begunIn(r.read, to), math.MinInt64); err != nil {
			return nil, r.judge(err)
		}
		r.read = to
	}
	switch {
	case len(r.due) == 0:
		return r.flow, nil
	case r.flow != nil && r.flow.commit.Before(r.due[0].commit):
		return r.flow, nil
	}
	return r.due[0], nil
}

// nextFlow reads the next flow record, unless there is one that was not given out yet.
func (r *Replay) nextFlow() error {
	if r.flows == nil || r.flow != nil {
		return nil
	}
	if r.flows.Next() {
		c := &change{ref: inventory.Ref{Kind: inventory.KindConversation}, began: true, flow: &flowRow{}}
		if err := r.flows.Scan(c.flow.into(&c.flow.text)...); err != nil {
			return r.judge(err)
		}
		c.event, c.commit = c.flow.times.event(), c.flow.times.commit()
		r.flow = c
	}
	return r.judge(r.flows.Err())
}

// drop takes what peek gave.
func (r *Replay) drop(c *change) {
	if c == r.flow {
		r.flow = nil
		return
	}
	heap.Pop(&r.due)
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
	if r.flows != nil {
		errs = append(errs, r.flows.Close())
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
