package records

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/parquet-go/parquet-go"
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
	s := parquet.SchemaOf(row{})
	for part := range slices.Chunk(rows, pickAtOnce) {
		made, err := pickPart(group, part)
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

// pickPart gives rows as values, column by column.
func pickPart(group parquet.RowGroup, rows []int64) (made []parquet.Row, err error) {
	defer recoverCorrupt(&err)
	made = make([]parquet.Row, len(rows))
	for _, chunk := range group.ColumnChunks() {
		if err := pickColumn(chunk, rows, made); err != nil {
			return nil, corrupt(err)
		}
	}
	return made, nil
}

// pickColumn adds the values of one column to rows. A page is read once.
func pickColumn(chunk parquet.ColumnChunk, rows []int64, made []parquet.Row) error {
	pages := chunk.Pages()
	defer pages.Close()
	for next := 0; next < len(rows); {
		from := rows[next]
		if err := pages.SeekToRow(from); err != nil {
			return err
		}
		p, err := pages.ReadPage()
		if err != nil {
			return err
		}
		for ; next < len(rows) && rows[next] < from+p.NumRows(); next++ {
			at := rows[next] - from
			if made[next], err = appendValues(made[next], p.Slice(at, at+1)); err != nil {
				return err
			}
		}
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
