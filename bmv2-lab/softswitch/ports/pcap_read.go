package ports

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// The magic numbers of files whose times have nanoseconds, and of pcapng.
const (
	pcapNanoMagic = 0xa1b23c4d
	pcapngMagic   = 0x0a0d0d0a
)

// pcapReader reads the frames of one capture file of either byte order, one after the other.
// The link type is not looked at: all that there is to read here is Ethernet.
type pcapReader struct {
	name  string
	file  *os.File
	buf   *bufio.Reader
	order binary.ByteOrder
	scale uint64 // nanoseconds in a unit of the fraction of a second
	count int    // frames that were read

	// The frame that was read last: its time in nanoseconds since 1970, and its bytes, which
	// are valid until the next one is read.
	at    uint64
	frame []byte
}

// openPcap opens a file and reads its header. Errors name the file.
func openPcap(name string) (*pcapReader, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("frames to read: %w", err)
	}
	r := &pcapReader{name: name, file: f, buf: bufio.NewReaderSize(f, 1<<16)}
	if err := r.readHeader(); err != nil {
		f.Close()
		return nil, err
	}
	return r, nil
}

func (r *pcapReader) readHeader() error {
	var h [24]byte
	if _, err := io.ReadFull(r.buf, h[:]); err != nil {
		return fmt.Errorf("%s: header of a pcap file: %w", r.name, err)
	}
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		switch order.Uint32(h[:]) {
		case pcapMagic:
			r.order, r.scale = order, 1000
		case pcapNanoMagic:
			r.order, r.scale = order, 1
		case pcapngMagic:
			return fmt.Errorf("%s: this is pcapng; pcap is needed (editcap -F pcap makes it)", r.name)
		}
	}
	if r.order == nil {
		return fmt.Errorf("%s: not a pcap file: it begins with %x", r.name, h[:4])
	}
	return nil
}

// next reads the next frame; false says that there is none. A frame that the capture cut is
// an error: what was on the wire cannot be known.
func (r *pcapReader) next() (bool, error) {
	var h [16]byte
	switch _, err := io.ReadFull(r.buf, h[:]); {
	case errors.Is(err, io.EOF):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("%s: frame %d: header: %w", r.name, r.count+1, err)
	}
	r.count++
	captured, length := r.order.Uint32(h[8:]), r.order.Uint32(h[12:])
	if captured != length || length > pcapSnapLen {
		return false, fmt.Errorf("%s: frame %d: %d of %d bytes were captured; all of at most %d are needed",
			r.name, r.count, captured, length, pcapSnapLen)
	}
	if cap(r.frame) < int(length) {
		r.frame = make([]byte, length)
	}
	r.frame = r.frame[:length]
	if _, err := io.ReadFull(r.buf, r.frame); err != nil {
		return false, fmt.Errorf("%s: frame %d: %w", r.name, r.count, err)
	}
	r.at = uint64(r.order.Uint32(h[:]))*1e9 + uint64(r.order.Uint32(h[4:]))*r.scale
	return true, nil
}

func (r *pcapReader) close() { r.file.Close() }
