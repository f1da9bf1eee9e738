package bmjson

import "math/big"

// MaxWidth is the widest field, register or constant, in bits.
const MaxWidth = 1 << 16

// Program is a decoded and validated BMv2 program. Objects refer to each other by their
// index in these slices.
type Program struct {
	HeaderTypes  []HeaderType
	Headers      []Header
	Stacks       []Stack
	Unions       []Union
	UnionStacks  []UnionStack
	Errors       []ErrorCode
	ValueSets    []ValueSet
	Parser       Parser
	Deparser     Deparser
	Calculations []Calculation
	Checksums    []Checksum
	Counters     []Counter
	Meters       []Meter
	Registers    []Register
	Actions      []Action
	Ingress      Pipeline
	Egress       Pipeline
	LearnLists   []FieldList
	FieldLists   []FieldList
	Aliases      []Alias
}

// HeaderType is the layout of a header.
type HeaderType struct {
	Name   string
	Fields []Field
	// MaxBytes bounds the length of a header with a variable-length field; 0 is no bound.
	MaxBytes int
	At       Place
}

// Field is one field of a header type. VarBits fields have no width of their own.
type Field struct {
	Name    string
	Width   int // bits
	Signed  bool
	VarBits bool
	// Saturating: an assignment cuts to the nearest value that the field can hold. Decoding
	// puts the cast into the program, so that nobody else has to care.
	Saturating bool
}

// VarBits is the index of the variable-length field, or -1.
func (t *HeaderType) VarBits() int {
	for i, f := range t.Fields {
		if f.VarBits {
			return i
		}
	}
	return -1
}

// FixedBits is the sum of the widths of the fields of fixed length.
func (t *HeaderType) FixedBits() int {
	sum := 0
	for _, f := range t.Fields {
		sum += f.Width
	}
	return sum
}

// Header is a header instance, or an instance of metadata.
type Header struct {
	Name     string
	Type     int
	Metadata bool
	Stack    int // the stack that it is an element of, or -1
	Union    int // the union that it is a member of, or -1
	At       Place
}

// Stack is a header stack.
type Stack struct {
	Name    string
	Type    int
	Headers []int
	At      Place
}

// Union is a header union; at most one of its headers is valid.
type Union struct {
	Name    string
	Members []string
	Headers []int
	At      Place
}

// UnionStack is a stack of header unions.
type UnionStack struct {
	Name    string
	Members []string
	Unions  []int
	At      Place
}

// ErrorCode is one of the program's parser errors.
type ErrorCode struct {
	Name  string
	Value int
}

// ValueSet is a parser value set.
type ValueSet struct {
	Name  string
	Width int // bits, without padding
	Size  int // 0: not given
	At    Place
}

// FieldRef names a field of a header instance.
type FieldRef struct {
	Header int
	Field  int // or ValidField
}

// ValidField stands for a header's hidden field $valid$.
const ValidField = -1

// Calculation is a hash over fields.
type Calculation struct {
	Name    string
	Algo    string
	Input   []CalcInput
	Payload bool // the rest of the packet follows
	At      Place
}

// CalcInput is one input of a calculation: a field, a header, or a constant of Width bits.
type CalcInput struct {
	Kind   CalcKind
	Field  FieldRef
	Header int
	Value  *big.Int
	Width  int
	At     Place
}

// CalcKind says what a CalcInput is.
type CalcKind uint8

// The kinds of calculation input.
const (
	CalcField CalcKind = iota
	CalcHeader
	CalcConst
)

// Checksum binds a calculation to the field that holds its result.
type Checksum struct {
	Name        string
	Target      FieldRef
	Calculation int
	Update      bool
	Verify      bool
	Cond        *Expr // nil: always
	At          Place
}

// Counter is a counter array, or the direct counters of the table named Binding.
type Counter struct {
	Name    string
	Size    int
	Direct  bool
	Binding string
	At      Place
}

// Meter is a meter array, or the direct meters of a table.
type Meter struct {
	Name    string
	Size    int
	Direct  bool
	Binding string
	Bytes   bool // meters bytes, not packets
	Rates   int
	Result  FieldRef // direct meters only
	At      Place
}

// Register is a register array.
type Register struct {
	Name  string
	Size  int
	Width int // bits
	At    Place
}

// FieldList is a list of fields that a digest carries, or that a copy of a packet keeps.
type FieldList struct {
	ID     int
	Name   string
	Fields []ListField
	At     Place
}

// ListField is an element of a field list: a field, or, with Value set, a constant.
type ListField struct {
	Field FieldRef
	Value *big.Int
	Width int
	Name  string
}

// Alias gives a field the name by which the target knows it.
type Alias struct {
	Name  string
	Field FieldRef
}
