package bmjson

import "math/big"

// saturate puts a saturating cast in front of what a primitive assigns to a saturating field.
func (d *decoder) saturate(p *Primitive) {
	if len(p.Args) == 0 || p.Args[0].Kind != ArgExpr {
		return
	}
	f := d.fieldDef(p.Args[0].Expr)
	switch {
	case f == nil || !f.Saturating:
	case p.Op == "assign":
		p.Args[1].Expr = saturated(p.Args[1].Expr, f)
	case p.Op == "register_read", p.Op == "modify_field_with_hash_based_offset", p.Op == "modify_field_rng_uniform":
		d.fail(p.Args[0].At.n, "primitive %q cannot write a saturating field", p.Op)
	}
}

func saturated(e *Expr, f *Field) *Expr {
	op := OpUSatCast
	if f.Signed {
		op = OpSatCast
	}
	width := &Expr{Kind: ExprConst, Type: TypeData, Value: big.NewInt(int64(f.Width)), HeaderType: -1, At: e.At}
	return &Expr{Kind: ExprOp, Type: TypeData, Op: op, Left: e, Right: width, HeaderType: -1, At: e.At}
}

// fieldDef is the definition of the field that an expression names, or nil.
func (d *decoder) fieldDef(e *Expr) *Field {
	headerType, field := 0, e.Field.Field
	switch {
	case e.Kind == ExprField:
		headerType = d.p.Headers[e.Field.Header].Type
	case e.Kind == ExprLastField:
		headerType = d.p.Stacks[e.Index].Type
	case e.Kind == ExprLastUnion:
		headerType = d.p.Headers[d.p.Unions[d.p.UnionStacks[e.Index].Unions[0]].Headers[e.Member]].Type
	case e.Kind == ExprOp && e.Op == OpAccessField:
		headerType, field = e.Left.HeaderType, e.Index
	default:
		return nil
	}
	if field == ValidField {
		return nil
	}
	return &d.p.HeaderTypes[headerType].Fields[field]
}
