package records

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/parquet-go/parquet-go"
)

// order is that of a segment: traffic of a kind is together, and in it what one client said to one server, so that most
// columns repeat themselves. The identifiers of conversations hardly ever decide.
var order = []parquet.SortingColumn{parquet.Ascending("server_port"), parquet.Ascending("client_address"), parquet.Ascending("server_address"),
	parquet.Ascending("first"), parquet.Ascending("client_port"), parquet.Ascending("time"), parquet.Ascending("conversation")}

// ordered says whether a row group's rows are in the order.
func ordered(group parquet.RowGroup) bool {
	return slices.EqualFunc(group.SortingColumns(), order, func(a, b parquet.SortingColumn) bool {
		return slices.Equal(a.Path(), b.Path()) && a.Descending() == b.Descending()
	})
}

// sortKey says what decides about a record's place in a segment, and where it is in memory.
type sortKey struct {
	ends  uint64 // the server's port (16 bits), and ranks of the addresses of client and server (rankBits each)
	began int64  // first packet (ms), and the client's port (16 bits)
	time  int64
	batch uint32 // its number in memory
	at    uint32 // where in the payload it begins
}

// rankBits are those of an address's rank among all addresses of a segment.
const rankBits = 24

// sorter brings the records of a memory into the order of a segment.
type sorter struct {
	of     *memory
	d      *batchDecoder
	tables []*tables // of each batch
	bases  []int64
	keys   []sortKey

	fetched byte // something of every record, so that fetch does something
}

func newSorter(of *memory) *sorter {
	s := &sorter{of: of, d: newBatchDecoder(nil), keys: make([]sortKey, 0, of.records)}
	s.d.one = true
	return s
}

// sort reads all records once, for their keys.
func (s *sorter) sort() error {
	numbers := map[netip.Addr]uint64{}
	number := func(a netip.Addr) uint64 {
		n, known := numbers[a]
		if !known {
			n = uint64(len(numbers))
			numbers[a] = n
		}
		return n
	}
	for i, p := range s.of.batches {
		_, n, err := s.d.open(p.payload)
		if err != nil {
			return err
		}
		s.tables, s.bases = append(s.tables, s.d.tables), append(s.bases, s.d.base)
		for range n {
			at := len(p.payload) - len(s.d.b)
			k := s.d.key()
			s.keys = append(s.keys, sortKey{uint64(k.server.Port())<<(2*rankBits) | number(k.client.Addr())<<rankBits | number(k.server.Addr()),
				k.first<<16 | int64(k.client.Port()), k.time, uint32(i), uint32(at)})
		}
		if err := s.d.end(); err != nil {
			return err
		}
	}
	if len(numbers) > 1<<rankBits {
		return fmt.Errorf("%d addresses are too many for one segment", len(numbers))
	}
	s.rank(numbers)
	slices.SortFunc(s.keys, s.compare)
	return nil
}

// rank puts ranks of addresses, as texts, in the place of their numbers.
func (s *sorter) rank(numbers map[netip.Addr]uint64) {
	texts := make(map[netip.Addr]string, len(numbers))
	for a := range numbers {
		if a.IsValid() {
			texts[a] = a.String()
		}
	}
	ranks := make([]uint64, len(numbers))
	for rank, a := range slices.SortedFunc(maps.Keys(numbers), func(a, b netip.Addr) int { return cmp.Compare(texts[a], texts[b]) }) {
		ranks[numbers[a]] = uint64(rank)
	}
	const mask = 1<<rankBits - 1
	for i := range s.keys {
		k := &s.keys[i].ends
		*k = *k>>(2*rankBits)<<(2*rankBits) | ranks[*k>>rankBits&mask]<<rankBits | ranks[*k&mask]
	}
}

func (s *sorter) compare(a, b sortKey) int {
	switch {
	case a.ends != b.ends:
		return cmp.Compare(a.ends, b.ends)
	case a.began != b.began:
		return cmp.Compare(a.began, b.began)
	case a.time != b.time:
		return cmp.Compare(a.time, b.time)
	}
	return bytes.Compare(s.conversation(a), s.conversation(b))
}

// conversation gives that of a record, which is behind three integers.
func (s *sorter) conversation(k sortKey) []byte {
	b := s.of.batches[k.batch].payload[k.at:]
	for range 3 {
		_, n := binary.Uvarint(b)
		b = b[n:]
	}
	length, n := binary.Uvarint(b)
	return b[n:][:length]
}

// record reads a record again, but for its conversation. What it has in common with others is valid until the next is read.
func (s *sorter) record(k sortKey, r *Record) {
	s.d.tables, s.d.base = s.tables[k.batch], s.bases[k.batch]
	s.d.b = s.of.batches[k.batch].payload[k.at:]
	s.d.record(r)
}

// fetch looks at the beginning and the middle of records. They are anywhere in memory, and the processor waits for many of
// them at once if nothing depends on what they are.
func (s *sorter) fetch(keys []sortKey) {
	for _, k := range keys {
		payload := s.of.batches[k.batch].payload
		s.fetched += payload[k.at] + payload[min(int(k.at)+recordMiddle, len(payload)-1)]
	}
}

// recordMiddle is as far from the beginning of a record as a line of the processor's cache is long.
const recordMiddle = 64

// sortedChunk is how many rows are made at once, column by column: few, so that they stay near the processor.
const sortedChunk = 256

// writeSorted writes the rows of records in the order of a segment.
func writeSorted(of *memory, w *parquet.GenericWriter[row]) error {
	s := newSorter(of)
	if err := s.sort(); err != nil {
		return err
	}
	m := newRowMaker()
	var texts texts
	m.texts = &texts
	chunk := make([]row, sortedChunk)
	var r Record
	for part := range slices.Chunk(s.keys, sortedChunk) {
		s.fetch(part)
		for i, k := range part {
			s.record(k, &r)
			m.row(&r, &chunk[i])
			texts.add(&chunk[i].Conversation, s.d.conversation)
		}
		texts.make()
		if _, err := w.Write(chunk[:len(part)]); err != nil {
			return err
		}
	}
	return nil
}

// texts makes many texts at once, in one piece of memory.
type texts struct {
	b  []byte
	to []textSpan
}

// textSpan is where a text goes, and where it ends in the piece; it begins where that before ends.
type textSpan struct {
	to  *string
	end int
}

func (t *texts) add(to *string, b []byte) {
	t.b = append(t.b, b...)
	t.to = append(t.to, textSpan{to, len(t.b)})
}

func (t *texts) make() {
	all, from := string(t.b), 0
	for _, s := range t.to {
		*s.to, from = all[from:s.end], s.end
	}
	t.b, t.to = t.b[:0], t.to[:0]
}
