package bmjson

import (
	"fmt"
	"math/big"
	"strings"
)

// Text writes an expression for people, much as P4 has it. params are the parameters of the
// action that it is in.
func (p *Program) Text(e *Expr, params []Param) string {
	t := texter{p, params}
	return t.expr(e)
}

// FieldText is the name of a field: header.field, or header.isValid().
func (p *Program) FieldText(f FieldRef) string {
	return p.Headers[f.Header].Name + p.member(p.Headers[f.Header].Type, f.Field)
}

func (p *Program) member(headerType, field int) string {
	if field == ValidField {
		return ".isValid()"
	}
	return "." + p.HeaderTypes[headerType].Fields[field].Name
}

type texter struct {
	p      *Program
	params []Param
}

func (t *texter) expr(e *Expr) string {
	p := t.p
	switch e.Kind {
	case ExprConst:
		return number(e.Value)
	case ExprBool:
		return fmt.Sprint(e.Yes)
	case ExprField:
		return p.FieldText(e.Field)
	case ExprHeader:
		return p.Headers[e.Index].Name
	case ExprStack:
		return p.Stacks[e.Index].Name
	case ExprUnion:
		return p.Unions[e.Index].Name
	case ExprUnionStack:
		return p.UnionStacks[e.Index].Name
	case ExprLastField:
		s := &p.Stacks[e.Index]
		return s.Name + ".last" + p.member(s.Type, e.Field.Field)
	case ExprLastUnion:
		s := &p.UnionStacks[e.Index]
		h := p.Unions[s.Unions[0]].Headers[e.Member]
		return s.Name + ".last." + s.Members[e.Member] + p.member(p.Headers[h].Type, e.Field.Field)
	case ExprLocal:
		if e.Index < len(t.params) {
			return t.params[e.Index].Name
		}
		return fmt.Sprintf("parameter %d", e.Index)
	case ExprRegister:
		return p.Registers[e.Index].Name + "[" + t.expr(e.Right) + "]"
	}
	return t.operation(e)
}

func (t *texter) operation(e *Expr) string {
	switch e.Op {
	case OpD2B, OpB2D:
		return t.expr(e.Right) // P4 has no such casts of booleans
	case OpNot, OpNeg:
		return strings.Replace(string(e.Op), "neg", "-", 1) + t.inner(e.Right)
	case OpLogicNot:
		return "!" + t.inner(e.Right)
	case OpValid, OpValidUnion:
		return t.expr(e.Right) + ".isValid()"
	case OpTwoComp:
		return "(int<" + e.Right.Value.String() + ">)" + t.inner(e.Left)
	case OpSatCast, OpUSatCast:
		name := "saturate_bit<"
		if e.Op == OpSatCast {
			name = "saturate_int<"
		}
		return name + e.Right.Value.String() + ">(" + t.expr(e.Left) + ")"
	case OpDerefStack, OpDerefUnion:
		return t.expr(e.Left) + "[" + t.expr(e.Right) + "]"
	case OpLastIndex:
		return t.expr(e.Right) + ".lastIndex"
	case OpSizeStack:
		return t.expr(e.Right) + ".size"
	case OpAccessField:
		return t.expr(e.Left) + t.p.member(e.Left.HeaderType, e.Index)
	case OpAccessUnion:
		return fmt.Sprintf("%s.%d", t.expr(e.Left), e.Index)
	case OpCond:
		return t.inner(e.Cond) + " ? " + t.inner(e.Left) + " : " + t.inner(e.Right)
	case OpLogicAnd:
		return t.inner(e.Left) + " && " + t.inner(e.Right)
	case OpLogicOr:
		return t.inner(e.Left) + " || " + t.inner(e.Right)
	}
	return t.inner(e.Left) + " " + string(e.Op) + " " + t.inner(e.Right)
}

// inner is an operand, in parentheses if it needs them.
func (t *texter) inner(e *Expr) string {
	s := t.expr(e)
	if strings.Contains(s, " ") {
		return "(" + s + ")"
	}
	return s
}

// number is a constant: in decimal if that is one digit, else in hexadecimal.
func number(v *big.Int) string {
	if v.IsInt64() && v.Int64() > -10 && v.Int64() < 10 {
		return v.String()
	}
	if v.Sign() < 0 {
		return "-0x" + new(big.Int).Neg(v).Text(16)
	}
	return "0x" + v.Text(16)
}
