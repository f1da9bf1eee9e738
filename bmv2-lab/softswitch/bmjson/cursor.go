package bmjson

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
)

// Error says what is wrong with a document, and where.
type Error struct {
	Where Place
	What  string
}

func (e *Error) Error() string { return fmt.Sprintf("BMv2 JSON: %s: %s", e.Where, e.What) }

// Errorf makes an Error about a construct.
func Errorf(where Place, format string, args ...any) error {
	return &Error{Where: where, What: fmt.Sprintf(format, args...)}
}

// decoder walks the tree. Its first error sticks; after it, every accessor still returns
// something harmless, so that callers need not check each step.
type decoder struct {
	err error
	p   *Program

	headerTypes, headers, stacks, unionTypes, unions, unionStacks names
	errorCodes, valueSets, calculations, counters, meters         names
	registers, states                                             names

	headerIDs, unionIDs, actionIDs, learnIDs, fieldListIDs map[int]int
	actionsByName                                          map[string][]int
	unionTypeDefs                                          []unionType
	locals                                                 int // parameters of the action being decoded
}

// names maps the names of one kind of object to indices.
type names map[string]int

func (d *decoder) fail(n *node, format string, args ...any) {
	if d.err == nil {
		d.err = Errorf(Place{n}, format, args...)
	}
}

func (d *decoder) want(n *node, k kind) bool {
	if n.kind == k {
		return true
	}
	if n.kind == kindMissing {
		d.fail(n, "is missing")
	} else {
		d.fail(n, "is %s, but has to be %s", n.kind, k)
	}
	return false
}

// object checks that n is an object with no members but these (and source_info, pragmas).
func (d *decoder) object(n *node, members ...string) *node {
	if !d.want(n, kindObject) {
		return n
	}
	for i, name := range n.names {
		if name != "source_info" && !slices.Contains(members, name) {
			d.fail(n.elems[i], "attribute %q is not known", name)
		}
	}
	return n
}

func (d *decoder) list(n *node) []*node {
	if !d.want(n, kindArray) {
		return nil
	}
	return n.elems
}

// optList is list, but empty when n is missing or null.
func (d *decoder) optList(n *node) []*node {
	if n.kind == kindMissing || n.kind == kindNull {
		return nil
	}
	return d.list(n)
}

// tuple is a list of exactly size elements; nil after an error.
func (d *decoder) tuple(n *node, size int) []*node {
	l := d.list(n)
	if len(l) != size {
		d.fail(n, "has %d elements, but has to have %d", len(l), size)
		return nil
	}
	return l
}

func (d *decoder) text(n *node) string {
	if !d.want(n, kindString) {
		return ""
	}
	return n.text
}

func (d *decoder) flag(n *node, absent bool) bool {
	if n.kind == kindMissing || n.kind == kindNull {
		return absent
	}
	return d.want(n, kindBool) && n.yes
}

// number is an integer from low to high.
func (d *decoder) number(n *node, low, high int) int {
	if !d.want(n, kindNumber) {
		return low
	}
	v, ok := new(big.Int).SetString(n.text, 10)
	if !ok || !v.IsInt64() || v.Int64() < int64(low) || v.Int64() > int64(high) {
		d.fail(n, "%s is not an integer from %d to %d", n.text, low, high)
		return low
	}
	return int(v.Int64())
}

func (d *decoder) id(n *node) int {
	return d.number(n.member("id"), 0, math.MaxInt32)
}

// maxHexDigits bounds constants to the widest field.
const maxHexDigits = MaxWidth/4 + 4

// hex is a hexstr: hexadecimal digits, with an optional 0x and, before it, an optional minus.
func (d *decoder) hex(n *node) *big.Int {
	s := d.text(n)
	digits, neg := strings.CutPrefix(s, "-")
	digits = strings.TrimPrefix(digits, "0x")
	if len(digits) > maxHexDigits {
		d.fail(n, "a constant of %d digits is not supported", len(digits))
		return new(big.Int)
	}
	v, ok := new(big.Int).SetString(digits, 16)
	if !ok || strings.ContainsAny(digits, "_+-") {
		if d.err == nil {
			d.fail(n, "%q is not a hexadecimal number", s)
		}
		return new(big.Int)
	}
	if neg {
		v.Neg(v)
	}
	return v
}

// unsignedHex is a hexstr of at most width bits.
func (d *decoder) unsignedHex(n *node, width int) *big.Int {
	v := d.hex(n)
	if v.Sign() < 0 || v.BitLen() > width {
		d.fail(n, "%s does not fit %d bits", n.text, width)
		return new(big.Int)
	}
	return v
}

// ref looks a name up.
func (d *decoder) ref(n *node, in names, what string) int {
	s := d.text(n)
	i, ok := in[s]
	if !ok {
		d.fail(n, "there is no %s %q", what, s)
		return 0
	}
	return i
}

// define enters a new name.
func (d *decoder) define(n *node, in names, index int) string {
	s := d.text(n)
	if _, dup := in[s]; dup {
		d.fail(n, "%q is defined twice", s)
	}
	in[s] = index
	return s
}

func (d *decoder) defineID(n *node, in map[int]int, index int) {
	id := d.id(n)
	if _, dup := in[id]; dup {
		d.fail(n.member("id"), "%d is there twice", id)
	}
	in[id] = index
}

func (d *decoder) unsupported(n *node) {
	d.fail(n, "%q is not supported", n.text)
}
