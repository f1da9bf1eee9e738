package bmjson

import "math/big"

// ExprType is the type of an expression's value.
type ExprType uint8

// The types of the expression language.
const (
	TypeData ExprType = iota + 1
	TypeBool
	TypeHeader
	TypeStack
	TypeUnion
	TypeUnionStack
)

func (t ExprType) String() string {
	return [...]string{"nothing", "data", "a boolean", "a header", "a header stack", "a header union",
		"a header union stack"}[t]
}

// ExprKind says what an Expr is.
type ExprKind uint8

// The kinds of expression.
const (
	ExprConst      ExprKind = iota // Value
	ExprBool                       // Yes
	ExprField                      // Field
	ExprHeader                     // Index
	ExprStack                      // Index
	ExprUnion                      // Index
	ExprUnionStack                 // Index
	ExprLastField                  // field Field.Field of the last element of stack Index
	ExprLastUnion                  // field Field.Field of member Member of the last union of Index
	ExprLocal                      // run-time parameter Index
	ExprRegister                   // register Index at Right
	ExprOp                         // Op
)

// Op is an operator.
type Op string

// The operators of the format. OpNeg is unary minus; unary plus is gone after decoding.
const (
	OpAdd, OpSub, OpMul, OpDiv, OpMod  Op = "+", "-", "*", "/", "%"
	OpShl, OpShr, OpAnd, OpOr, OpXor   Op = "<<", ">>", "&", "|", "^"
	OpNot, OpNeg                       Op = "~", "neg"
	OpEq, OpNe, OpLt, OpLe, OpGt, OpGe Op = "==", "!=", "<", "<=", ">", ">="
	OpLogicAnd, OpLogicOr, OpLogicNot  Op = "and", "or", "not"
	OpValid, OpValidUnion              Op = "valid", "valid_union"
	OpD2B, OpB2D, OpCond               Op = "d2b", "b2d", "?"
	OpTwoComp, OpSatCast, OpUSatCast   Op = "two_comp_mod", "sat_cast", "usat_cast"
	OpDerefStack, OpDerefUnion         Op = "dereference_header_stack", "dereference_union_stack"
	OpLastIndex, OpSizeStack           Op = "last_stack_index", "size_stack"
	OpAccessField, OpAccessUnion       Op = "access_field", "access_union_header"
)

// Expr is a typed expression tree.
type Expr struct {
	Kind              ExprKind
	Type              ExprType
	Op                Op
	Left, Right, Cond *Expr
	Value             *big.Int
	Yes               bool
	Field             FieldRef
	Index             int // also the offset of OpAccessField and OpAccessUnion
	Member            int
	HeaderType        int // of TypeHeader and TypeStack expressions; -1 if unknown
	At                Place
}
