package engine

import (
	"fmt"
	"strings"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"
)

// tracedParserOp makes an operation of a parser state tell what it did.
func (c *compiler) tracedParserOp(s *bmjson.State, o *bmjson.ParserOp, run parserOp) parserOp {
	if c.err != nil {
		return run
	}
	name := s.Name
	what := c.parserOpText(o)
	return func(p *packet) int {
		before := p.parsed
		e := run(p)
		if e != 0 {
			p.say("parser %s: %s", name, p.prog.errorName(e-1))
			return e
		}
		if text := what(p, p.parsed-before); text != "" {
			p.say("parser %s: %s", name, text)
		}
		return 0
	}
}

// parserOpText tells what an operation did that consumed some bytes.
func (c *compiler) parserOpText(o *bmjson.ParserOp) func(p *packet, bytes int) string {
	switch o.Kind {
	case bmjson.ParserSet:
		dst := &bmjson.Expr{Kind: bmjson.ExprField, Type: bmjson.TypeData, Field: o.Dest, At: o.At}
		source := ""
		switch {
		case o.Look != nil:
			source = fmt.Sprintf(" (lookahead of %d bits)", o.Look.Width)
		case o.Value.Kind != bmjson.ExprConst:
			source = " (" + c.text(o.Value) + ")"
		}
		t := c.writeText(dst, nil)
		return func(p *packet, _ int) string { return t.dst + " = " + t.value(p) + source }
	case bmjson.ParserVerify:
		text := "verify " + c.text(o.Cond)
		return func(*packet, int) string { return text }
	case bmjson.ParserAdvance:
		return func(_ *packet, bytes int) string { return fmt.Sprintf("advance %d bytes", bytes) }
	case bmjson.ParserPrimitive:
		return func(*packet, int) string { return "" } // it tells by itself
	}
	return c.extractText(o)
}

func (c *compiler) extractText(o *bmjson.ParserOp) func(p *packet, bytes int) string {
	last := func(p *packet) int { return o.Target }
	switch o.Kind {
	case bmjson.ParserExtractStack:
		s := &c.lay.stacks[o.Target]
		last = func(p *packet) int { return s.elements[p.words[s.next]-1] }
	case bmjson.ParserExtractUnionStack:
		s := &c.lay.unionStacks[o.Target]
		last = func(p *packet) int { return p.prog.lay.unions[s.elements[p.words[s.next]-1]][o.Member] }
	}
	src := c.src
	return func(p *packet, _ int) string {
		h := last(p)
		def := &src.Headers[h]
		return def.Name + p.headerText(&p.prog.lay.headers[h], src.HeaderTypes[def.Type].Fields)
	}
}

// tracedPick makes a select tell its key and where it goes.
func (c *compiler) tracedPick(s *bmjson.State, pick func(*packet) (int, int)) func(*packet) (int, int) {
	if c.err != nil {
		return pick
	}
	var parts []textFn
	for _, k := range s.Key {
		parts = append(parts, c.keyText(k))
	}
	states := c.src.Parser.States
	return func(p *packet) (int, int) {
		next, e := pick(p)
		if e != 0 {
			p.say("parser %s: select: %s", s.Name, p.prog.errorName(e-1))
			return next, e
		}
		var b strings.Builder
		for _, part := range parts {
			b.WriteString(" " + part(p))
		}
		to := "accept"
		if next >= 0 {
			to = states[next].Name
		}
		p.say("parser %s: select%s, to %s", s.Name, b.String(), to)
		return next, e
	}
}

// keyText is a part of a transition key.
func (c *compiler) keyText(k bmjson.KeyPart) textFn {
	words := make([]uint64, wordsOf(k.Width))
	if k.Look != nil {
		look := c.peek(k.Look)
		return func(p *packet) string {
			look(p, words)
			return "lookahead=" + hexDigits(words, k.Width)
		}
	}
	name, read := c.text(k.Value), c.selectField(k.Value, len(words))
	return func(p *packet) string {
		read(p, words)
		return name + "=" + hexDigits(words, k.Width)
	}
}
