package main

import (
	"encoding/json"
	"math/big"
	"math/rand/v2"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"

	"github.com/fabricscope/fabricscope/bmv2-lab/conformance/rig"
)

// generator makes entries and packets for one program.
type generator struct {
	rng    *rand.Rand
	most   int // entries of a table
	doc    *document
	info   *p4config.P4Info
	states map[string]*state
	consts []*big.Int
	// pool has values that entries match, by the field that the key is: HEADER.FIELD.
	pool map[string][]wanted
	// out is the length of a packet-out's metadata, in bytes; 0 if the program takes none.
	out int
}

// wanted is a value to match; bits outside of the mask do not count.
type wanted struct{ value, mask *big.Int }

func newGenerator(p *program, rng *rand.Rand, most int) *generator {
	g := &generator{rng: rng, most: most, doc: p.doc, info: p.config.GetP4Info(), states: map[string]*state{}, consts: p.consts, pool: map[string][]wanted{}}
	for i := range p.doc.Parsers[0].ParseStates {
		s := &p.doc.Parsers[0].ParseStates[i]
		g.states[s.Name] = s
	}
	for _, m := range g.info.GetControllerPacketMetadata() {
		if m.GetPreamble().GetName() == "packet_out" {
			for _, f := range m.GetMetadata() {
				g.out += int(f.GetBitwidth())
			}
		}
	}
	g.out = (g.out + 7) / 8
	return g
}

// packet is a frame and where it arrives.
type packet struct {
	port  uint32
	frame []byte
}

// packet makes a frame that follows the parser, and damages one in four.
func (g *generator) packet(ports []uint32) packet {
	port := ports[g.rng.IntN(len(ports))]
	if g.out > 0 && g.rng.IntN(6) == 0 {
		port = rig.CPUPort
	}
	f := g.frame(port)
	switch g.rng.IntN(12) {
	case 0, 1: // cut off
		f = f[:g.rng.IntN(len(f)+1)]
	case 2: // damaged
		for range 1 + g.rng.IntN(4) {
			if len(f) > 0 {
				f[g.rng.IntN(len(f))] = byte(g.rng.IntN(256))
			}
		}
	}
	for len(f) < max(rig.MinFrame, g.out)+4 {
		f = append(f, byte(g.rng.IntN(256)))
	}
	return packet{port, f[:min(len(f), maxFrame)]}
}

// maxFrame bounds frames, so that copies with more headers still fit the wire, in bytes.
const maxFrame = 4000

// value chooses a value for a field.
func (g *generator) value(full string, width int) *big.Int {
	v := g.random(width)
	if pool := g.pool[full]; len(pool) > 0 && g.rng.IntN(3) > 0 {
		x := pool[g.rng.IntN(len(pool))]
		// The wanted bits, and random ones elsewhere.
		v.AndNot(v, x.mask)
		return low(v.Or(v, new(big.Int).And(x.value, x.mask)), uint(width))
	}
	switch g.rng.IntN(8) {
	case 0:
		return new(big.Int)
	case 1:
		return ones(width)
	case 2, 3:
		if len(g.consts) > 0 {
			return low(g.consts[g.rng.IntN(len(g.consts))], uint(width))
		}
	case 4:
		return low(big.NewInt(int64(g.rng.IntN(9))), uint(width))
	}
	return v
}

func (g *generator) random(width int) *big.Int {
	v := new(big.Int)
	for range (width + 63) / 64 {
		v.Lsh(v, 64).Or(v, new(big.Int).SetUint64(g.rng.Uint64()))
	}
	return low(v, uint(width))
}

func ones(width int) *big.Int {
	v := new(big.Int).Lsh(big.NewInt(1), uint(width))
	return v.Sub(v, big.NewInt(1))
}

// width is the width of a select's operand that is not in the frame.
func (g *generator) width(o operand) int {
	f := o.strings()
	if len(f) != 2 {
		return 0
	}
	for _, x := range g.doc.fields(g.doc.typeOf(f[0])) {
		if x.name == f[1] {
			return x.width
		}
	}
	return 0
}

func decodeInts(text json.RawMessage, into []int) {
	var list []int
	_ = json.Unmarshal(text, &list)
	copy(into, list)
}
