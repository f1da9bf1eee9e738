package engine

import (
	"encoding/binary"
	"math/bits"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"
)

// rawChecksum is an Internet checksum over fields of one header that is in the frame as it
// came, but for the fields that the program writes. What nothing writes is summed up from the
// frame, and need not be extracted.
type rawChecksum struct {
	header  *headerLayout
	windows []rawWindow
	parts   []part // of 16-bit sums: no more than the words' places within 16 bits count
}

// rawWindow is 8 bytes of a header and the bits of them that are summed up.
type rawWindow struct {
	at   int
	mask uint64
}

func isChecksum16(algo string) bool { return algo == "csum16" || algo == "cksum16" }

// rawField is an input of a calculation that a rawChecksum can have.
type rawField struct{ header, field int }

// rawFields lists the fields of a calculation if they are of one header that is copied, all of
// fixed length, and stand in the input as they do in the header, modulo 16 bits.
func (c *compiler) rawFields(input []bmjson.CalcInput) (list []rawField, ok bool) {
	total := 0
	for _, in := range input {
		if in.Kind == bmjson.CalcConst {
			return nil, false
		}
		header, fields := in.Header, []int{}
		if in.Kind == bmjson.CalcField {
			header, fields = in.Field.Header, []int{in.Field.Field}
		} else {
			for i := range c.lay.headers[header].typ.fields {
				fields = append(fields, i)
			}
		}
		h := &c.lay.headers[header]
		if !h.copied || h.metadata || h.typ.varbits >= 0 || h.typ.bytes < 8 || (len(list) > 0 && header != list[0].header) {
			return nil, false
		}
		for _, i := range fields {
			if i == bmjson.ValidField || (total-h.typ.fields[i].bitOff)%16 != 0 || h.typ.fields[i].width > 48 {
				return nil, false
			}
			list = append(list, rawField{header, i})
			total += h.typ.fields[i].width
		}
	}
	return list, len(list) > 0
}

// rawChecksum makes one of a calculation, if it can be.
func (c *compiler) rawChecksum(k *calc) (*rawChecksum, bool) {
	if k.raw == nil || k.payload {
		return nil, false
	}
	r := &rawChecksum{header: &c.lay.headers[k.raw[0].header]}
	n := r.header.typ.bytes
	for at := 0; at < n; at += 8 {
		r.windows = append(r.windows, rawWindow{at: min(at, n-8)})
	}
	for i, in := range k.inputs {
		f := &r.header.typ.fields[k.raw[i].field]
		end := f.bitOff + f.width
		if c.live.written[k.raw[i].header][k.raw[i].field] {
			r.parts = append(r.parts, part{in.units[0].word, uint8(-end & 15), false})
			continue
		}
		for bit := f.bitOff; bit < end; bit++ {
			w := &r.windows[bit/64]
			w.mask |= 1 << (63 - (bit - 8*w.at))
		}
	}
	return r, true
}

func (r *rawChecksum) checksum(p *packet) uint64 {
	if p.words[r.header.base] == 0 {
		return fold(0, 0)
	}
	raw := p.frame[p.words[r.header.base+rawWord]:]
	var sum, carry uint64
	for i := range r.windows {
		w := &r.windows[i]
		sum, carry = bits.Add64(sum, binary.BigEndian.Uint64(raw[w.at:])&w.mask, carry)
	}
	for i := range r.parts {
		t := &r.parts[i]
		sum, carry = bits.Add64(sum, p.words[t.word]<<t.shift, carry)
	}
	return fold(sum, carry)
}
