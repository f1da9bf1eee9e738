package history

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// Span is one state of one object and when it was so.
type Span struct {
	inventory.Entry
	End       time.Time // when it ended by event time; zero while it has not
	EndCommit time.Time // when that was known
	EndKnown  bool      // false: it ended at some time up to End
}

// ServiceAt gives a service, its members, their pods and the attachments of those at t by event time: the part of At that
// concerns it, without reading the rest.
func (s *Store) ServiceAt(ctx context.Context, service inventory.Ref, t time.Time) (inventory.View, error) {
	spans, err := s.serviceSpans(ctx, service, t, t.Add(1))
	if err != nil {
		return nil, fmt.Errorf("history: %v at %s: %w", service, t.Format(time.RFC3339Nano), err)
	}
	var past tree
	for _, span := range spans {
		past.set(span.Fact.Ref(), record{Entry: span.Entry})
	}
	return view{root: past.root}, nil
}

// Timeline gives every state that a service, its members, their pods and the attachments of those had from one time until
// just before another by event time, by their beginning. A state that was overruled later is left out.
func (s *Store) Timeline(ctx context.Context, service inventory.Ref, from, to time.Time) ([]Span, error) {
	spans, err := s.serviceSpans(ctx, service, from, to)
	if err != nil {
		return nil, fmt.Errorf("history: timeline of %v: %w", service, err)
	}
	slices.SortStableFunc(spans, func(a, b Span) int {
		return cmp.Or(a.Event.Compare(b.Event), a.Commit.Compare(b.Commit), a.Fact.Ref().Compare(b.Fact.Ref()))
	})
	return spans, nil
}

func (s *Store) serviceSpans(ctx context.Context, service inventory.Ref, from, to time.Time) ([]Span, error) {
	if err := s.caughtUp(ctx, to); err != nil {
		return nil, err
	}
	spans, err := s.disk.serviceSpans(ctx, service, from, to)
	return spans, s.judge(err)
}

// serviceSpans gives what concerns a service. The lives of its pods are read whole: a pod's own states, memberships and
// attachments are in them.
func (d *disk) serviceSpans(ctx context.Context, service inventory.Ref, from, to time.Time) ([]Span, error) {
	tx, _, err := d.beginPast(ctx, from)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }()
	life, err := lifeOf(ctx, tx, service)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	within := func(s *state) bool { return s.event < nanos(to) && s.until > nanos(from) }
	var own, others []found
	err = d.scan(ctx, tx, question{text: `SELECT life, part, states FROM life WHERE life = ?`, args: []any{life}},
		choice{holds: within, is: func(r inventory.Ref) bool { return r == service }}, func(f *found) { own = append(own, *f) })
	if err != nil {
		return nil, err
	}
	where, first, last := search{scopes: []int64{firstService + life}}, second(nanos(from)), second(nanos(to)-1)
	ofIt := choice{holds: within, is: func(r inventory.Ref) bool { return r.Kind != inventory.KindMember || serviceOf(r) == service }}
	for _, q := range []question{where.coverAt(first), where.begunIn(first, last)} {
		err := d.scan(ctx, tx, q.read(livesOf), ofIt, func(f *found) { others = append(others, *f) })
		if err != nil {
			return nil, err
		}
	}
	return spansOf(own, others), nil
}

// spansOf gives the states of a service, its members, and what others are of their pods. Those of a life that two questions
// found are there twice.
func spansOf(own, others []found) (spans []Span) {
	pods := map[string]bool{"": false}
	for _, f := range others {
		if m, ok := f.fact.(inventory.Member); ok && m.PodUID != "" {
			pods[m.PodUID] = true
		}
	}
	type where struct {
		place
		index int
	}
	seen := map[where]bool{}
	for _, f := range append(own, others...) {
		at := where{f.place, f.index}
		if seen[at] {
			continue
		}
		seen[at] = true
		switch fact := f.fact.(type) {
		case inventory.Pod:
			if !pods[fact.UID] {
				continue
			}
		case inventory.Attachment:
			if !pods[fact.PodUID] {
				continue
			}
		}
		spans = append(spans, f.span())
	}
	return spans
}

func (f *found) span() Span {
	s := Span{Entry: f.entry(), EndKnown: f.endKnown}
	if f.until < open {
		s.End, s.EndKnown = moment(f.until), f.endKnown || f.until < f.endEvent
	}
	if f.ended() {
		s.EndCommit = moment(f.endCommit)
	}
	return s
}
