package records

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/prometheus/prometheus/tsdb/wlog"
	"github.com/prometheus/prometheus/util/compression"
)

// walFileSize bounds one file of the log. Files are changed at cuts as a rule, or when half full: never by the log
// itself, because a batch refers to those before it in the file.
const walFileSize = 1 << 30

// wal is the write-ahead log. After a failure it begins a new file, and what the failed write
// left in the old one is cut away: a batch is in it whole or not at all. It has one owner.
type wal struct {
	dir    string
	log    *slog.Logger
	wl     *wlog.WL
	broken *walEnd // where the log ended before the write that failed
}

// walEnd is a place in the log.
type walEnd struct{ file, offset int }

func openWAL(dir string, log *slog.Logger) (*wal, error) {
	w := &wal{dir: dir, log: log}
	return w, w.open()
}

func (w *wal) open() (err error) {
	w.wl, err = wlog.NewSize(w.log, nil, w.dir, walFileSize, compression.None) // payloads repeat little, and are deleted within minutes
	return err
}

// append makes payloads durable, all or none.
func (w *wal) append(payloads ...[]byte) error {
	return w.guarded(func() error {
		if err := w.wl.Log(payloads...); err != nil {
			return err
		}
		return w.wl.Sync()
	})
}

// roll begins a new file and gives its number; all before it is durable.
func (w *wal) roll() (file int, err error) {
	err = w.guarded(func() error {
		file, err = w.wl.NextSegmentSync()
		return err
	})
	return file, err
}

// halfFull says that it is time for another file.
func (w *wal) halfFull() bool {
	if w.wl == nil {
		return false
	}
	_, offset, err := w.wl.LastSegmentAndOffset()
	return err == nil && offset > walFileSize/2
}

// guarded runs a write, after the repair of one that failed before.
func (w *wal) guarded(write func() error) error {
	if err := w.recover(); err != nil {
		return err
	}
	file, offset, err := w.wl.LastSegmentAndOffset()
	if err != nil {
		return err
	}
	if err := write(); err != nil {
		w.broken = &walEnd{file, offset}
		return errors.Join(err, w.cut())
	}
	return nil
}

// recover makes a log whose last write failed usable again.
func (w *wal) recover() error {
	if w.broken == nil {
		return nil
	}
	if w.wl != nil {
		if err := w.wl.Close(); err != nil { // writes what it has left, and so says whether writing works
			return err
		}
		w.wl = nil
	}
	if err := w.cut(); err != nil {
		return err
	}
	if err := w.open(); err != nil {
		return err
	}
	w.broken = nil
	return nil
}

// cut takes away what a failed write has left.
func (w *wal) cut() error {
	_, last, err := wlog.Segments(w.dir)
	if err != nil {
		return err
	}
	for i := last; i > w.broken.file; i-- {
		if err := os.Remove(wlog.SegmentName(w.dir, i)); err != nil {
			return err
		}
	}
	return os.Truncate(wlog.SegmentName(w.dir, w.broken.file), int64(w.broken.offset))
}

// forget deletes the files before the given one.
func (w *wal) forget(file int) error {
	if w.wl == nil {
		return nil
	}
	return w.wl.Truncate(file)
}

func (w *wal) close() error {
	if w.wl == nil {
		return nil
	}
	err := w.wl.Close()
	if w.broken != nil {
		return w.cut()
	}
	return err
}

// damage is a place from where on a file of the log cannot be read.
type damage struct {
	file string
	torn bool // the file just ends: the process was killed while it wrote
	err  error
}

// replay gives every payload of the log in order, file by file, each of which it begins, and what could not be read. Damage in a file costs what
// is behind it in the same file, and no other.
func replay(dir string, begin func(), each func(payload []byte) error) (found []damage, err error) {
	first, last, err := wlog.Segments(dir)
	if err != nil || last < 0 {
		return nil, err
	}
	for i := first; i <= last; i++ {
		name := wlog.SegmentName(dir, i)
		f, err := os.Open(name)
		if err != nil {
			return found, err
		}
		begin()
		err = replayFile(f, each)
		_ = f.Close()
		if err != nil {
			found = append(found, damage{name, torn(err), err})
		}
	}
	return found, nil
}

// errTorn is what replayFile says of a file that ends within a payload.
var errTorn = errors.New("the file ends within a batch")

func torn(err error) bool { return errors.Is(err, errTorn) }

func replayFile(f io.Reader, each func([]byte) error) error {
	end := &endNoticer{r: bufio.NewReader(f)}
	r := wlog.NewReader(end)
	for r.Next() {
		if err := each(r.Record()); err != nil {
			return err
		}
	}
	if err := r.Err(); err != nil {
		if end.reached {
			return fmt.Errorf("%w: %w", errTorn, err)
		}
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return nil
}

// endNoticer remembers that the end of r was reached.
type endNoticer struct {
	r       io.Reader
	reached bool
}

func (e *endNoticer) Read(b []byte) (int, error) {
	n, err := e.r.Read(b)
	e.reached = e.reached || errors.Is(err, io.EOF)
	return n, err
}
