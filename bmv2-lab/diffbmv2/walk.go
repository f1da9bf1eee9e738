package main

import (
	"fmt"
	"math/big"
)

// walk is one way through the parser. It makes a frame as it goes: extracted headers are filled
// with values that matter to the program, and a transition is chosen before the bits that decide
// about it are written.
type walk struct {
	g      *generator
	p      *bitString
	cursor int // bits
	places map[string]place
	values map[string]*big.Int // of fields that are no plain copy of bits
	next   map[string]int      // elements extracted into a stack
	last   map[string]string   // a stack's element that was extracted last
}

// place is where a field's bits are in the frame.
type place struct{ at, width int }

// maxStates bounds a way through a parser with loops.
const maxStates = 48

// frame makes one frame that arrives at a port.
func (g *generator) frame(port uint32) []byte {
	w := &walk{g: g, p: &bitString{rng: g.rng}, places: map[string]place{}, values: map[string]*big.Int{},
		next: map[string]int{}, last: map[string]string{}}
	w.values["standard_metadata.ingress_port"] = big.NewInt(int64(port))
	name := g.doc.Parsers[0].InitState
	for range maxStates {
		s, ok := g.states[name]
		if !ok {
			break
		}
		for _, op := range s.ParserOps {
			w.operate(op)
		}
		next := w.transit(s)
		if next == nil {
			break
		}
		name = *next
	}
	if g.rng.IntN(4) > 0 {
		w.p.grow(max(w.cursor, len(w.p.bits)) + 8*g.rng.IntN(40))
	}
	return w.p.bytes()
}

func (w *walk) operate(op parserOp) {
	p := op.Parameters
	switch {
	case op.Op == "extract" && len(p) == 1:
		w.extract(p[0], 0)
	case op.Op == "extract_VL" && len(p) == 2:
		length, ok := w.eval(p[1])
		if !ok || !length.IsInt64() || length.Int64() < 0 || length.Int64() > 1<<14 {
			length = new(big.Int)
		}
		w.extract(p[0], int(length.Int64()))
	case op.Op == "advance" && len(p) == 1:
		if n, ok := w.eval(p[0]); ok && n.IsInt64() && n.Int64() >= 0 && n.Int64() < 1<<14 {
			w.cursor += int(n.Int64())
			w.p.grow(w.cursor)
		}
	case op.Op == "set" && len(p) == 2:
		w.set(p[0], p[1])
	}
}

// extract appends a header, with variable many bits in its field of variable length.
func (w *walk) extract(target operand, variable int) {
	name := target.text()
	if target.Type == "union_stack" {
		return // its members' types are not looked up: the frame goes on at random
	}
	header := name
	if target.Type == "stack" {
		header = fmt.Sprintf("%s[%d]", name, w.next[name])
		w.next[name]++
		w.last[name] = header
	}
	for _, f := range w.g.doc.fields(w.g.doc.typeOf(name)) {
		width := f.width
		if width == 0 {
			width = variable
		}
		full := header + "." + f.name
		w.places[full] = place{w.cursor, width}
		delete(w.values, full)
		w.p.grow(w.cursor + width)
		if f.width > 0 {
			w.p.put(w.cursor, width, w.g.value(full, width), nil, false)
		}
		w.cursor += width
	}
}

// set follows an assignment.
func (w *walk) set(target, from operand) {
	f := target.strings()
	if target.Type != "field" || len(f) != 2 {
		return
	}
	full := f[0] + "." + f[1]
	v, known := w.eval(from)
	delete(w.places, full)
	delete(w.values, full)
	if src, ok := source(from); ok {
		if pl, ok := w.place(src); ok {
			w.places[full] = pl
			return
		}
	}
	if known {
		w.values[full] = v
	}
}

// place finds the bits that an operand stands for.
func (w *walk) place(o operand) (place, bool) {
	switch o.Type {
	case "lookahead":
		at, width := w.lookahead(o)
		return place{at, width}, true
	case "field", "stack_field":
		f := o.strings()
		if len(f) != 2 {
			return place{}, false
		}
		header := f[0]
		if o.Type == "stack_field" {
			header = w.last[f[0]]
		}
		pl, ok := w.places[header+"."+f[1]]
		return pl, ok
	}
	return place{}, false
}

func (w *walk) lookahead(o operand) (at, width int) {
	var v [2]int
	decodeInts(o.Value, v[:])
	return w.cursor + v[0], v[1]
}

func (w *walk) value(full string) (*big.Int, bool) {
	if pl, ok := w.places[full]; ok {
		return w.p.get(pl.at, pl.width), true
	}
	v, ok := w.values[full]
	return v, ok
}

// transit chooses a transition, writes the bits that lead to it, and returns the next state.
func (w *walk) transit(s *state) *string {
	if len(s.Transitions) == 0 {
		return nil
	}
	if len(s.TransitionKey) == 0 {
		return s.Transitions[len(s.Transitions)-1].NextState
	}
	if next, ok := w.decided(s); ok {
		return next
	}
	t := s.Transitions[w.g.rng.IntN(len(s.Transitions))]
	if t.Type != "hexstr" || t.Value == nil {
		return t.NextState
	}
	value := number(*t.Value)
	mask := (*big.Int)(nil)
	if t.Mask != nil {
		mask = number(*t.Mask)
	}
	// The parts of the key are padded to whole bytes each; the last one comes first here.
	for i := len(s.TransitionKey) - 1; i >= 0; i-- {
		pl, ok := w.place(s.TransitionKey[i])
		if !ok {
			pl.width = w.g.width(s.TransitionKey[i])
		}
		padded := uint((pl.width + 7) / 8 * 8)
		part, partMask := low(value, padded), (*big.Int)(nil)
		if mask != nil {
			partMask = low(mask, padded)
			mask = new(big.Int).Rsh(mask, padded)
		}
		value = new(big.Int).Rsh(value, padded)
		if ok {
			w.p.put(pl.at, pl.width, part, partMask, true)
		}
	}
	return t.NextState
}

func low(v *big.Int, bits uint) *big.Int {
	ones := new(big.Int).Lsh(big.NewInt(1), bits)
	return new(big.Int).And(v, ones.Sub(ones, big.NewInt(1)))
}

// decided is for a key of one part that is not in the frame: its value is what it is.
func (w *walk) decided(s *state) (*string, bool) {
	if len(s.TransitionKey) != 1 {
		return nil, false
	}
	if _, ok := w.place(s.TransitionKey[0]); ok {
		return nil, false
	}
	v, ok := w.eval(s.TransitionKey[0])
	if !ok {
		return nil, false
	}
	for _, t := range s.Transitions {
		switch {
		case t.Type == "default":
			return t.NextState, true
		case t.Type == "hexstr" && t.Value != nil:
			x, y := v, number(*t.Value)
			if t.Mask != nil {
				m := number(*t.Mask)
				x, y = new(big.Int).And(x, m), new(big.Int).And(y, m)
			}
			if x.Cmp(y) == 0 {
				return t.NextState, true
			}
		}
	}
	return nil, true
}
