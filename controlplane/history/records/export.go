package records

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Format is how records are exported.
type Format string

// The formats. Both have the columns of segments, with paths that name every hop; as JSON, times are RFC 3339, the last
// packet has its time, and lists that are empty are left out.
const (
	Parquet   Format = "parquet"
	JSONLines Format = "jsonl" // an object a line
)

// exportGroup is how many rows a row group of an export has: what has to be in memory.
const exportGroup = 1 << 17

// Export writes the records that are meant, and says how many. Records come in no certain order. What is
// written when it fails is not a whole export.
func (s *Store) Export(ctx context.Context, q Query, f Format, w io.Writer) (n int64, err error) {
	var write func(*row) error
	finish := func() error { return nil }
	switch f {
	case JSONLines:
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		write = func(r *row) error { return e.Encode(r) }
	case Parquet:
		p := newRowWriter(w)
		one := make([]row, 1)
		write = func(r *row) error {
			one[0] = *r
			if _, err := p.Write(one); err != nil {
				return err
			}
			if n%exportGroup == exportGroup-1 {
				return p.Flush()
			}
			return nil
		}
		finish = p.Close
	default:
		return 0, fmt.Errorf("records: export: format: %q is not %s or %s", f, Parquet, JSONLines)
	}
	m := newRowMaker()
	m.whole = true
	var made row
	err = s.Scan(ctx, q, func(r *Record) error {
		m.row(r, &made)
		if err := write(&made); err != nil {
			return err
		}
		n++
		return nil
	})
	if err != nil {
		return n, err
	}
	if err := finish(); err != nil {
		return n, fmt.Errorf("records: export: %w", errors.Join(err, ctx.Err()))
	}
	return n, nil
}
