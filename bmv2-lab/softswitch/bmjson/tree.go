package bmjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

type kind uint8

const (
	kindMissing kind = iota // a member that is not in the document
	kindNull
	kindBool
	kindNumber
	kindString
	kindArray
	kindObject
)

func (k kind) String() string {
	return [...]string{"nothing", "null", "a boolean", "a number", "a string", "an array", "an object"}[k]
}

// maxDepth bounds the nesting of a document; expressions of generated programs stay far below.
const maxDepth = 2000

// node is one value of the document; it knows where it stands.
type node struct {
	kind    kind
	text    string // string, number
	yes     bool   // bool
	elems   []*node
	names   []string // object: the names of elems
	parent  *node
	name    string // in an object
	index   int    // in an array
	inArray bool
}

// Place is where a construct stands in the document.
type Place struct{ n *node }

// String renders the place like pipelines[0].tables[3].key[1].match_type.
func (p Place) String() string {
	var parts []string
	for n := p.n; n != nil && n.parent != nil; n = n.parent {
		if n.inArray {
			parts = append(parts, "["+strconv.Itoa(n.index)+"]")
		} else {
			parts = append(parts, "."+n.name)
		}
	}
	if len(parts) == 0 {
		return "document"
	}
	var b strings.Builder
	for i := len(parts) - 1; i >= 0; i-- {
		b.WriteString(parts[i])
	}
	return strings.TrimPrefix(b.String(), ".")
}

// member returns an object's member; one that is not there has kind kindMissing.
func (n *node) member(name string) *node {
	for i, have := range n.names {
		if have == name {
			return n.elems[i]
		}
	}
	return &node{kind: kindMissing, parent: n, name: name}
}

func parseTree(doc []byte) (*node, error) {
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	root, err := parseValue(dec, nil, 0)
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("BMv2 JSON: near byte %d: %w", dec.InputOffset(), err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("BMv2 JSON: near byte %d: text after the end of the document", dec.InputOffset())
	}
	return root, nil
}

func parseValue(dec *json.Decoder, parent *node, depth int) (*node, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d levels", maxDepth)
	}
	tok, err := dec.Token()
	if err != nil {
		return nil, err
	}
	n := &node{parent: parent}
	switch v := tok.(type) {
	case nil:
		n.kind = kindNull
	case bool:
		n.kind, n.yes = kindBool, v
	case json.Number:
		n.kind, n.text = kindNumber, v.String()
	case string:
		n.kind, n.text = kindString, v
	case json.Delim:
		if v == '[' {
			n.kind = kindArray
		} else {
			n.kind = kindObject
		}
		err = parseElems(dec, n, depth)
	}
	return n, err
}

func parseElems(dec *json.Decoder, n *node, depth int) error {
	for dec.More() {
		name := ""
		if n.kind == kindObject {
			tok, err := dec.Token()
			if err != nil {
				return err
			}
			name, _ = tok.(string)
			if n.member(name).kind != kindMissing {
				return fmt.Errorf("%s: member %q is there twice", Place{n}, name)
			}
			n.names = append(n.names, name)
		}
		e, err := parseValue(dec, n, depth+1)
		if err != nil {
			return err
		}
		e.name, e.index, e.inArray = name, len(n.elems), n.kind == kindArray
		n.elems = append(n.elems, e)
	}
	_, err := dec.Token() // the closing delimiter
	return err
}
