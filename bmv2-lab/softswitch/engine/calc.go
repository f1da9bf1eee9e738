package engine

import (
	"hash/crc32"
	"math/bits"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"
)

// calcFn yields the value of a calculation.
type calcFn = narrowFn

// calcInput is one input of a calculation.
type calcInput struct {
	header *headerLayout // whose validity decides; nil if it is always there
	field  int           // of the header
	units  []unit        // relative to bit 0; word -1 for a constant
	fixed  []byte        // a constant
	bits   int
	whole  bool // a whole header with a variable length
}

// calc is a compiled calculation: its inputs, packed bit by bit without the invalid headers.
type calc struct {
	inputs  []calcInput
	headers []*headerLayout // all that have to be valid for plan to hold
	plan    block           // the packed input if they are
	payload bool
	planned bool
	raw     []rawField // by input, if a rawChecksum is possible
}

func (c *compiler) calculation(index int) calcFn {
	s := &c.src.Calculations[index]
	return c.calcOf(s.Algo, s.Input, s.Payload, s.At)
}

func (c *compiler) calcOf(algo string, input []bmjson.CalcInput, payload bool, at bmjson.Place) calcFn {
	return c.calcFn(c.newCalc(input, payload), algo, at)
}

// calcFn applies an algorithm to what k packs.
func (c *compiler) calcFn(k *calc, algo string, at bmjson.Place) calcFn {
	if isChecksum16(algo) {
		if raw, ok := c.rawChecksum(k); ok {
			return raw.checksum
		}
		return k.checksum
	}
	if algo == "crc32" && !k.payload && k.planned && k.plan.bytes > crcPadded-16 {
		return k.crc32
	}
	if algo == "random" {
		return func(p *packet) uint64 { return p.sw.rand.Uint64() }
	}
	sum := hashFunc(algo)
	if sum == nil {
		c.fail(at, "algorithm %q is not supported", algo)
		return nil
	}
	return func(p *packet) uint64 { return sum(k.input(p)) }
}

func (c *compiler) newCalc(input []bmjson.CalcInput, payload bool) *calc {
	k := &calc{payload: payload}
	k.raw, _ = c.rawFields(input)
	for _, in := range input {
		k.add(c, in)
	}
	k.makePlan()
	return k
}

func (k *calc) makePlan() {
	k.planned, k.headers = true, nil
	var units []unit
	total := 0
	seen := map[int]bool{}
	for _, in := range k.inputs {
		if in.header != nil && !seen[in.header.index] {
			seen[in.header.index] = true
			k.headers = append(k.headers, in.header)
		}
		for _, u := range in.units {
			units = append(units, unit{u.word, u.bit + total, u.n})
		}
		k.planned = k.planned && !in.whole && in.fixed == nil
		total += in.bits
	}
	if k.planned {
		k.plan = newBlock(total, units)
	}
}

func (k *calc) add(c *compiler, in bmjson.CalcInput) {
	switch in.Kind {
	case bmjson.CalcConst:
		n := (in.Width + 7) / 8
		b := make([]byte, n)
		words := constWords(in.Value, wordsOf(in.Width))
		wordsToBytes(b, words)
		k.inputs = append(k.inputs, calcInput{fixed: b, bits: in.Width})
	case bmjson.CalcField:
		h := &c.lay.headers[in.Field.Header]
		f, off := c.lay.field(in.Field)
		ci := calcInput{header: h, field: in.Field.Field, bits: f.width}
		if h.metadata {
			ci.header = nil
		}
		if f.varbits {
			ci.whole = true
		} else {
			ci.units = fieldUnits(off, f, 0)
		}
		k.inputs = append(k.inputs, ci)
	default:
		h := &c.lay.headers[in.Header]
		if h.typ.varbits >= 0 {
			k.inputs = append(k.inputs, calcInput{header: h, whole: true, bits: -1})
			return
		}
		for i := range h.typ.fields {
			f := &h.typ.fields[i]
			k.inputs = append(k.inputs, calcInput{header: h, field: i, bits: f.width, units: fieldUnits(h.base+f.off, f, 0)})
		}
	}
}

// ready says whether the plan holds for this packet.
func (k *calc) ready(p *packet) bool {
	if !k.planned {
		return false
	}
	for _, h := range k.headers {
		if !p.isValid(h) {
			return false
		}
	}
	return true
}

// input packs the input into the packet's scratch buffer.
func (k *calc) input(p *packet) []byte {
	if k.ready(p) {
		p.buf = appendBlock(p.buf[:0], &k.plan, p.words, 0)
	} else {
		k.pack(p)
	}
	if k.payload {
		p.buf = append(p.buf, p.payload()...)
	}
	return p.buf
}

// pack is input for packets that lack some of the headers.
func (k *calc) pack(p *packet) {
	w := bitWriter{buf: p.buf[:0]}
	for i := range k.inputs {
		in := &k.inputs[i]
		if in.header != nil && !p.isValid(in.header) {
			continue
		}
		switch {
		case in.fixed != nil:
			w.constant(in.fixed, in.bits)
		case in.bits < 0: // a whole header, which starts on a byte
			w.buf = p.deparse(w.buf, in.header)
		case in.whole:
			w.constant(p.vars[in.header.varSlot], 8*len(p.vars[in.header.varSlot]))
		default:
			for _, u := range in.units {
				w.put(p.words[u.word], u.n)
			}
		}
	}
	p.buf = w.buf
}

// bitWriter appends bits to a buffer; the last byte is filled up with zero bits.
type bitWriter struct {
	buf  []byte
	free int // unused bits of the last byte
}

func (w *bitWriter) put(v uint64, n int) {
	for n > 0 {
		if w.free == 0 {
			w.buf = append(w.buf, 0)
			w.free = 8
		}
		take := min(w.free, n)
		n -= take
		w.free -= take
		w.buf[len(w.buf)-1] |= byte(v>>n) & (1<<take - 1) << w.free
	}
}

// constant appends the low n bits of b.
func (w *bitWriter) constant(b []byte, n int) {
	for i, v := range b {
		take := 8
		if i == 0 && n%8 != 0 {
			take = n % 8
		}
		w.put(uint64(v), take)
	}
}

// checksum is the Internet checksum (RFC 1071) of the input.
func (k *calc) checksum(p *packet) uint64 {
	var sum uint64
	if !k.payload && k.ready(p) {
		var carry uint64
		for i := range k.plan.chunks {
			sum, carry = bits.Add64(sum, k.plan.chunks[i].value(p.words, 0), carry)
		}
		return fold(sum, carry)
	}
	return checksum16(k.input(p))
}

func checksum16(b []byte) uint64 {
	var sum, carry uint64
	for ; len(b) >= 8; b = b[8:] {
		v := uint64(b[0])<<56 | uint64(b[1])<<48 | uint64(b[2])<<40 | uint64(b[3])<<32 |
			uint64(b[4])<<24 | uint64(b[5])<<16 | uint64(b[6])<<8 | uint64(b[7])
		sum, carry = bits.Add64(sum, v, carry)
	}
	var tail uint64
	for i, v := range b {
		tail |= uint64(v) << (56 - 8*i)
	}
	sum, carry = bits.Add64(sum, tail, carry)
	return fold(sum, carry)
}

// fold adds the four 16-bit parts with their carries, and complements the result.
func fold(sum, carry uint64) uint64 {
	sum, carry = bits.Add64(sum, 0, carry)
	sum += carry
	sum = sum>>32 + sum&0xffffffff
	sum = sum>>16 + sum&0xffff
	sum = sum>>16 + sum&0xffff
	sum = sum>>16 + sum&0xffff
	return ^sum & 0xffff
}

// hashFunc is an algorithm over bytes; nil if it is not known.
func hashFunc(algo string) func([]byte) uint64 {
	switch algo {
	case "crc32", "crc32_custom":
		return func(b []byte) uint64 { return uint64(crc32.ChecksumIEEE(b)) }
	case "crc16", "crc16_custom":
		t := crc16Tables()
		return func(b []byte) uint64 { return uint64(crc16(t, b)) }
	case "crcCCITT":
		return crcCCITT
	case "xor16":
		return xor16
	case "identity":
		return identity
	}
	return nil
}

// crcPadded is the length from which hash/crc32 works on 16 bytes at a time; what is left
// over it takes byte by byte.
const crcPadded = 64

// crc32 is the CRC-32 of the input, filled up in front with zero bytes to a multiple of 16:
// it starts from the state that these bytes turn into the usual one.
func (k *calc) crc32(p *packet) uint64 {
	if !k.ready(p) {
		return uint64(crc32.ChecksumIEEE(k.input(p)))
	}
	pad := -k.plan.bytes & 15
	n := pad + k.plan.bytes
	if cap(p.buf) < n+8 {
		p.buf = make([]byte, n, 2*n+8)
	}
	buf := p.buf[:n+8]
	clear(buf[:pad])
	k.plan.write(buf[pad:], p.words, 0)
	return uint64(crc32.Update(crcBefore[pad], crc32.IEEETable, buf[:n]))
}

// crcBefore is, by the number of zero bytes, what to update with them so that the checksum is
// as if nothing had come before.
var crcBefore = func() (before [16]uint32) {
	state := ^uint32(0)
	for n := 1; n < len(before); n++ {
		for i, t := range crc32.IEEETable {
			if t>>24 == state>>24 {
				state = (state^t)<<8 | uint32(i)
				break
			}
		}
		before[n] = ^state
	}
	return before
}()

// crc16Tables are the tables of CRC-16/ARC (polynomial 0x8005, reflected), eight bytes at a
// time: table k advances a byte over k further zero bytes.
func crc16Tables() *[8][256]uint16 {
	var t [8][256]uint16
	for i := range t[0] {
		crc := uint16(i)
		for range 8 {
			if crc&1 != 0 {
				crc = crc>>1 ^ 0xa001
			} else {
				crc >>= 1
			}
		}
		t[0][i] = crc
	}
	for i := range t[0] {
		for k := 1; k < 8; k++ {
			prev := t[k-1][i]
			t[k][i] = prev>>8 ^ t[0][prev&0xff]
		}
	}
	return &t
}

func crc16(t *[8][256]uint16, b []byte) uint16 {
	var crc uint16
	for ; len(b) >= 8; b = b[8:] {
		crc = t[7][b[0]^byte(crc)] ^ t[6][b[1]^byte(crc>>8)] ^ t[5][b[2]] ^ t[4][b[3]] ^
			t[3][b[4]] ^ t[2][b[5]] ^ t[1][b[6]] ^ t[0][b[7]]
	}
	for _, v := range b {
		crc = crc>>8 ^ t[0][byte(crc)^v]
	}
	return crc
}

// crcCCITT is CRC-16/CCITT-FALSE: polynomial 0x1021, initial value 0xffff.
func crcCCITT(b []byte) uint64 {
	crc := uint16(0xffff)
	for _, v := range b {
		crc ^= uint16(v) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return uint64(crc)
}

// xor16 is the exclusive or of all 16-bit words, a last odd byte filled up with zero bits.
func xor16(b []byte) uint64 {
	var x uint16
	for ; len(b) >= 2; b = b[2:] {
		x ^= uint16(b[0])<<8 | uint16(b[1])
	}
	if len(b) == 1 {
		x ^= uint16(b[0]) << 8
	}
	return uint64(x)
}

// identity is the first 8 bytes of the input as a number.
func identity(b []byte) uint64 {
	var v uint64
	for _, x := range b[:min(8, len(b))] {
		v = v<<8 | uint64(x)
	}
	return v
}
