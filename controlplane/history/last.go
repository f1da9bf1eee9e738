package history

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"time"
)

// SQLite takes its log for ended at the first frame that is not whole. When that is the last one, nothing in the files tells whether a
// kill tore it, and nobody had been told of it, or whether it was damaged after it had been acknowledged. So what was acknowledged last
// is noted in a file beside the history, each time and without waiting for the disk: a kill leaves it as it is, and after a loss of
// power it says too little, never too much.

const (
	lastName = "history.last"
	lastSize = 8 + 8 + 4 // version, commit time, sum
)

// noteLast says that everything up to p is on disk. A note that cannot be written is missed by nobody but who looks for damage.
func (d *disk) noteLast(p progress) {
	if d.last == nil {
		return
	}
	text := binary.BigEndian.AppendUint64(make([]byte, 0, lastSize), p.version)
	text = binary.BigEndian.AppendUint64(text, uint64(nanos(p.commit)))
	_, _ = d.last.WriteAt(binary.BigEndian.AppendUint32(text, crc32.Checksum(text, sums)), 0)
}

// openLast opens the note for writing.
func (d *disk) openLast() (err error) {
	if d.last, err = os.OpenFile(d.beside(lastName), os.O_RDWR|os.O_CREATE, 0o640); full(err) {
		err = nil // it is noted when the daemon starts again
	}
	return err
}

// readLast gives what was acknowledged last; known is false where there is no note that can be read.
func (d *disk) readLast() (p progress, known bool, err error) {
	text, err := os.ReadFile(d.beside(lastName))
	if errors.Is(err, fs.ErrNotExist) {
		return p, false, nil
	}
	if err != nil || len(text) != lastSize || crc32.Checksum(text[:16], sums) != binary.BigEndian.Uint32(text[16:]) {
		return p, false, err
	}
	return progress{binary.BigEndian.Uint64(text), moment(int64(binary.BigEndian.Uint64(text[8:])))}, true, nil
}

// lostTail says what was acknowledged and is not in the file that ends with p; nil if nothing.
func (d *disk) lostTail(p progress) error {
	last, known, err := d.readLast()
	if err != nil || !known || last.version <= p.version {
		return err
	}
	since := "the beginning"
	if !p.commit.IsZero() {
		since = p.commit.Format(time.RFC3339Nano)
	}
	return fmt.Errorf("%w: the last %d changes, from after %s to %s, were acknowledged and are gone: the end of the write-ahead log was damaged or cut",
		ErrCorrupt, last.version-p.version, since, last.commit.Format(time.RFC3339Nano))
}
