package engine

import (
	"math/big"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"
)

// parserOp is one compiled operation of a parser state; see coreErrors for its result.
type parserOp func(p *packet) int

// parserState is a compiled parser state.
type parserState struct {
	ops  []parserOp
	pick func(p *packet) (next, err int) // nil: def
	def  int
}

// maxStates bounds the states that one packet may go through; v1model has no limit, but a
// parser loop that consumes nothing would never end.
const maxStates = 1 << 14

// parse runs the parser and returns the parser error.
func (p *packet) parse() int {
	prog := p.prog
	next := prog.parserInit
	for steps := 0; next != bmjson.StateEnd; steps++ {
		if steps == maxStates {
			return prog.errs.timeout
		}
		s := &prog.parser[next]
		for _, f := range s.ops {
			if e := f(p); e != 0 {
				return e - 1
			}
		}
		if s.pick == nil {
			next = s.def
			continue
		}
		var e int
		if next, e = s.pick(p); e != 0 {
			return e - 1
		}
	}
	return prog.errs.none
}

func (c *compiler) parser() {
	c.prog.errs = c.coreErrors()
	c.prog.parserInit = c.src.Parser.Init
	for i := range c.src.Parser.States {
		s := &c.src.Parser.States[i]
		var out parserState
		for j := range s.Ops {
			out.ops = append(out.ops, c.parserOp(&s.Ops[j]))
			c.statement()
		}
		out.def = s.Default
		if len(s.Transitions) > 0 {
			out.pick = c.selection(s)
		}
		c.prog.parser = append(c.prog.parser, out)
	}
}

// coreErrors finds the codes of the core library's errors; one that the program does not
// declare gets a code that it does not use.
func (c *compiler) coreErrors() coreErrors {
	free := 0
	codes := map[string]int{}
	for _, e := range c.src.Errors {
		codes[e.Name] = e.Value
		free = max(free, e.Value+1)
	}
	code := func(name string) int {
		v, ok := codes[name]
		if !ok {
			v = free
			free++
		}
		return v
	}
	return coreErrors{
		none: code("NoError"), tooShort: code("PacketTooShort"), stackBounds: code("StackOutOfBounds"),
		headerTooShort: code("HeaderTooShort"), timeout: code("ParserTimeout"),
		invalidArgument: code("ParserInvalidArgument"),
	}
}

func (c *compiler) parserOp(o *bmjson.ParserOp) parserOp {
	switch o.Kind {
	case bmjson.ParserExtract:
		h := &c.lay.headers[o.Target]
		return c.extraction(o, func(*packet) (*headerLayout, int) { return h, 0 }, nil)
	case bmjson.ParserExtractStack:
		s := &c.lay.stacks[o.Target]
		return c.extraction(o, func(p *packet) (*headerLayout, int) {
			n := p.words[s.next]
			if n >= uint64(s.size) {
				return nil, p.prog.errs.stackBounds + 1
			}
			return &p.prog.lay.headers[s.elements[n]], 0
		}, s)
	case bmjson.ParserExtractUnionStack:
		s, member := &c.lay.unionStacks[o.Target], o.Member
		return c.extraction(o, func(p *packet) (*headerLayout, int) {
			n := p.words[s.next]
			if n >= uint64(s.size) {
				return nil, p.prog.errs.stackBounds + 1
			}
			return &p.prog.lay.headers[p.prog.lay.unions[s.elements[n]][member]], 0
		}, s)
	case bmjson.ParserSet:
		return c.parserSet(o)
	case bmjson.ParserVerify:
		cond, code := c.boolean(o.Cond), c.narrow(o.Value)
		return func(p *packet) int {
			if cond(p) {
				return 0
			}
			return int(code(p)&(1<<31-1)) + 1
		}
	case bmjson.ParserAdvance:
		return c.advance(o.Value)
	}
	f := c.primitive(o.Call)
	return func(p *packet) int {
		if f != nil {
			p.params = nil
			f(p)
		}
		return 0
	}
}

// extraction compiles an extract into the header that find yields, and the next element of
// the stack, if there is one.
func (c *compiler) extraction(o *bmjson.ParserOp, find func(*packet) (*headerLayout, int), s *stackLayout) parserOp {
	var length narrowFn
	if o.Length != nil {
		length = c.saturated(o.Length)
	}
	if s == nil && length == nil {
		h, _ := find(nil)
		return func(p *packet) int { return p.extract(h) }
	}
	return func(p *packet) int {
		h, e := find(p)
		if e != 0 {
			return e
		}
		if length != nil {
			e = p.extractVar(h, length(p))
		} else {
			e = p.extract(h)
		}
		if e == 0 && s != nil {
			p.words[s.next]++
		}
		return e
	}
}

// saturated compiles a length; negative ones and those beyond a word become very large.
func (c *compiler) saturated(e *bmjson.Expr) narrowFn {
	s := c.span(e)
	if s.narrow() {
		return c.narrow(e) // a negative length is a large number
	}
	f, from, to := c.exact(e, 1)
	return func(p *packet) uint64 {
		v := p.words[from:to]
		f(p, v)
		if !wideIsZero(v[1:]) {
			return 1 << 63
		}
		return v[0]
	}
}

func (c *compiler) advance(e *bmjson.Expr) parserOp {
	bits := c.saturated(e)
	return func(p *packet) int {
		n := bits(p)
		if n%8 != 0 {
			return p.prog.errs.invalidArgument + 1
		}
		if uint64(len(p.frame)-p.parsed) < n/8 {
			return p.prog.errs.tooShort + 1
		}
		p.parsed += int(n / 8)
		return 0
	}
}

func (c *compiler) parserSet(o *bmjson.ParserOp) parserOp {
	dst := &bmjson.Expr{Kind: bmjson.ExprField, Type: bmjson.TypeData, Field: o.Dest, At: o.At}
	if o.Look == nil {
		f := c.assign(dst, o.Value)
		return func(p *packet) int { f(p); return 0 }
	}
	f, off := c.lay.field(o.Dest)
	peek := c.peek(o.Look)
	n, mask := f.words, f.mask()
	words := wordsOf(o.Look.Width)
	return func(p *packet) int {
		var buf [4]uint64
		v := buf[:0]
		if words <= len(buf) {
			v = buf[:words]
		} else {
			v = make([]uint64, words)
		}
		if !peek(p, v) {
			return p.prog.errs.tooShort + 1
		}
		copyWords(p.words[off:off+n], v)
		p.words[off+n-1] &= mask
		return 0
	}
}

// peek compiles a lookahead; the function is false if the packet is too short.
func (c *compiler) peek(l *bmjson.Lookahead) func(p *packet, v []uint64) bool {
	offset, width := l.Offset, l.Width
	need := (offset + width + 7) / 8
	return func(p *packet, v []uint64) bool {
		data := p.frame[p.parsed:]
		if len(data) < need {
			return false
		}
		for i := range v {
			n := min(64, width-64*i)
			v[i] = bitsAt(data, offset+width-64*i-n, n)
		}
		return true
	}
}

// selectPart is one part of a transition key.
type selectPart struct {
	wide  wideFn
	look  func(p *packet, v []uint64) bool
	words int
	bytes int
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
	for _, t := range s.Transitions {
		if t.ValueSet >= 0 {
			c.fail(t.At, "value sets are not supported")
			return nil
		}
		cases = append(cases, newSelectCase(&t, words))
	}
	def := s.Default
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
			part := &parts[i]
			v := p.words[partFrom:partTo]
			clear(v)
			if part.look != nil {
				if !part.look(p, v[:part.words]) {
					return 0, p.prog.errs.tooShort + 1
				}
			} else {
				part.wide(p, v[:part.words])
			}
			wideShl(key, key, uint64(8*part.bytes))
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
