package records

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
)

// segment is one Parquet file. What it holds never changes.
type segment struct {
	path        string
	first, last uint64 // batches whose records it has
	from, to    time.Time
	rows        int64
	bytes       int64
	old         bool // of the first version
	stays       bool // as it is, until it is retired: it has other columns, or another order

	seal *seal // nil of files of before sums

	verified bool // guarded by the store's mu; all of it was found to be what was written
	readers  int  // guarded by the store's mu
	doomed   bool // guarded by the store's mu; to be deleted when nobody reads it
}

const (
	segmentSuffix = ".parquet"
	newSuffix     = ".new" // of a segment that is being written
	stampLayout   = "20060102T150405.000Z"
)

// name of a segment's file before it has sums: flows-<earliest time>-<latest time>-<first batch>-<last batch>.parquet.
func segmentName(from, to time.Time, first, last uint64) string {
	return fmt.Sprintf("flows-%s-%s-%012d-%012d%s", from.UTC().Format(stampLayout), to.UTC().Format(stampLayout), first, last, segmentSuffix)
}

// openSegment reads what a file says of itself, by its name and its footer. Its error is ErrCorrupt for what is not
// a whole segment.
func openSegment(path string) (*segment, error) {
	g := &segment{path: path}
	parts := strings.Split(strings.TrimSuffix(filepath.Base(path), segmentSuffix), "-")
	ok := (len(parts) == 5 || len(parts) == 6) && parts[0] == "flows"
	if ok {
		var errFrom, errTo error
		g.from, errFrom = time.Parse(stampLayout, parts[1])
		g.to, errTo = time.Parse(stampLayout, parts[2])
		_, err := fmt.Sscanf(parts[3]+" "+parts[4], "%d %d", &g.first, &g.last)
		ok = errFrom == nil && errTo == nil && err == nil
	}
	if ok && len(parts) == 6 {
		var err error
		g.seal, err = parseSeal(parts[5])
		ok = err == nil
	}
	if !ok {
		return nil, fmt.Errorf("%w: its name is not that of a segment", ErrCorrupt)
	}
	f, file, err := g.openParquet(parquet.SkipPageIndex(true))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	g.rows, g.bytes, g.old = file.NumRows(), file.Size(), isV1(file)
	g.stays = g.old || slices.ContainsFunc(file.RowGroups(), func(group parquet.RowGroup) bool { return !ordered(group) })
	return g, nil
}

// openParquet opens the file of a segment.
func (g *segment) openParquet(more ...parquet.FileOption) (_ *os.File, file *parquet.File, err error) {
	f, err := os.Open(g.path)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	if err := g.checkFooter(f, info.Size()); err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	file, err = openFile(f, info.Size(), append(more, parquet.SkipBloomFilters(true)))
	if err == nil && file.Schema().String() != schema().String() && !isV1(file) {
		err = errors.New("its columns are not those of flow records")
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%w: %w", ErrCorrupt, err), f.Close())
	}
	return f, file, nil
}

// openFile is parquet.OpenFile, which may panic over what is no footer.
func openFile(f *os.File, size int64, options []parquet.FileOption) (file *parquet.File, err error) {
	defer recoverCorrupt(&err)
	return parquet.OpenFile(f, size, options...)
}

func schema() *parquet.Schema { return parquet.SchemaOf(row{}) }

// isV1 says that a file has the columns of the first version.
func isV1(file *parquet.File) bool {
	want := map[string]parquet.Field{}
	for _, f := range parquet.SchemaOf(rowV1{}).Fields() {
		want[f.Name()] = f
	}
	delete(want, "idle_ms")
	for _, have := range file.Schema().Fields() {
		if f := want[have.Name()]; f == nil || !parquet.EqualNodes(f, have) {
			return false
		}
		delete(want, have.Name())
	}
	return len(want) == 0
}

// pageBytes is the size of a page before compression: small, because a query reads whole pages.
const pageBytes = 64 << 10

// bounded are the columns whose least and greatest values are in a file: those by which a reader may leave pages out.
var bounded = map[string]bool{"time": true, "first": true, "server_port": true, "client_address": true, "server_address": true}

// newRowWriter writes rows to a Parquet file. A row group ends when Flush is called.
func newRowWriter(w io.Writer, more ...parquet.WriterOption) *parquet.GenericWriter[row] {
	for _, path := range schema().Columns() {
		if !bounded[path[0]] {
			more = append(more, parquet.SkipPageBounds(path...))
		}
	}
	return parquet.NewGenericWriter[row](w, append(more,
		parquet.Compression(&zstd.Codec{Level: zstd.SpeedDefault}), parquet.PageBufferSize(pageBytes),
		parquet.DataPageStatistics(false), // they are in the index of pages
		parquet.MaxRowsPerRowGroup(1<<40), parquet.CreatedBy("fabricscope", "", ""))...)
}

// chunkRows is how many rows are made at once.
const chunkRows = 1024

// writeSegment makes a segment of the rows that fill writes, in a directory. It is there whole, and durable, or
// not at all.
func writeSegment(g segment, dir string, fill func(*parquet.GenericWriter[row]) error) (*segment, error) {
	g.path = filepath.Join(dir, segmentName(g.from, g.to, g.first, g.last))
	f, err := os.Create(g.path + newSuffix)
	if err != nil {
		return nil, err
	}
	sum := crc32.New(castagnoli)
	err = func() error {
		w := newRowWriter(io.MultiWriter(f, sum), parquet.SortingWriterConfig(parquet.SortingColumns(order...)))
		if err := fill(w); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
		g.rows = w.File().NumRows()
		return f.Sync()
	}()
	if err == nil {
		g.seal, g.verified = &seal{whole: sum.Sum32()}, true
		if g.bytes, err = f.Seek(0, io.SeekEnd); err == nil {
			g.seal.footer, err = footerSum(f, g.bytes)
		}
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		g.path = filepath.Join(dir, g.seal.sealed(filepath.Base(g.path)))
		err = os.Rename(f.Name(), g.path)
	}
	if err != nil {
		return nil, errors.Join(err, os.Remove(f.Name()))
	}
	return &g, syncDir(dir)
}

// syncDir makes what was made, renamed or deleted in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
