package main

import (
	"context"
	_ "embed"
	"encoding/binary"
	"fmt"
	"math/rand/v2"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/protobuf/encoding/prototext"
)

// The program whose tables are measured, as `make bench-program` compiles tables.p4.
var (
	//go:embed tables.json
	tablesConfig []byte
	//go:embed tables.p4info.txtpb
	tablesInfo []byte
)

const (
	fewEntries  = 10
	tableFrames = 1 << 17 // of any size of table, so that they cost the generator the same; a multiple of batch
	writeChunk  = 1000    // entries in a request
)

// tableKind is a table of tables.p4.
type tableKind struct {
	name   string
	number byte // by which a frame says that it wants this table
	many   int  // entries
	// entry makes the i-th entry's match, and puts into a frame what matches it.
	entry func(i int, r *rand.Rand, frame []byte) []*p4.FieldMatch
}

var tableKinds = []tableKind{
	{"exact", 1, 100_000, exactMatch},
	{"lpm", 2, 100_000, lpmMatch},
	{"ternary", 3, 1000, ternaryMatch},
	{"range", 4, 1000, rangeMatch},
}

// Where the keys are in a frame: Ethernet, IPv4 without options, UDP.
const (
	atTable    = 15
	atProtocol = 23
	atSrc      = 26
	atDst      = 30
	atPort     = 36
)

// tables compares how many frames a second pass with ten entries in a table, and with many, each
// of which is as often as any other the one that a frame finds.
func (b *bench) tables(ctx context.Context) error {
	report("tables: frames/s with entries of which each finds as many frames (median of %d rounds)", b.rounds)
	for _, k := range tableKinds {
		var figures [2][]float64
		for range b.rounds {
			for i, size := range []int{fewEntries, k.many} {
				p, frames, err := k.program(size)
				if err != nil {
					return err
				}
				d := b.switchUnderTest()
				d.program = p
				f, err := d.measure(ctx, frames, b.round/2)
				if err != nil {
					return fmt.Errorf("%d %s entries: %w", size, k.name, err)
				}
				figures[i] = append(figures[i], f)
			}
		}
		few, many := median(figures[0]), median(figures[1])
		report("  %-8s %d: %8.0f   %6d: %8.0f   cost %4.2f times   (at most 2)  %s",
			k.name, fewEntries, few, k.many, many, few/many, verdict(few/many <= 2))
	}
	return nil
}

// program is tables.p4 with so many entries in the table, and frames that find them in random order.
func (k *tableKind) program(size int) (*program, [][]byte, error) {
	info := &p4config.P4Info{}
	if err := prototext.Unmarshal(tablesInfo, info); err != nil {
		return nil, nil, fmt.Errorf("embedded P4Info: %w", err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	seen := map[string]bool{}
	var matches [][]*p4.FieldMatch
	var each [][]byte
	for len(matches) < size {
		frame := k.frame()
		m := k.entry(len(matches), r, frame)
		if id := fmt.Sprint(m); !seen[id] {
			seen[id] = true
			matches, each = append(matches, m), append(each, frame)
		}
	}
	r.Shuffle(size, func(i, j int) { each[i], each[j] = each[j], each[i] })
	frames := make([][]byte, tableFrames)
	for i := range frames {
		frames[i] = append([]byte(nil), each[i%size]...)
	}
	entries := func(c *controller) []*p4.TableEntry {
		list := make([]*p4.TableEntry, size)
		for i, m := range matches {
			e := c.entry("Pick."+k.name+"_table", nil, "Pick.forward", []byte{2}, nextMAC)
			if e.Match = m; k.number > 2 { // ternary and range keys are ordered
				e.Priority = int32(i + 1)
			}
			list[i] = e
		}
		return list
	}
	return &program{info, tablesConfig, entries}, frames, nil
}

// frame is a UDP packet for the table, of the shortest length that Ethernet has.
func (k *tableKind) frame() []byte {
	f := make([]byte, 60)
	copy(f, nextMAC)
	copy(f[6:], hostMAC)
	binary.BigEndian.PutUint16(f[12:], 0x0800)
	f[14], f[atTable], f[17], f[22], f[atProtocol] = 0x45, k.number, 46, 64, 17
	return f
}

func exactMatch(i int, _ *rand.Rand, frame []byte) []*p4.FieldMatch {
	mac := binary.BigEndian.AppendUint32([]byte{2, 0}, uint32(i)*2654435761) // no two are alike
	copy(frame, mac)
	return []*p4.FieldMatch{exact(mac...)}
}

// lpmMatch has prefixes as a big routing table has: mostly of 24 bits, down to 12 and up to 32.
func lpmMatch(_ int, r *rand.Rand, frame []byte) []*p4.FieldMatch {
	bits := []int{24, 24, 24, 24, 22, 20, 16, 32, 23, 12}[r.IntN(10)]
	dst := binary.BigEndian.AppendUint32(nil, r.Uint32()&^(1<<(32-bits)-1)|1<<31)
	copy(frame[atDst:], dst)
	return []*p4.FieldMatch{prefix(int32(bits), dst...)}
}

// ternaryMatch has random masks.
func ternaryMatch(_ int, r *rand.Rand, frame []byte) []*p4.FieldMatch {
	var list []*p4.FieldMatch
	for i, at := range []int{atSrc, atDst} {
		value, mask := r.Uint32(), r.Uint32()|1<<31
		binary.BigEndian.PutUint32(frame[at:], value)
		list = append(list, &p4.FieldMatch{FieldId: uint32(i + 1), FieldMatchType: &p4.FieldMatch_Ternary_{
			Ternary: &p4.FieldMatch_Ternary{Value: canonical(value & mask), Mask: canonical(mask)}}})
	}
	return list
}

func rangeMatch(_ int, r *rand.Rand, frame []byte) []*p4.FieldMatch {
	low, more := r.Uint32N(65000), r.Uint32N(500)
	binary.BigEndian.PutUint16(frame[atPort:], uint16(low))
	return []*p4.FieldMatch{
		{FieldId: 1, FieldMatchType: &p4.FieldMatch_Range_{
			Range: &p4.FieldMatch_Range{Low: canonical(low), High: canonical(low + more)}}},
		{FieldId: 2, FieldMatchType: &p4.FieldMatch_Optional_{
			Optional: &p4.FieldMatch_Optional{Value: frame[atProtocol : atProtocol+1]}}},
	}
}

// canonical is a number as P4Runtime wants it: as short as can be.
func canonical(v uint32) []byte {
	b := binary.BigEndian.AppendUint32(nil, v)
	for len(b) > 1 && b[0] == 0 {
		b = b[1:]
	}
	return b
}
