package records

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strings"
)

// A segment's name ends with two sums, of its footer and of all of it: Parquet itself has sums of data pages at most, and a reader that
// goes by a footer, or by the header of a page, that says something else takes gigabytes for a few bytes, or leaves rows out. The footer's is
// checked before it is read, and that of the file before its first query.

// castagnoli makes CRC-32C, which processors have an instruction for.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal are the sums of a segment.
type seal struct{ footer, whole uint32 }

// sealed gives a segment's name with its sums.
func (s seal) sealed(name string) string {
	return fmt.Sprintf("%s-%08x%08x%s", strings.TrimSuffix(name, segmentSuffix), s.footer, s.whole, segmentSuffix)
}

// parseSeal reads what sealed wrote.
func parseSeal(text string) (*seal, error) {
	var s seal
	n, err := fmt.Sscanf(text, "%08x%08x", &s.footer, &s.whole)
	if err != nil || n != 2 || len(text) != 16 {
		return nil, fmt.Errorf("%q are no sums", text)
	}
	return &s, nil
}

// footerSum gives the sum of a Parquet file from where its footer begins until the end, by the footer's length, which
// is written before the last four bytes.
func footerSum(f io.ReaderAt, size int64) (uint32, error) {
	var tail [8]byte
	if size < int64(len(tail)) {
		return 0, fmt.Errorf("%w: a file of %d bytes", ErrCorrupt, size)
	}
	if _, err := f.ReadAt(tail[:], size-int64(len(tail))); err != nil {
		return 0, err
	}
	length := int64(binary.LittleEndian.Uint32(tail[:])) + int64(len(tail))
	if length > size {
		return 0, fmt.Errorf("%w: a footer of %d bytes in a file of %d", ErrCorrupt, length, size)
	}
	return sumOf(io.NewSectionReader(f, size-length, length))
}

func sumOf(r io.Reader) (uint32, error) {
	sum := crc32.New(castagnoli)
	_, err := io.Copy(sum, r)
	return sum.Sum32(), err
}

// checkFooter says whether the footer of a file is what was written. Files of before sums are taken as they are.
func (g *segment) checkFooter(f *os.File, size int64) error {
	if g.seal == nil {
		return nil
	}
	switch sum, err := footerSum(f, size); {
	case err != nil:
		return err
	case sum != g.seal.footer:
		return fmt.Errorf("%w: its footer has another sum than its name says", ErrCorrupt)
	}
	return nil
}

// verify reads a segment as a whole, once, and says whether it is what was written.
func (s *Store) verify(g *segment) error {
	s.mu.Lock()
	done := g.verified || g.seal == nil
	s.mu.Unlock()
	if done {
		return nil
	}
	f, err := os.Open(g.path)
	if err != nil {
		return err
	}
	defer f.Close()
	switch sum, err := sumOf(f); {
	case err != nil:
		return err
	case sum != g.seal.whole:
		return fmt.Errorf("%w: it has another sum than its name says", ErrCorrupt)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g.verified = true
	return nil
}
