package records

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"syscall"

	"github.com/parquet-go/parquet-go"
)

// Scan gives every record that is meant, segment by segment from the oldest, and then those in the log. A record is
// valid until each returns. It is as of the moment of the call, and holds no lock
// while each runs; memory is bounded whatever there is. A segment that turns out to be damaged is isolated: the
// error is ErrCorrupt then, and what came before stands.
func (s *Store) Scan(ctx context.Context, q Query, each func(*Record) error) error {
	if err := q.Validate(); err != nil {
		return err
	}
	given := 0
	defer func() {
		s.metrics.queries.Inc()
		s.metrics.found.Add(float64(given))
	}()
	give := func(r *Record) error {
		if !q.permits(r) {
			return nil
		}
		given++
		return each(r)
	}
	segments, memories := s.acquire(&q)
	defer s.release(segments)
	for _, g := range segments {
		err := s.verify(g)
		if err == nil {
			err = scanSegment(ctx, g, &q, give)
		}
		if err != nil {
			return fmt.Errorf("records: read %s: %w", g.path, errors.Join(err, s.condemn(g, err)))
		}
	}
	for _, list := range memories {
		if err := scanMemory(ctx, list, &q, give); err != nil {
			return err
		}
	}
	return nil
}

// acquire gives the segments that a query is about, which stay until they are released, and the
// batches that are in none.
func (s *Store) acquire(q *Query) ([]*segment, [][]packed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*segment
	for _, g := range s.segments {
		if q.during(g.from, g.to) {
			g.readers++
			out = append(out, g)
		}
	}
	var memories [][]packed
	if s.sealed != nil {
		memories = append(memories, s.sealed.batches)
	}
	return out, append(memories, s.head.batches)
}

func (s *Store) release(segments []*segment) {
	var gone []*segment
	s.mu.Lock()
	for _, g := range segments {
		if g.readers--; g.readers == 0 && g.doomed {
			gone = append(gone, g)
		}
	}
	s.mu.Unlock()
	if err := s.discard(gone); err != nil {
		s.log.Warn("a segment that is not needed any more cannot be deleted", "error", err)
	}
}

// condemn isolates a segment if err says that it is damaged.
func (s *Store) condemn(g *segment, err error) error {
	if !errors.Is(err, ErrCorrupt) {
		return nil
	}
	return s.damaged(g, err)
}

// corrupt marks an error of reading as ErrCorrupt, unless the disk itself failed.
func corrupt(err error) error {
	var path *fs.PathError
	var number syscall.Errno
	if err == nil || errors.Is(err, ErrCorrupt) || errors.As(err, &path) || errors.As(err, &number) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrCorrupt, err)
}

// scanSegment gives the records of one segment that are meant.
func scanSegment(ctx context.Context, g *segment, q *Query, each func(*Record) error) error {
	f, file, err := g.openParquet()
	if err != nil {
		return err
	}
	defer f.Close()
	c := q.conditions(g.from, g.to)
	m := newRecordMaker()
	for _, group := range file.RowGroups() {
		chosen, err := choose(ctx, group, &c)
		if err != nil {
			return err
		}
		if err := pick(ctx, group, g.old, chosen, func(w *row) error {
			r, err := m.record(w)
			if err != nil || !q.matches(&r) {
				return err
			}
			return each(&r)
		}); err != nil {
			return err
		}
	}
	return nil
}

// choose gives the numbers of a row group's rows that meet all conditions.
func choose(ctx context.Context, group parquet.RowGroup, c *conditions) (rows []int64, err error) {
	defer recoverCorrupt(&err)
	s := &selection{ctx: ctx, group: group, columns: columnsOf(group)}
	chosen, err := s.all(c.every)
	if err != nil {
		return nil, err
	}
	for _, lists := range c.either {
		any, err := s.any(lists)
		if err != nil {
			return nil, err
		}
		chosen = chosen.and(any)
	}
	return chosen.numbers(group.NumRows()), nil
}

// recoverCorrupt makes an error of a panic over a file's content.
func recoverCorrupt(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: %v", ErrCorrupt, p)
	}
}

// columnsOf gives the index of each column by its name; those of lists are left out.
func columnsOf(group parquet.RowGroup) map[string]int {
	out := map[string]int{}
	for i, path := range group.Schema().Columns() {
		if len(path) == 1 {
			out[path[0]] = i
		}
	}
	return out
}

// set is a set of row numbers. The zero value has all rows.
type set struct {
	member []bool // nil of a set of all rows, or of none
	empty  bool   // it has none for certain
}

func (s set) none() bool { return s.empty || s.member != nil && !slices.Contains(s.member, true) }

// and gives what both have. It may change s.
func (s set) and(o set) set {
	switch {
	case s.empty || o.empty:
		return set{empty: true}
	case s.member == nil:
		return o
	case o.member != nil:
		for i, has := range o.member {
			s.member[i] = s.member[i] && has
		}
	}
	return s
}

// or gives what one of both has. It may change s.
func (s set) or(o set) set {
	switch {
	case s.empty:
		return o
	case o.empty:
		return s
	case s.member == nil || o.member == nil:
		return set{}
	}
	for i, has := range o.member {
		s.member[i] = s.member[i] || has
	}
	return s
}

func (s set) numbers(rows int64) (out []int64) {
	if s.empty {
		return nil
	}
	for i := range rows {
		if s.member == nil || s.member[i] {
			out = append(out, i)
		}
	}
	return out
}
