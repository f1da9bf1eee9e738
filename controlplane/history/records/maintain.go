package records

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"time"

	"github.com/parquet-go/parquet-go"
)

// Maintain compacts small segments and deletes old ones. Run does so by itself.
func (s *Store) Maintain(ctx context.Context) error {
	s.maintaining.Lock()
	defer s.maintaining.Unlock()
	began := time.Now()
	retired := s.retire()
	s.metrics.took(retaining, began)
	began = time.Now()
	compacted := s.compact(ctx)
	s.metrics.took(compacting, began)
	s.outcome(retaining, retired)
	s.outcome(compacting, compacted)
	return errors.Join(retired, compacted)
}

// retire deletes segments whose last record is past its retention, and the oldest as long as all are too large.
func (s *Store) retire() error {
	before := s.now().Add(-s.cfg.Retention)
	if s.steady() < steady {
		before = time.Time{}
	}
	s.mu.Lock()
	var bytes int64
	for _, g := range s.segments {
		bytes += g.bytes
	}
	var gone []*segment
	for len(s.segments) > 0 {
		g := s.segments[0]
		if !g.to.Before(before) && (s.cfg.MaxBytes == 0 || bytes <= s.cfg.MaxBytes) {
			break
		}
		bytes -= g.bytes
		gone = append(gone, g)
		s.segments = s.segments[1:]
	}
	s.mu.Unlock()
	s.metrics.retired.Add(float64(len(gone)))
	return s.discard(gone)
}

// discard deletes segments that are not in s.segments any more, now or when they have been read.
func (s *Store) discard(gone []*segment) error {
	var free []*segment
	s.mu.Lock()
	for _, g := range gone {
		if g.doomed = true; g.readers == 0 {
			free = append(free, g)
		}
	}
	s.mu.Unlock()
	var errs []error
	for _, g := range free {
		if err := os.Remove(g.path); !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// compact makes one segment of neighbours whose windows have passed, until no such are left.
func (s *Store) compact(ctx context.Context) error {
	for ctx.Err() == nil {
		group := s.compactable()
		if group == nil {
			return nil
		}
		if err := s.merge(ctx, group); err != nil {
			return err
		}
	}
	return nil
}

// compactable gives neighbours of one window that fit into one segment, and are small: where many records come, segments
// are full as they are. A window is over when SegmentAge has passed since: then its last records are in segments.
func (s *Store) compactable() []*segment {
	s.mu.Lock()
	defer s.mu.Unlock()
	over := s.now().Add(-s.cfg.SegmentAge)
	var group []*segment
	var rows int64
	var window time.Time
	for _, g := range s.segments {
		w := g.from.Truncate(s.cfg.CompactWindow)
		stays := g.stays || g.rows >= int64(s.cfg.SegmentRecords/2)
		if len(group) > 0 && w.Equal(window) && !stays && rows+g.rows <= int64(s.cfg.CompactRecords) {
			group, rows = append(group, g), rows+g.rows
			continue
		}
		if len(group) > 1 {
			return group
		}
		if w.Add(s.cfg.CompactWindow).After(over) {
			return nil
		}
		if group, rows, window = []*segment{g}, g.rows, w; stays {
			group = nil
		}
	}
	if len(group) > 1 {
		return group
	}
	return nil
}

// merge makes one segment of a group, which then takes their place.
func (s *Store) merge(ctx context.Context, group []*segment) error {
	g := segment{first: group[0].first, last: group[len(group)-1].last, from: group[0].from, to: group[0].to}
	var inputs []*rowSource
	defer func() {
		for _, in := range inputs {
			in.close()
		}
	}()
	for _, old := range group {
		if old.from.Before(g.from) {
			g.from = old.from
		}
		if old.to.After(g.to) {
			g.to = old.to
		}
		if err := s.verify(old); err != nil {
			return s.damaged(old, err)
		}
		in, err := openRowSource(old)
		if err != nil {
			return s.damaged(old, err)
		}
		inputs = append(inputs, in)
	}
	made, err := writeSegment(g, s.path(segmentDir), func(w *parquet.GenericWriter[row]) error { return mergeRows(ctx, inputs, w) })
	if err != nil {
		for i, in := range inputs {
			if in.err != nil {
				return s.damaged(group[i], in.err)
			}
		}
		return err
	}
	s.mu.Lock()
	for i := range s.segments {
		if s.segments[i] == group[0] { // nothing is retired meanwhile, so the group is whole
			s.segments = append(append(append([]*segment{}, s.segments[:i]...), made), s.segments[i+len(group):]...)
			break
		}
	}
	s.mu.Unlock()
	s.metrics.compacted.Add(float64(len(group)))
	return s.discard(group)
}

// damaged isolates a segment that turned out to be damaged. Other errors are given back.
func (s *Store) damaged(g *segment, err error) error {
	if !errors.Is(err, ErrCorrupt) {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.segments {
		if s.segments[i] == g {
			s.segments = append(append([]*segment{}, s.segments[:i]...), s.segments[i+1:]...)
			return s.isolate(g.path, err)
		}
	}
	return nil
}

// rowSource reads the rows of a segment in order, as values: nothing has to be known of them but the order.
type rowSource struct {
	file   *os.File
	reader *parquet.GenericReader[row]
	buffer []parquet.Row
	next   int
	err    error
}

func openRowSource(g *segment) (*rowSource, error) {
	f, file, err := g.openParquet()
	if err != nil {
		return nil, err
	}
	return &rowSource{file: f, reader: parquet.NewGenericReader[row](file), buffer: make([]parquet.Row, 0, chunkRows)}, nil
}

func (r *rowSource) close() {
	_ = r.reader.Close()
	_ = r.file.Close()
}

// used says that the next row is not in memory.
func (r *rowSource) used() bool { return r.next == len(r.buffer) }

// row gives the row that is next; nil at the end, or after an error.
func (r *rowSource) row() parquet.Row {
	if r.used() && !r.read() {
		return nil
	}
	return r.buffer[r.next]
}

func (r *rowSource) read() bool {
	if r.err != nil {
		return false
	}
	n, err := r.readRows(r.buffer[:cap(r.buffer)])
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = corrupt(err)
		return false
	}
	r.buffer, r.next = r.buffer[:n], 0
	return n > 0
}

func (r *rowSource) readRows(to []parquet.Row) (n int, err error) {
	defer recoverCorrupt(&err)
	return r.reader.ReadRows(to)
}

// mergeRows writes the rows of all inputs in order.
func mergeRows(ctx context.Context, inputs []*rowSource, w *parquet.GenericWriter[row]) error {
	inputs = slices.Clone(inputs)
	compare := schema().Comparator(order...)
	chunk := make([]parquet.Row, 0, chunkRows)
	write := func() error {
		_, err := w.WriteRows(chunk)
		chunk = chunk[:0]
		return errors.Join(ctx.Err(), err)
	}
	for len(inputs) > 0 {
		if len(chunk) == chunkRows || slices.ContainsFunc(inputs, (*rowSource).used) { // what it read before is overwritten now
			if err := write(); err != nil {
				return err
			}
		}
		var least *rowSource
		for i := 0; i < len(inputs); i++ {
			in := inputs[i]
			switch r := in.row(); {
			case in.err != nil:
				return in.err
			case r == nil:
				inputs = slices.Delete(inputs, i, i+1)
				i--
			case least == nil || compare(r, least.row()) < 0:
				least = in
			}
		}
		if least != nil {
			chunk = append(chunk, least.row())
			least.next++
		}
	}
	return write()
}
