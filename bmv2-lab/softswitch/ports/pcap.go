package ports

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Capture files: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html, microseconds.
const (
	pcapMagic    = 0xa1b2c3d4
	pcapSnapLen  = 262144
	linkEthernet = 1
)

// capture writes one direction of one port. Its owner is who receives, or sends, the frames.
type capture struct {
	file *os.File
	buf  *bufio.Writer
	err  error // the first failure; nothing is written after it
}

func createCapture(dir, name, direction string) (*capture, error) {
	f, err := os.Create(filepath.Join(dir, name+"_"+direction+".pcap"))
	if err != nil {
		return nil, fmt.Errorf("capture of %s: %w", name, err)
	}
	c := &capture{file: f, buf: bufio.NewWriterSize(f, 1<<16)}
	var h [24]byte
	le := binary.LittleEndian
	le.PutUint32(h[0:], pcapMagic)
	le.PutUint16(h[4:], 2)
	le.PutUint16(h[6:], 4)
	le.PutUint32(h[16:], pcapSnapLen)
	le.PutUint32(h[20:], linkEthernet)
	if _, err := c.buf.Write(h[:]); err != nil {
		f.Close()
		return nil, fmt.Errorf("capture of %s: %w", name, err)
	}
	return c, nil
}

// write adds a frame. A nil capture takes nothing.
func (c *capture) write(frame []byte) {
	if c == nil || c.err != nil {
		return
	}
	now := time.Now()
	var h [16]byte
	le := binary.LittleEndian
	le.PutUint32(h[0:], uint32(now.Unix()))
	le.PutUint32(h[4:], uint32(now.Nanosecond()/1000))
	le.PutUint32(h[8:], uint32(len(frame)))
	le.PutUint32(h[12:], uint32(len(frame)))
	if _, err := c.buf.Write(h[:]); err != nil {
		c.err = err
		return
	}
	_, c.err = c.buf.Write(frame)
}

// flush makes what was written visible to readers of the file. It returns the failure that
// ended the capture, once.
func (c *capture) flush() error {
	if c == nil || c.file == nil {
		return nil
	}
	if c.err == nil && c.buf.Buffered() > 0 {
		c.err = c.buf.Flush()
	}
	if c.err != nil {
		c.file.Close()
		c.file = nil
		return c.err
	}
	return nil
}

func (c *capture) close() {
	if c == nil || c.file == nil {
		return
	}
	c.flush()
	if c.file != nil {
		c.file.Close()
		c.file = nil
	}
}
