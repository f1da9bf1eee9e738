package bmjson

import "math/big"

// Parser is the program's parser. State 0 need not be the first.
type Parser struct {
	Init   int
	States []State
}

// State is a parser state.
type State struct {
	Name        string
	Ops         []ParserOp
	Key         []KeyPart
	Transitions []Transition // in the order in which they are tried
	Default     int          // state, or StateEnd
	At          Place
}

// StateEnd ends parsing.
const StateEnd = -1

// ParserOpKind says what a ParserOp does.
type ParserOpKind uint8

// The parser operations.
const (
	ParserExtract ParserOpKind = iota
	ParserExtractStack
	ParserExtractUnionStack
	ParserSet
	ParserVerify
	ParserAdvance
	ParserPrimitive
)

// ParserOp is one operation of a parser state.
type ParserOp struct {
	Kind   ParserOpKind
	Target int        // extract: header, stack or union stack
	Member int        // extract to a union stack: the member
	Length *Expr      // extract: bits of the variable-length field, or nil
	Dest   FieldRef   // set
	Look   *Lookahead // set: from the packet, or nil
	Value  *Expr      // set, verify (the error), advance (bits)
	Cond   *Expr      // verify
	Call   *Primitive // primitive
	At     Place
}

// Lookahead is a window of the packet after what has been parsed.
type Lookahead struct {
	Offset int // bits
	Width  int // bits
}

// KeyPart is one element of a transition key: a field, a field of the last element of a
// stack, or a lookahead.
type KeyPart struct {
	Value *Expr // nil: Look
	Look  *Lookahead
	Width int // bits
}

// Transition is a case of a state's select. Value and Mask are byte-padded for each key part.
type Transition struct {
	Value    *big.Int
	Mask     *big.Int // nil: all bits
	ValueSet int      // or -1
	Next     int
	At       Place
}

// Deparser is the program's deparser.
type Deparser struct {
	Order []int
	Calls []Primitive
}

// Action is an action with its run-time parameters.
type Action struct {
	ID         int
	Name       string
	Params     []Param
	Primitives []Primitive
	At         Place
}

// Param is a run-time parameter of an action.
type Param struct {
	Name  string
	Width int // bits
}

// Primitive is one step of an action.
type Primitive struct {
	Op   string
	Args []Arg
	At   Place
}

// ArgKind says what an argument is.
type ArgKind uint8

// The kinds of argument; all but the first five have an Expr.
const (
	ArgCalculation ArgKind = iota
	ArgMeter
	ArgCounter
	ArgRegister
	ArgString
	ArgVector
	ArgExpr
)

// Arg is an argument of a primitive.
type Arg struct {
	Kind  ArgKind
	Index int    // calculation, meter, counter, register
	Text  string // string
	List  []*Expr
	Expr  *Expr
	At    Place
}

// Pipeline is ingress or egress.
type Pipeline struct {
	Name         string
	Init         Node
	Tables       []Table
	Conditionals []Conditional
	ActionCalls  []ActionCall
	Profiles     []Profile
}

// NodeKind says what a Node is.
type NodeKind uint8

// The kinds of control-flow node.
const (
	NodeEnd NodeKind = iota
	NodeTable
	NodeConditional
	NodeActionCall
)

// Node refers to a control-flow node of the same pipeline.
type Node struct {
	Kind  NodeKind
	Index int
}

// Conditional is a branch.
type Conditional struct {
	Name        string
	Cond        *Expr
	True, False Node
	At          Place
}

// ActionCall runs an action without parameters.
type ActionCall struct {
	Name   string
	Action int
	Next   Node
	At     Place
}

// Profile is an action profile, with a selector if Algo is set.
type Profile struct {
	Name     string
	Size     int
	Selector bool
	Algo     string
	Input    []CalcInput
	At       Place
}

// TableKind says where a table's entries keep their actions.
type TableKind uint8

// The kinds of table.
const (
	TableSimple TableKind = iota
	TableIndirect
	TableSelector
)

// Table is a match-action table.
type Table struct {
	Name        string
	Kind        TableKind
	Profile     int // indirect tables
	Size        int
	Counters    bool
	Timeout     bool
	DirectMeter int // or -1
	Keys        []Key
	Actions     []int
	// ByHit: the next node is Hit or Miss; else it is Next of the action that ran (in the
	// order of Actions), or Base when nothing ran.
	ByHit     bool
	Hit, Miss Node
	Next      []Node
	Base      Node
	Default   *DefaultEntry
	Const     bool // the entries are constant
	Entries   []Entry
	At        Place
}

// KeyKind is a match kind.
type KeyKind uint8

// The match kinds of the format. "valid" keys become exact ones on $valid$.
const (
	KeyExact KeyKind = iota
	KeyLPM
	KeyTernary
	KeyRange
)

// Key is one key field of a table.
type Key struct {
	Name  string
	Kind  KeyKind
	Field FieldRef
	Width int      // bits
	Mask  *big.Int // nil: all bits
	At    Place
}

// DefaultEntry is what a table runs on a miss.
type DefaultEntry struct {
	Action      int
	Params      []*big.Int
	ActionConst bool
	EntryConst  bool
	At          Place
}

// Entry is an entry that the program declares. The smaller Priority wins.
type Entry struct {
	Match    []EntryMatch
	Action   int
	Params   []*big.Int
	Priority int
	At       Place
}

// EntryMatch is the condition on one key field.
type EntryMatch struct {
	Value  *big.Int // range: the low bound
	Mask   *big.Int // ternary
	High   *big.Int // range
	Prefix int      // LPM
}
