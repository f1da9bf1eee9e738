package engine

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
)

// BenchmarkTables sends frames through match.p4, each of which another entry of the table
// wins for, in random order. The cost with many entries is to be compared with that of ten.
func BenchmarkTables(b *testing.B) {
	for _, c := range []struct {
		kind  string
		sizes []int
		entry func(i int, r *rand.Rand) (Entry, string)
	}{
		{"exact", []int{10, 100_000}, exactEntry},
		{"lpm", []int{10, 100_000}, lpmEntry},
		{"ternary", []int{10, 1000}, ternaryEntry},
		{"range", []int{10, 1000}, rangeEntry},
	} {
		for _, size := range c.sizes {
			b.Run(fmt.Sprintf("%s/%d", c.kind, size), func(b *testing.B) {
				sw := load(b, "testdata/match.json")
				table := mustTable(b, sw, "I.t_"+c.kind)
				table.prog.src.Size = size
				r := rand.New(rand.NewPCG(1, 1))
				var frames [][]byte
				for i := 0; len(frames) < size; i++ {
					e, frame := c.entry(i, r)
					if err := table.Insert(e); err == nil {
						frames = append(frames, unhex(b, frame))
					}
				}
				r.Shuffle(len(frames), func(i, j int) { frames[i], frames[j] = frames[j], frames[i] })
				// The frames follow each other in memory, as those that were received do, and are
				// as many whatever the size, so that they cost the same.
				size := len(frames[0])
				var memory []byte
				for i := range 1 << 17 {
					memory = append(memory, frames[i%len(frames)]...)
				}
				out := &discard{}
				b.ReportAllocs()
				b.ResetTimer()
				for i := 0; i < b.N; i++ {
					at := i & (1<<17 - 1) * size
					sw.Process(uint64(i), 1, memory[at:at+size], out)
				}
			})
		}
	}
}

func exactEntry(i int, _ *rand.Rand) (Entry, string) {
	d := binary.BigEndian.AppendUint32(nil, uint32(i)*2654435761)
	return set("set1", 7, 0, exact(1), exact(d...)), matchFrame("01", "0000", "00000000", fmt.Sprintf("%x", d))
}

// lpmEntry has prefixes as a big routing table has: mostly of 24 bits, down to 8 and up to 32.
func lpmEntry(_ int, r *rand.Rand) (Entry, string) {
	n := []int{24, 24, 24, 24, 22, 20, 16, 32, 23, 12}[r.IntN(10)]
	c := binary.BigEndian.AppendUint32(nil, r.Uint32()&^(1<<(32-n)-1))
	return set("count1", 1, 0, exact(2), lpm(n, c...)), matchFrame("02", "0000", fmt.Sprintf("%x", c), "")
}

// ternaryEntry has a random mask.
func ternaryEntry(i int, r *rand.Rand) (Entry, string) {
	value, mask := r.Uint64(), r.Uint64()|1<<63
	b := binary.BigEndian.AppendUint16(nil, uint16(value))
	d := binary.BigEndian.AppendUint64(nil, value)
	m := binary.BigEndian.AppendUint64(nil, value&mask)
	return set("set1", 1, int32(1+i), ternary(b, []byte{0xff, 0xff}), ternary(m, binary.BigEndian.AppendUint64(nil, mask))),
		matchFrame("03", fmt.Sprintf("%x", b), "00000000", fmt.Sprintf("%x", d))
}

func rangeEntry(i int, r *rand.Rand) (Entry, string) {
	low, n := r.IntN(65000), r.IntN(500)
	high := binary.BigEndian.AppendUint16(nil, uint16(low+n))
	return set("set1", 1, int32(1+i), Match{Kind: MatchRange, Value: binary.BigEndian.AppendUint16(nil, uint16(low)), High: high},
		Match{Kind: MatchOptional, Value: []byte{4}}), matchFrame("04", fmt.Sprintf("%04x", low), "00000000", "")
}

// BenchmarkTableWrites inserts into and deletes from tables of 100,000 entries.
func BenchmarkTableWrites(b *testing.B) {
	for _, c := range []struct {
		kind  string
		entry func(i int, r *rand.Rand) (Entry, string)
	}{{"exact", exactEntry}, {"lpm", lpmEntry}, {"ternary", ternaryEntry}} {
		b.Run(c.kind, func(b *testing.B) {
			sw := load(b, "testdata/match.json")
			table := mustTable(b, sw, "I.t_"+c.kind)
			table.prog.src.Size = 1 << 30
			r := rand.New(rand.NewPCG(1, 1))
			for i := range 100_000 {
				e, _ := c.entry(i, r)
				_ = table.Insert(e) // some prefixes come twice
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i++ {
				e, _ := c.entry(100_000+i, r)
				if table.Insert(e) == nil {
					if err := table.Delete(e.Match, e.Priority); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
