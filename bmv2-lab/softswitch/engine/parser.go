package engine

import "github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"

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
	if prog.flat != nil {
		p.loops = 0
		return p.runFlat(prog.flat.parser)
	}
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
			f := c.parserOp(&s.Ops[j])
			if c.trace {
				f = c.tracedParserOp(s, &s.Ops[j], f)
			}
			out.ops = append(out.ops, f)
			c.statement()
		}
		out.def = s.Default
		if len(s.Transitions) > 0 {
			if out.pick = c.selection(s); c.trace {
				out.pick = c.tracedPick(s, out.pick)
			}
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
	f := c.step(o.Call)
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
		p.whole = false
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
	if words == 1 && n == 1 {
		offset, width, need := o.Look.Offset, o.Look.Width, (o.Look.Offset+o.Look.Width+7)/8
		return func(p *packet) int {
			data := p.frame[p.parsed:]
			if len(data) < need {
				return p.prog.errs.tooShort + 1
			}
			p.words[off] = bitsAt(data, offset, width) & mask
			return 0
		}
	}
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
