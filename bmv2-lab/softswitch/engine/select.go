package engine

import (
	"math/big"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"
)

// selectPart is one part of a transition key.
type selectPart struct {
	wide  wideFn
	look  func(p *packet, v []uint64) bool
	words int
	bytes int
}

// read puts the part into v, which may be longer; it is false if the packet is too short.
func (s *selectPart) read(p *packet, v []uint64) bool {
	if s.look != nil {
		return s.look(p, v[:s.words])
	}
	s.wide(p, v[:s.words])
	return true
}

// selectCase is a compiled transition.
type selectCase struct {
	value, mask []uint64
	next        int
}

// selection compiles the select of a state.
func (c *compiler) selection(s *bmjson.State) func(p *packet) (int, int) {
	bytes := 0
	var parts []selectPart
	for _, k := range s.Key {
		part := selectPart{words: wordsOf(k.Width), bytes: (k.Width + 7) / 8}
		if k.Look != nil {
			part.look = c.peek(k.Look)
		} else {
			part.wide = c.selectField(k.Value, part.words)
		}
		parts = append(parts, part)
		bytes += part.bytes
	}
	words := max(1, (bytes+7)/8)
	var cases []selectCase
	sets := false
	for _, t := range s.Transitions {
		sets = sets || t.ValueSet >= 0
		cases = append(cases, newSelectCase(&t, words))
	}
	def := s.Default
	if sets {
		return c.selectSets(s, parts, words, cases)
	}
	if len(s.Key) == 1 && words == 1 && s.Key[0].Value != nil {
		return c.selectWord(s.Key[0].Value, cases, def)
	}
	if len(parts) == 1 && words == 1 && parts[0].look != nil {
		return selectLook(parts[0], cases, def)
	}
	if words == 1 {
		if f := c.selectPacked(s, cases); f != nil {
			return f
		}
	}
	return c.selectMany(parts, words, cases, def)
}

// selectPacked compiles a select on fields at fixed places that fit a word together; nil if
// they are not.
func (c *compiler) selectPacked(s *bmjson.State, cases []selectCase) func(*packet) (int, int) {
	type packed struct {
		off   int
		shift uint8
	}
	var parts []packed
	shift := 0
	for i := len(s.Key) - 1; i >= 0; i-- {
		e := s.Key[i].Value
		if e == nil || e.Kind != bmjson.ExprField {
			return nil
		}
		_, off := c.lay.field(e.Field)
		parts = append(parts, packed{off, uint8(shift)})
		shift += (s.Key[i].Width + 7) / 8 * 8
	}
	type wordCase struct {
		value, mask uint64
		next        int
	}
	var list []wordCase
	for _, k := range cases {
		list = append(list, wordCase{k.value[0], k.mask[0], k.next})
	}
	def := s.Default
	return func(p *packet) (int, int) {
		var key uint64
		for _, k := range parts {
			key |= p.words[k.off] << k.shift
		}
		for i := range list {
			if key&list[i].mask == list[i].value {
				return list[i].next, 0
			}
		}
		return def, 0
	}
}

func newSelectCase(t *bmjson.Transition, words int) selectCase {
	if t.ValueSet >= 0 {
		return selectCase{next: t.Next}
	}
	mask := t.Mask
	if mask == nil {
		mask = new(big.Int).Lsh(big.NewInt(1), uint(64*words))
		mask.Sub(mask, big.NewInt(1))
	}
	return selectCase{constWords(new(big.Int).And(t.Value, mask), words), constWords(mask, words), t.Next}
}

// selectField reads a key field as its bytes are: without a sign.
func (c *compiler) selectField(e *bmjson.Expr, words int) wideFn {
	at := c.dataAddress(e)
	return func(p *packet, dst []uint64) {
		off := at(p)
		copy(dst, p.words[off:off+words])
	}
}

func (c *compiler) selectWord(e *bmjson.Expr, cases []selectCase, def int) func(*packet) (int, int) {
	at := c.dataAddress(e)
	static := -1
	if e.Kind == bmjson.ExprField {
		_, static = c.lay.field(e.Field)
	}
	type wordCase struct {
		value, mask uint64
		next        int
	}
	var list []wordCase
	for _, k := range cases {
		list = append(list, wordCase{k.value[0], k.mask[0], k.next})
	}
	return func(p *packet) (int, int) {
		off := static
		if off < 0 {
			off = at(p)
		}
		v := p.words[off]
		for i := range list {
			if v&list[i].mask == list[i].value {
				return list[i].next, 0
			}
		}
		return def, 0
	}
}

func selectLook(part selectPart, cases []selectCase, def int) func(*packet) (int, int) {
	return func(p *packet) (int, int) {
		var buf [1]uint64
		if !part.look(p, buf[:]) {
			return 0, p.prog.errs.tooShort + 1
		}
		for i := range cases {
			if buf[0]&cases[i].mask[0] == cases[i].value[0] {
				return cases[i].next, 0
			}
		}
		return def, 0
	}
}

// selectMany packs the key, each part padded to whole bytes, and compares it.
func (c *compiler) selectMany(parts []selectPart, words int, cases []selectCase, def int) func(*packet) (int, int) {
	keyFrom, keyTo := c.temp(words)
	widest := 1
	for _, part := range parts {
		widest = max(widest, part.words)
	}
	partFrom, partTo := c.temp(max(widest, words))
	c.statement()
	return func(p *packet) (int, int) {
		key := p.words[keyFrom:keyTo]
		clear(key)
		for i := range parts {
			v := p.words[partFrom:partTo]
			clear(v)
			if !parts[i].read(p, v) {
				return 0, p.prog.errs.tooShort + 1
			}
			wideShl(key, key, uint64(8*parts[i].bytes))
			for j := range key {
				key[j] |= v[j]
			}
		}
		for i := range cases {
			if cases[i].matches(key) {
				return cases[i].next, 0
			}
		}
		return def, 0
	}
}

func (s *selectCase) matches(key []uint64) bool {
	for i := range key {
		if key[i]&s.mask[i] != s.value[i] {
			return false
		}
	}
	return true
}
