package records

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/parquet-go/parquet-go"
	"golang.org/x/sync/errgroup"
)

// selection finds the rows of a row group that meet conditions. A column whose dictionary has no
// value that is admitted is not read.
type selection struct {
	ctx     context.Context // of the query: it may end between pages
	group   parquet.RowGroup
	columns map[string]int
}

// all gives the rows that meet every condition.
func (s *selection) all(list []condition) (set, error) {
	var out set
	for _, c := range list {
		admitted, err := s.meets(c)
		if err != nil {
			return out, err
		}
		if out = out.and(admitted); out.none() {
			break
		}
	}
	return out, nil
}

// any gives the rows that meet every condition of one list. Each list is looked at by a goroutine of its own.
func (s *selection) any(lists [][]condition) (set, error) {
	found := make([]set, len(lists))
	var all errgroup.Group
	for i, list := range lists {
		all.Go(func() (err error) {
			defer recoverCorrupt(&err)
			found[i], err = s.all(list)
			return err
		})
	}
	err := all.Wait()
	out := set{empty: true}
	for _, one := range found {
		out = out.or(one)
	}
	return out, err
}

// meets gives the rows whose value in a column is admitted.
func (s *selection) meets(c condition) (set, error) {
	pages := s.group.ColumnChunks()[s.columns[c.column]].Pages()
	defer pages.Close()
	words, err := admitted(pages, c.admits)
	if err != nil || words != nil && !slices.Contains(words, true) {
		return set{empty: true}, err
	}
	out := set{member: make([]bool, s.group.NumRows())}
	next := 0
	for s.ctx.Err() == nil {
		p, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, corrupt(err)
		}
		members := out.member[next : next+int(p.NumRows())]
		next += len(members)
		if words != nil && p.Dictionary() != nil {
			data := p.Data()
			for i, word := range data.Int32() {
				members[i] = words[word]
			}
		} else if err := admit(p, members, c.admits); err != nil {
			return out, err
		}
		parquet.Release(p)
	}
	return out, s.ctx.Err()
}

// admitted says of each word of a column's dictionary whether it is admitted; nil if there is no dictionary.
func admitted(pages parquet.Pages, admits func(parquet.Value) bool) ([]bool, error) {
	file, ok := pages.(*parquet.FilePages)
	if !ok {
		return nil, nil
	}
	d, err := file.ReadDictionary()
	if err != nil {
		return nil, corrupt(err)
	}
	if d == nil {
		return nil, nil
	}
	words := make([]bool, d.Len())
	for i := range words {
		words[i] = admits(d.Index(int32(i)))
	}
	return words, nil
}

// admit says of each value of a page whether it is admitted.
func admit(p parquet.Page, members []bool, admits func(parquet.Value) bool) error {
	values := p.Values()
	var buffer [256]parquet.Value
	for done := 0; done < len(members); {
		n, err := values.ReadValues(buffer[:min(len(buffer), len(members)-done)])
		for _, v := range buffer[:n] {
			members[done] = admits(v)
			done++
		}
		if err != nil && (!errors.Is(err, io.EOF) || done < len(members)) {
			return corrupt(err)
		}
	}
	return nil
}
