package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
)

// document is as much of a compiled program as it takes to steer packets through its parser.
// The switches under test read the same text with decoders of their own.
type document struct {
	HeaderTypes []struct {
		Name   string
		Fields [][]any // name, width in bits (or "*"), …
	} `json:"header_types"`
	Headers []struct {
		Name       string
		HeaderType string `json:"header_type"`
		Metadata   bool
	}
	HeaderStacks []struct {
		Name       string
		HeaderType string `json:"header_type"`
		Size       int
	} `json:"header_stacks"`
	Parsers []struct {
		InitState   string  `json:"init_state"`
		ParseStates []state `json:"parse_states"`
	}
	Pipelines []struct{ Tables []table }
}

type state struct {
	Name          string
	ParserOps     []parserOp   `json:"parser_ops"`
	Transitions   []transition `json:"transitions"`
	TransitionKey []operand    `json:"transition_key"`
}

type parserOp struct {
	Op         string
	Parameters []operand
}

type transition struct {
	Type      string
	Value     *string
	Mask      *string
	NextState *string `json:"next_state"`
}

// operand is a typed value, or an expression.
type operand struct {
	Type  string
	Value json.RawMessage
}

type table struct {
	Name string
	Key  []struct{ Target json.RawMessage } // header and field, mostly
}

func parseDocument(text []byte) (*document, error) {
	d := &document{}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(d); err != nil {
		return nil, fmt.Errorf("program: %w", err)
	}
	if len(d.Parsers) == 0 {
		return nil, fmt.Errorf("program: there is no parser")
	}
	return d, nil
}

// field is a field of a header; a width of 0 is a variable one.
type field struct {
	name  string
	width int
}

// fields lists the fields of a header type.
func (d *document) fields(headerType string) []field {
	for _, t := range d.HeaderTypes {
		if t.Name != headerType {
			continue
		}
		var out []field
		for _, f := range t.Fields {
			if len(f) < 2 {
				continue
			}
			name, _ := f[0].(string)
			n, _ := f[1].(json.Number)
			width, _ := n.Int64()
			out = append(out, field{name, int(width)})
		}
		return out
	}
	return nil
}

// typeOf finds the type of a header, or of the elements of a stack.
func (d *document) typeOf(name string) string {
	for _, h := range d.Headers {
		if h.Name == name {
			return h.HeaderType
		}
	}
	for _, s := range d.HeaderStacks {
		if s.Name == name {
			return s.HeaderType
		}
	}
	return ""
}

// strings reads an operand's value as a list of strings.
func (o operand) strings() []string {
	var list []string
	_ = json.Unmarshal(o.Value, &list)
	return list
}

func (o operand) text() string {
	var s string
	_ = json.Unmarshal(o.Value, &s)
	return s
}

// number reads "0x…" and "-0x…".
func number(s string) *big.Int {
	v, ok := new(big.Int).SetString(s, 0)
	if !ok {
		return new(big.Int)
	}
	return v
}

// constants are the numbers that a program compares with and computes with, of at least two
// and at most 128 bits.
func constants(text []byte) []*big.Int {
	seen := map[string]bool{}
	var out []*big.Int
	for _, s := range strings.Split(string(text), `"`) {
		if !strings.HasPrefix(s, "0x") || seen[s] {
			continue
		}
		seen[s] = true
		if v, ok := new(big.Int).SetString(s, 0); ok && v.BitLen() > 1 && v.BitLen() <= 128 {
			out = append(out, v)
		}
	}
	return out
}
