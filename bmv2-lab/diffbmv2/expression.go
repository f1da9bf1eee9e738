package main

import (
	"encoding/json"
	"math/big"
)

// eval computes an operand at this point of a packet's way through the parser; ok is false for
// what the walk does not know.
func (w *walk) eval(o operand) (v *big.Int, ok bool) {
	switch o.Type {
	case "hexstr":
		return number(o.text()), true
	case "field":
		f := o.strings()
		if len(f) != 2 {
			return nil, false
		}
		return w.value(f[0] + "." + f[1])
	case "stack_field":
		f := o.strings()
		if len(f) != 2 {
			return nil, false
		}
		return w.value(w.last[f[0]] + "." + f[1])
	case "lookahead":
		at, width := w.lookahead(o)
		return w.p.get(at, width), true
	case "expression":
		var inner operand
		if json.Unmarshal(o.Value, &inner) == nil && inner.Type != "" {
			return w.eval(inner)
		}
		return w.operation(o.Value)
	}
	return nil, false
}

// operation computes {op, left, right}.
func (w *walk) operation(text json.RawMessage) (*big.Int, bool) {
	var x struct {
		Op          string
		Left, Right *operand
	}
	if json.Unmarshal(text, &x) != nil || x.Left == nil || x.Right == nil {
		return nil, false
	}
	l, ok := w.eval(*x.Left)
	r, ok2 := w.eval(*x.Right)
	if !ok || !ok2 {
		return nil, false
	}
	out := new(big.Int)
	switch x.Op {
	case "+":
		return out.Add(l, r), true
	case "-":
		return out.Sub(l, r), true
	case "*":
		return out.Mul(l, r), true
	case "&":
		return out.And(l, r), true
	case "|":
		return out.Or(l, r), true
	case "^":
		return out.Xor(l, r), true
	case "<<", ">>":
		if !r.IsUint64() || r.Uint64() > 4096 {
			return nil, false
		}
		if x.Op == "<<" {
			return out.Lsh(l, uint(r.Uint64())), true
		}
		return out.Rsh(l, uint(r.Uint64())), true
	}
	return nil, false
}

// source finds the field or the bits that an operand is a plain copy of: through masks that p4c
// puts around a copy.
func source(o operand) (operand, bool) {
	switch o.Type {
	case "field", "stack_field", "lookahead":
		return o, true
	case "expression":
		var inner operand
		if json.Unmarshal(o.Value, &inner) == nil && inner.Type != "" {
			return source(inner)
		}
		var x struct {
			Op   string
			Left *operand
		}
		if json.Unmarshal(o.Value, &x) == nil && x.Op == "&" && x.Left != nil {
			return source(*x.Left)
		}
	}
	return operand{}, false
}
