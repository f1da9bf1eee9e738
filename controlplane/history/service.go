package history

import (
	"cmp"
	"context"
	"database/sql"
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

// A service is a service, its members, and the pods behind them with their attachments.
const (
	spanColumns = `SELECT o.kind, i.event_ns, i.commit_ns, i.end_event_ns, i.end_commit_ns, i.end_known, i.until_ns, i.fact `

	serviceMembersAt = spanColumns + `FROM json_each(?2) w CROSS JOIN interval i INDEXED BY interval_of_service
		ON i.service = ?3 AND i.event_node = w.value JOIN object o ON o.id = i.object WHERE i.event_ns <= ?1 AND i.until_ns > ?1`

	// Those that hold at the beginning, ?1, of a time, and those that begin in it, until before ?4: at nodes within, or
	// after its end on the way there, ?5.
	membersBegun     = ` JOIN object o ON o.id = i.object WHERE i.event_ns > ?1 AND i.event_ns < ?4`
	serviceMembersIn = serviceMembersAt + ` UNION ALL ` + spanColumns +
		`FROM interval i INDEXED BY interval_of_service` + membersBegun + ` AND i.service = ?3 AND i.event_node > ?1 AND i.event_node <= ?4
		UNION ALL ` + spanColumns + `FROM json_each(?5) w CROSS JOIN interval i INDEXED BY interval_of_service
		ON i.service = ?3 AND i.event_node = w.value` + membersBegun + ` AND w.value > ?4`

	objectSpans = spanColumns + `FROM object o JOIN interval i ON i.object = o.id
		WHERE o.kind = ?3 AND o.cluster = ?4 AND o.name >= ?5 AND o.name < ?6 AND i.event_ns < ?2 AND i.until_ns > ?1`
)

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
	return spans, classify(err)
}

func (d *disk) serviceSpans(ctx context.Context, service inventory.Ref, from, to time.Time) ([]Span, error) {
	tx, _, err := d.beginPast(ctx, from)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }()
	of := func(r inventory.Ref, until string) ([]Span, error) {
		return readSpans(ctx, tx, objectSpans, nanos(from), nanos(to), string(r.Kind), r.Cluster, r.ID, until)
	}
	spans, err := of(service, service.ID+"\x00")
	if err != nil {
		return nil, err
	}
	members, err := membersIn(ctx, tx, service, nanos(from), nanos(to))
	if err != nil {
		return nil, err
	}
	spans = append(spans, members...)
	seen := map[string]struct{}{}
	for _, m := range members {
		uid := m.Fact.(inventory.Member).PodUID
		if _, again := seen[uid]; again || uid == "" {
			continue
		}
		seen[uid] = struct{}{}
		pods, err := of(inventory.Ref{Kind: inventory.KindPod, Cluster: service.Cluster, ID: uid}, uid+"\x00")
		if err != nil {
			return nil, err
		}
		attachments, err := of(inventory.Ref{Kind: inventory.KindAttachment, Cluster: service.Cluster, ID: uid + "/"}, uid+"0") // "0" follows "/"
		if err != nil {
			return nil, err
		}
		spans = append(append(spans, pods...), attachments...)
	}
	return spans, nil
}

// membersIn gives the states of a service's members.
func membersIn(ctx context.Context, tx *sql.Tx, service inventory.Ref, from, to int64) ([]Span, error) {
	var id int64
	err := tx.QueryRowContext(ctx, `SELECT id FROM object WHERE kind = ? AND cluster = ? AND name = ?`,
		string(service.Kind), service.Cluster, service.ID).Scan(&id)
	if err == sql.ErrNoRows {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if to == from+1 {
		return readSpans(ctx, tx, serviceMembersAt, from, wayTo(from), id)
	}
	return readSpans(ctx, tx, serviceMembersIn, from, wayTo(from), id, to, wayTo(to))
}

func readSpans(ctx context.Context, q querier, query string, args ...any) (spans []Span, err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var kind inventory.Kind
		var event, commit, endEvent, endCommit, until int64
		var s Span
		var text sql.RawBytes
		if err := rows.Scan(&kind, &event, &commit, &endEvent, &endCommit, &s.EndKnown, &until, &text); err != nil {
			return nil, err
		}
		if s.Fact, err = decode(kind, text); err != nil {
			return nil, fmt.Errorf("%s committed at %v: %w", kind, moment(commit), err)
		}
		s.Event, s.Commit = moment(event), moment(commit)
		if until < open {
			s.End, s.EndKnown = moment(until), s.EndKnown || until < endEvent
		}
		if endCommit < open {
			s.EndCommit = moment(endCommit)
		}
		spans = append(spans, s)
	}
	return spans, rows.Err()
}
