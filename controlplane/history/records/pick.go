package records

import (
	"context"
	"errors"
	"io"
	"runtime"
	"slices"

	"github.com/parquet-go/parquet-go"
	"golang.org/x/sync/errgroup"
)

// pickAtOnce is how many rows are made at once of columns.
const pickAtOnce = 4096

// dense is the share of rows, one in so many, from which on reading all is faster than picking.
const dense = 8

// pick gives the rows with the given numbers, which rise. Where few are wanted, the pages that have none of them
// are not read. Of the first version of segments, all are.
func pick(ctx context.Context, group parquet.RowGroup, old bool, rows []int64, each func(*row) error) error {
	if old {
		return pickDense(ctx, group, rows, func(w *rowV1) error {
			w.Idle = int64(w.Time - w.LastPacket)
			return each(&w.row)
		})
	}
	if int64(len(rows)) > group.NumRows()/dense {
		return pickDense(ctx, group, rows, each)
	}
	p := newPicker(group)
	defer p.close()
	s := schema()
	for len(rows) > 0 {
		part := rows[:min(pickAtOnce, len(rows))]
		rows = rows[len(part):]
		made, err := p.pick(part, len(rows) == 0)
		if err != nil {
			return err
		}
		for _, values := range made {
			var w row
			if err := s.Reconstruct(&w, values); err != nil {
				return corrupt(err)
			}
			if err := errors.Join(ctx.Err(), each(&w)); err != nil {
				return err
			}
		}
	}
	return nil
}

// picker reads rows of a row group by their numbers, which rise from call to call.
type picker struct{ columns []*columnPicker }

// columnPicker is where a picker is in one column: few rows share a page, but neighbours do.
type columnPicker struct {
	number   int
	pages    parquet.Pages // nil when it is closed
	page     parquet.Page  // the last that was read; nil before
	from, to int64         // its rows
	words    []int32       // of a page with a dictionary, what each row has of it
}

func newPicker(group parquet.RowGroup) *picker {
	p := &picker{}
	for i, chunk := range group.ColumnChunks() {
		p.columns = append(p.columns, &columnPicker{number: i, pages: chunk.Pages()})
	}
	return p
}

func (p *picker) close() {
	for _, c := range p.columns {
		c.close()
	}
}

func (c *columnPicker) close() {
	if c.pages != nil {
		parquet.Release(c.page)
		_ = c.pages.Close()
		c.pages, c.page, c.words = nil, nil, nil
	}
}

// pick gives rows as values. Columns are read by as many goroutines as there are processors. When these are the last rows, a
// column that was read makes room for the next.
func (p *picker) pick(rows []int64, last bool) ([]parquet.Row, error) {
	processors := runtime.GOMAXPROCS(0)
	shares := slices.Collect(slices.Chunk(p.columns, (len(p.columns)+processors-1)/processors))
	parts := make([][]parquet.Row, len(shares))
	var all errgroup.Group
	for i, share := range shares {
		all.Go(func() (err error) {
			defer recoverCorrupt(&err)
			parts[i] = emptyRows(len(rows), len(p.columns)-share[0].number) // the first has room for all
			for _, c := range share {
				if err := c.pick(rows, parts[i]); err != nil {
					return corrupt(err)
				}
				if last {
					c.close()
				}
			}
			return nil
		})
	}
	if err := all.Wait(); err != nil {
		return nil, err
	}
	made := parts[0]
	for _, part := range parts[1:] {
		for i, values := range part {
			made[i] = append(made[i], values...)
		}
	}
	return made, nil
}

// emptyRows gives rows with room for values, in one piece of memory.
func emptyRows(n, values int) []parquet.Row {
	all := make([]parquet.Value, n*values)
	rows := make([]parquet.Row, n)
	for i := range rows {
		rows[i] = all[i*values : i*values : (i+1)*values]
	}
	return rows
}

// pick adds the values of one column to rows.
func (c *columnPicker) pick(rows []int64, made []parquet.Row) (err error) {
	for i, number := range rows {
		if number >= c.to {
			if err := c.read(number); err != nil {
				return err
			}
		}
		at := number - c.from
		if c.words != nil {
			made[i] = append(made[i], c.page.Dictionary().Index(c.words[at]).Clone().Level(0, 0, c.number))
		} else if made[i], err = appendValues(made[i], c.page.Slice(at, at+1)); err != nil {
			return err
		}
	}
	return nil
}

// read reads the page of a row.
func (c *columnPicker) read(number int64) (err error) {
	parquet.Release(c.page)
	c.page, c.words = nil, nil
	if err := c.pages.SeekToRow(number); err != nil {
		return err
	}
	if c.page, err = c.pages.ReadPage(); err != nil {
		return err
	}
	c.from, c.to = number, number+c.page.NumRows()
	if c.page.Dictionary() != nil && c.page.RepetitionLevels() == nil {
		data := c.page.Data()
		c.words = data.Int32()
	}
	return nil
}

// appendValues adds copies of all values of a page: one, or those of a list.
func appendValues(to parquet.Row, p parquet.Page) (parquet.Row, error) {
	values := p.Values()
	var buffer [16]parquet.Value
	for {
		n, err := values.ReadValues(buffer[:])
		for _, v := range buffer[:n] {
			to = append(to, v.Clone())
		}
		if errors.Is(err, io.EOF) {
			return to, nil
		}
		if err != nil {
			return to, err
		}
	}
}

// pickDense reads all rows and leaves out those that are not wanted.
func pickDense[R any](ctx context.Context, group parquet.RowGroup, rows []int64, each func(*R) error) error {
	r := parquet.NewGenericRowGroupReader[R](group)
	defer r.Close()
	buffer := make([]R, chunkRows)
	for next, at := 0, int64(0); next < len(rows); {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		n, err := readRows(r, buffer)
		if n == 0 {
			if err == nil || errors.Is(err, io.EOF) {
				err = ErrCorrupt
			}
			return corrupt(err)
		}
		for ; next < len(rows) && rows[next] < at+int64(n); next++ {
			if err := each(&buffer[rows[next]-at]); err != nil {
				return err
			}
		}
		at += int64(n)
	}
	return nil
}

func readRows[R any](r *parquet.GenericReader[R], to []R) (n int, err error) {
	defer recoverCorrupt(&err)
	return r.Read(to)
}
