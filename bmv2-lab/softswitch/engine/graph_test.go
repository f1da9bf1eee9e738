package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// randomCode is flat code that only goes forward, of instructions on a few words, so that
// they have to do with each other.
type randomCode struct {
	*lowerer
	r     *rand.Rand
	words []int // fields of metadata and scratch words
	valid []int // words that say whether headers are valid
	ahead []label
}

func newRandomCode(r *rand.Rand, prog *Program) *randomCode {
	c := &compiler{src: prog.src, lay: prog.lay, prog: prog}
	l := &lowerer{compiler: c, out: &flatCode{}, nodes: map[*node]label{}, jumped: map[label]bool{}, seen: noLiveness(prog.src)}
	code := &randomCode{lowerer: l, r: r}
	for i, h := range prog.lay.headers {
		if !h.metadata && h.typ.bytes > 0 {
			code.valid = append(code.valid, h.base)
			continue
		}
		for f := range h.typ.fields {
			code.words = append(code.words, h.base+h.typ.fields[f].off)
			l.seen.read[i][f] = r.IntN(2) == 0
		}
	}
	r.Shuffle(len(code.words), func(i, j int) { code.words[i], code.words[j] = code.words[j], code.words[i] })
	code.words = append(code.words[:6], prog.lay.cleared, prog.lay.cleared+1, prog.lay.cleared+2)
	return code
}

func (c *randomCode) word() int { return c.words[c.r.IntN(len(c.words))] }

// fill emits n instructions, between which labels are placed that were jumped to.
func (c *randomCode) fill(n int) {
	start := c.here()
	c.out.parser, c.out.verify, c.out.update = int(start), int(start), int(start)
	for _, w := range c.words[len(c.words)-3:] { // what scratch words held before is not to be read
		c.op3(opConst, w, 0, 0, 0)
	}
	for range n {
		if len(c.ahead) > 0 && c.r.IntN(3) == 0 {
			c.place(c.ahead[0])
			c.ahead = c.ahead[1:]
		}
		c.step()
	}
	for _, to := range c.ahead {
		c.place(to)
	}
	c.emit(inst{op: opEnd})
}

func (c *randomCode) step() {
	to := func() label {
		if len(c.ahead) == 0 || c.r.IntN(2) == 0 {
			c.ahead = append(c.ahead, c.newLabel())
		}
		return c.ahead[c.r.IntN(len(c.ahead))]
	}
	k := c.r.Uint64N(3)
	switch c.r.IntN(16) {
	case 0, 1, 2:
		c.op3(opConst, c.word(), 0, 0, k)
	case 3, 4:
		c.op3([]opcode{opMove, opAndK, opOrK, opXorK}[c.r.IntN(4)], c.word(), c.word(), 0, k)
	case 5:
		c.op3([]opcode{opAdd, opOr, opShlOr}[c.r.IntN(3)], c.word(), c.word(), c.word(), 3)
	case 6, 7, 8:
		ops := []opcode{opJumpEqK, opJumpNeK, opJumpLtK, opJumpGtK, opJumpAny, opJumpNone}
		c.jumpK(ops[c.r.IntN(len(ops))], c.word(), k, to())
	case 9:
		c.jumpK([]opcode{opJumpEqK, opJumpNeK}[c.r.IntN(2)], c.valid[c.r.IntN(len(c.valid))], 0, to())
	case 10:
		c.op3([]opcode{opJumpEq, opJumpNe}[c.r.IntN(2)], c.word(), c.word(), 0, uint64(to()))
	case 11:
		c.jump(to())
	case 12, 13:
		c.op3(opRegRead, c.word(), c.words[0], c.r.IntN(3), 0)
	case 14:
		c.op3(opRegWrite, c.word(), c.words[0], c.r.IntN(3), ^uint64(0))
	case 15:
		h := &c.lay.headers[c.r.IntN(len(c.lay.headers))]
		if !h.metadata && h.typ.bytes >= 8 {
			c.header(h)
		} else {
			c.op3(opConst, c.words[0], 0, 0, k)
			c.op3(opConst, c.words[0]+1, 0, 0, 0)
		}
	}
}

// TestImprovedCodeDoesTheSame runs random code as it is and improved: registers, and the
// words that are read outside of the code, end up the same.
func TestImprovedCodeDoesTheSame(t *testing.T) {
	shorter, p, seeds := 0, newPacket(load(t, ourProgram)), 500
	for seed := range uint64(seeds) {
		r := rand.New(rand.NewPCG(seed, 7))
		code := newRandomCode(r, p.prog)
		code.fill(5 + r.IntN(60))
		plain := *code.lowerer
		plain.out = &flatCode{code: slices.Clone(code.out.code), parser: code.out.parser, verify: code.out.verify, update: code.out.update}
		plain.labels = slices.Clone(code.labels)
		plain.finish()
		code.improve()
		code.finish()
		for range 8 {
			start := r.Uint64()
			if want, got := runCode(p, code, plain.out, start), runCode(p, code, code.out, start); want != got {
				t.Fatalf("seed %d:\nwant %s\n got %s\nplain %v\nimproved %v", seed, want, got, plain.out.code, code.out.code)
			}
		}
		if len(code.out.code) < len(plain.out.code) {
			shorter++
		}
	}
	if shorter < seeds/2 {
		t.Errorf("only %d of %d got shorter", shorter, seeds)
	}
}

// runCode runs code on random words and says what can be seen of it afterwards.
func runCode(p *packet, c *randomCode, fc *flatCode, seed uint64) string {
	prog := *c.prog
	prog.flat = fc
	p.prog = &prog
	p.rows = []cells{{words: make([]uint64, 2*22), size: 2, row: 22, each: 22}}
	p.registers = nil
	for _, place := range prog.places[:3] {
		p.registers = append(p.registers, cells{p.rows[0].words[place.at:], 2, 22, 1})
	}
	r := rand.New(rand.NewPCG(seed, 1))
	frame := make([]byte, 64+r.IntN(64))
	for i := range frame {
		frame[i] = byte(r.IntN(256))
	}
	p.start(1, 1, frame)
	for _, w := range c.words {
		p.words[w] = r.Uint64N(3)
	}
	out := fmt.Sprint(p.runFlat(fc.parser), p.parsed, p.rows)
	for w, unread := range c.unreadOutside() {
		if !unread {
			out += fmt.Sprintf(" %d=%d", w, p.words[w])
		}
	}
	return out
}
