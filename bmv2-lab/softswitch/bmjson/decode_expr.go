package bmjson

import (
	"math/big"
	"slices"
)

// fieldRef is a pair of header and field names.
func (d *decoder) fieldRef(n *node) FieldRef {
	pair := d.tuple(n, 2)
	if d.err != nil {
		return FieldRef{}
	}
	h := d.ref(pair[0], d.headers, "header")
	if d.err != nil {
		return FieldRef{}
	}
	return FieldRef{h, d.fieldOf(pair[1], d.p.Headers[h].Type)}
}

// fieldOf finds a field of a header type by name.
func (d *decoder) fieldOf(n *node, headerType int) int {
	name := d.text(n)
	if name == "$valid$" {
		return ValidField
	}
	for i, f := range d.p.HeaderTypes[headerType].Fields {
		if f.Name == name {
			return i
		}
	}
	d.fail(n, "header type %q has no field %q", d.p.HeaderTypes[headerType].Name, name)
	return 0
}

// widthOf is a field's width in bits; a variable-length field has width 0.
func (d *decoder) widthOf(f FieldRef) int { return d.p.FieldWidth(f) }

func (d *decoder) nameOf(f FieldRef) string {
	if f.Field == ValidField {
		return "$valid$"
	}
	return d.p.HeaderTypes[d.p.Headers[f.Header].Type].Fields[f.Field].Name
}

// FieldWidth is the width of a field in bits; that of a variable-length field is 0.
func (p *Program) FieldWidth(f FieldRef) int {
	if f.Field == ValidField {
		return 1
	}
	return p.HeaderTypes[p.Headers[f.Header].Type].Fields[f.Field].Width
}

// typed is an expression that has to have the type t.
func (d *decoder) typed(n *node, t ExprType) *Expr {
	e := d.expr(n)
	if d.err == nil && e.Type != t {
		d.fail(n, "is %s, but has to be %s", e.Type, t)
	}
	return e
}

// expr is a type-value object.
func (d *decoder) expr(n *node) *Expr {
	e := &Expr{At: Place{n}, HeaderType: -1, Type: TypeData}
	d.object(n, "type", "value", "bitwidth")
	if d.err != nil {
		return e
	}
	value := n.member("value")
	switch t := n.member("type"); d.text(t) {
	case "expression":
		if value.kind == kindObject && value.member("op").kind == kindMissing {
			return d.expr(value)
		}
		d.operation(e, value)
	case "field":
		e.Kind, e.Field = ExprField, d.fieldRef(value)
	case "hexstr":
		e.Kind, e.Value = ExprConst, d.hex(value)
	case "bool":
		e.Kind, e.Type, e.Yes = ExprBool, TypeBool, d.flag(value, false)
	case "local", "runtime_data":
		e.Kind, e.Index = ExprLocal, d.number(value, 0, MaxWidth)
		if d.err == nil && e.Index >= d.locals {
			d.fail(value, "there is no parameter %d", e.Index)
		}
	case "header":
		if u, ok := d.unions[value.text]; ok { // p4c's name for a union in a stack
			e.Kind, e.Type, e.Index = ExprUnion, TypeUnion, u
			break
		}
		e.Kind, e.Type, e.Index = ExprHeader, TypeHeader, d.ref(value, d.headers, "header")
		if d.err == nil {
			e.HeaderType = d.p.Headers[e.Index].Type
		}
	case "header_stack":
		e.Kind, e.Type, e.Index = ExprStack, TypeStack, d.ref(value, d.stacks, "header stack")
		if d.err == nil {
			e.HeaderType = d.p.Stacks[e.Index].Type
		}
	case "header_union":
		e.Kind, e.Type, e.Index = ExprUnion, TypeUnion, d.ref(value, d.unions, "header union")
	case "header_union_stack":
		e.Kind, e.Type, e.Index = ExprUnionStack, TypeUnionStack, d.ref(value, d.unionStacks, "header union stack")
	case "stack_field":
		d.lastField(e, value)
	case "union_stack_field":
		d.lastUnionField(e, value)
	case "register":
		if pair := d.tuple(value, 2); pair != nil {
			e.Kind, e.Index = ExprRegister, d.ref(pair[0], d.registers, "register")
			e.Right = d.typed(pair[1], TypeData)
		}
	default:
		d.unsupported(t)
	}
	return e
}

func (d *decoder) lastField(e *Expr, value *node) {
	pair := d.tuple(value, 2)
	if d.err != nil {
		return
	}
	e.Kind, e.Index = ExprLastField, d.ref(pair[0], d.stacks, "header stack")
	if d.err == nil && pair[1].text == "last" && !d.hasField(d.p.Stacks[e.Index].Type, "last") {
		d.lastElement(e)
		return
	}
	if d.err == nil {
		e.Field.Field = d.fieldOf(pair[1], d.p.Stacks[e.Index].Type)
	}
}

func (d *decoder) hasField(headerType int, name string) bool {
	return slices.ContainsFunc(d.p.HeaderTypes[headerType].Fields, func(f Field) bool { return f.Name == name })
}

// lastElement makes e the last element of its stack, which p4c writes like a field.
func (d *decoder) lastElement(e *Expr) {
	stack := &Expr{Kind: ExprStack, Type: TypeStack, Index: e.Index, HeaderType: d.p.Stacks[e.Index].Type, At: e.At}
	last := &Expr{Kind: ExprOp, Type: TypeData, Op: OpLastIndex, Right: stack, HeaderType: -1, At: e.At}
	*e = Expr{Kind: ExprOp, Type: TypeHeader, Op: OpDerefStack, Left: stack, Right: last, HeaderType: stack.HeaderType, At: e.At}
}

func (d *decoder) lastUnionField(e *Expr, value *node) {
	l := d.tuple(value, 3)
	if d.err != nil {
		return
	}
	e.Kind, e.Index = ExprLastUnion, d.ref(l[0], d.unionStacks, "header union stack")
	if d.err != nil {
		return
	}
	s := &d.p.UnionStacks[e.Index]
	e.Member = d.memberOf(l[1], s.Members)
	if d.err == nil {
		h := d.p.Unions[s.Unions[0]].Headers[e.Member]
		e.Field.Field = d.fieldOf(l[2], d.p.Headers[h].Type)
	}
}

func (d *decoder) memberOf(n *node, members []string) int {
	name := d.text(n)
	for i, m := range members {
		if m == name {
			return i
		}
	}
	d.fail(n, "the header union has no member %q", name)
	return 0
}

// signature is the types of an operator: left (0: none), right, result.
type signature struct{ left, right, result ExprType }

func signatureOf(op Op) (signature, bool) {
	switch op {
	case OpAdd, OpSub, OpMul, OpDiv, OpMod, OpShl, OpShr, OpAnd, OpOr, OpXor,
		OpTwoComp, OpSatCast, OpUSatCast:
		return signature{TypeData, TypeData, TypeData}, true
	case OpNot:
		return signature{0, TypeData, TypeData}, true
	case OpLt, OpLe, OpGt, OpGe:
		return signature{TypeData, TypeData, TypeBool}, true
	case OpLogicAnd, OpLogicOr:
		return signature{TypeBool, TypeBool, TypeBool}, true
	case OpLogicNot:
		return signature{0, TypeBool, TypeBool}, true
	case OpValid:
		return signature{0, TypeHeader, TypeBool}, true
	case OpValidUnion:
		return signature{0, TypeUnion, TypeBool}, true
	case OpD2B:
		return signature{0, TypeData, TypeBool}, true
	case OpB2D:
		return signature{0, TypeBool, TypeData}, true
	case OpDerefStack:
		return signature{TypeStack, TypeData, TypeHeader}, true
	case OpDerefUnion:
		return signature{TypeUnionStack, TypeData, TypeUnion}, true
	case OpLastIndex, OpSizeStack:
		return signature{0, TypeStack, TypeData}, true
	}
	return signature{}, false
}

func (d *decoder) operation(e *Expr, n *node) {
	d.object(n, "op", "left", "right", "cond")
	op := n.member("op")
	e.Kind, e.Op = ExprOp, Op(d.text(op))
	if d.err != nil {
		return
	}
	if e.Op == "dereference_stack" { // the name until version 2.18
		e.Op = OpDerefStack
	}
	left, right := n.member("left"), n.member("right")
	switch e.Op {
	case OpCond:
		e.Cond, e.Left, e.Right = d.typed(n.member("cond"), TypeBool), d.expr(left), d.expr(right)
		e.Type, e.HeaderType = e.Left.Type, e.Left.HeaderType
		if d.err == nil && (e.Left.Type != e.Right.Type || e.Left.HeaderType != e.Right.HeaderType) {
			d.fail(right, "is %s, but has to be %s of the same kind as the left side", e.Right.Type, e.Left.Type)
		}
		return
	case OpEq, OpNe:
		e.Left, e.Right, e.Type = d.expr(left), d.expr(right), TypeBool
		if d.err == nil && (e.Left.Type != e.Right.Type || e.Left.HeaderType != e.Right.HeaderType) {
			d.fail(right, "is %s, but has to be %s of the same kind as the left side", e.Right.Type, e.Left.Type)
		}
		return
	case OpAccessField, OpAccessUnion:
		d.access(e, left, right)
		return
	}
	sig, ok := signatureOf(e.Op)
	if !ok {
		d.unsupported(op)
		return
	}
	e.Type = sig.result
	e.Right = d.typed(right, sig.right)
	switch {
	case sig.left == 0 && left.kind > kindNull:
		d.fail(left, "operator %q has no left side", op.text)
	case sig.left != 0 && left.kind <= kindNull && (e.Op == OpAdd || e.Op == OpSub):
		e.Left = &Expr{Kind: ExprConst, Type: TypeData, Value: new(big.Int), At: e.At, HeaderType: -1}
	case sig.left != 0:
		e.Left = d.typed(left, sig.left)
	}
	if d.err == nil && e.Op == OpDerefStack {
		e.HeaderType = e.Left.HeaderType
	}
	d.constantWidth(e, right)
}

// constantWidth checks the width of a cast, which has to be a constant.
func (d *decoder) constantWidth(e *Expr, right *node) {
	if d.err != nil || (e.Op != OpTwoComp && e.Op != OpSatCast && e.Op != OpUSatCast) {
		return
	}
	if e.Right.Kind != ExprConst || !e.Right.Value.IsInt64() ||
		e.Right.Value.Int64() < 1 || e.Right.Value.Int64() > MaxWidth {
		d.fail(right, "the width of a cast has to be a constant from 1 to %d", MaxWidth)
	}
}

func (d *decoder) access(e *Expr, left, right *node) {
	if e.Op == OpAccessUnion {
		e.Left, e.Type = d.typed(left, TypeUnion), TypeHeader
		e.Index = d.number(right, 0, MaxWidth)
		if d.err == nil {
			e.HeaderType = d.unionMemberType(e.Left, e.Index, right)
		}
		return
	}
	e.Left, e.Type = d.typed(left, TypeHeader), TypeData
	e.Index = d.number(right, 0, MaxWidth)
	if d.err == nil && e.Index >= len(d.p.HeaderTypes[e.Left.HeaderType].Fields) {
		d.fail(right, "header type %q has no field %d", d.p.HeaderTypes[e.Left.HeaderType].Name, e.Index)
	}
}

// unionMemberType is the header type of a member of what a union expression yields.
func (d *decoder) unionMemberType(u *Expr, member int, at *node) int {
	for u.Kind == ExprOp && u.Op == OpCond {
		u = u.Left
	}
	union := u.Index
	if u.Kind == ExprOp { // an element of a stack
		s := u.Left
		for s.Kind == ExprOp {
			s = s.Left
		}
		union = d.p.UnionStacks[s.Index].Unions[0]
	}
	if member >= len(d.p.Unions[union].Headers) {
		d.fail(at, "the header union has no member %d", member)
		return 0
	}
	return d.p.Headers[d.p.Unions[union].Headers[member]].Type
}
