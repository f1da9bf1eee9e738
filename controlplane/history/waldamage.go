package history

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// SQLite takes its log for ended at the first frame that is not whole, whatever is behind it. After a kill that is right: the
// rest was never synced. But a frame that was damaged later looks the same, and takes acknowledged transactions with it. So the log is
// read before SQLite does: see "The WAL File Format" of its documentation.

const (
	logHeader   = 32 // bytes
	frameHeader = 24
	logMagic    = 0x377f0682 // the lowest bit says that sums are of big-endian words
)

// logEnd is where a log can be read until.
type logEnd struct {
	whole int // frames
	lost  int // transactions behind that, which were written whole
}

// frameSum goes on with a sum over words of eight bytes.
type frameSum struct {
	order  binary.ByteOrder
	s0, s1 uint32
}

func (f *frameSum) add(b []byte) {
	for ; len(b) >= 8; b = b[8:] {
		f.s0 += f.order.Uint32(b) + f.s1
		f.s1 += f.order.Uint32(b[4:]) + f.s0
	}
}

// is says whether the sum is the one that is written in eight bytes.
func (f *frameSum) is(b []byte) bool {
	return f.s0 == binary.BigEndian.Uint32(b) && f.s1 == binary.BigEndian.Uint32(b[4:])
}

// readLog reads a log to its end. Frames of before the log began anew have other salts, and are not of it.
func readLog(r io.Reader) (end logEnd, err error) {
	var header [logHeader]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return end, ended(err)
	}
	magic, size := binary.BigEndian.Uint32(header[:]), binary.BigEndian.Uint32(header[8:])
	sum := frameSum{order: binary.LittleEndian}
	if magic&1 == 1 {
		sum.order = binary.BigEndian
	}
	sum.add(header[:24])
	whole := magic&^1 == logMagic && sum.is(header[24:])
	if size < 512 || size > 1<<16 {
		size = 4096 // of a header that is damaged
	}
	salts := string(header[16:24])
	frame := make([]byte, frameHeader+size)
	for first := true; ; first = false {
		if _, err := io.ReadFull(r, frame); err != nil {
			return end, ended(err)
		}
		if first && !whole { // the header may be wrong about that
			salts = string(frame[8:16])
		}
		ours := string(frame[8:16]) == salts
		if whole {
			sum.add(frame[:8])
			sum.add(frame[frameHeader:])
			if whole = ours && sum.is(frame[16:24]); whole {
				end.whole++
			}
			continue // a kill tears one frame
		}
		if commit := binary.BigEndian.Uint32(frame[4:]) != 0; ours && commit {
			end.lost++
		}
	}
}

// ended leaves out that there is no more.
func ended(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// isolateLog keeps a copy of a log that is damaged, which SQLite is about to forget, and says what is lost.
func isolateLog(path string, now time.Time) (to string, end logEnd, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", end, nil
	}
	if err != nil {
		return "", end, err
	}
	defer func() { _ = f.Close() }()
	if end, err = readLog(f); err != nil || end.lost == 0 {
		return "", end, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", end, err
	}
	if to, err = inQuarantine(filepath.Dir(path), filepath.Base(path), now); err != nil {
		return "", end, err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return "", end, fmt.Errorf("isolate: %w", err)
	}
	_, err = io.Copy(out, f)
	return to, end, errors.Join(err, out.Sync(), out.Close())
}
