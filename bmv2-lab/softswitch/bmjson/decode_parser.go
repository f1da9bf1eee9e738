package bmjson

import "math/big"

// only returns the single element of a list that v1model allows one of.
func (d *decoder) only(n *node, name string) *node {
	l := d.list(n)
	if d.err != nil {
		return nil
	}
	if len(l) != 1 {
		d.fail(n, "has %d elements, but has to have one, named %q", len(l), name)
		return nil
	}
	if d.want(l[0], kindObject) && d.text(l[0].member("name")) != name {
		d.fail(l[0].member("name"), "has to be %q", name)
	}
	return l[0]
}

func (d *decoder) parserList(root *node) {
	n := d.only(root.member("parsers"), "parser")
	if d.err != nil {
		return
	}
	d.object(n, "name", "id", "init_state", "parse_states")
	d.states = names{}
	list := d.list(n.member("parse_states"))
	for i, s := range list {
		d.object(s, "name", "id", "parser_ops", "transitions", "transition_key")
		d.define(s.member("name"), d.states, i)
	}
	if d.err != nil {
		return
	}
	d.p.Parser.Init = StateEnd
	if init := n.member("init_state"); init.kind != kindNull {
		d.p.Parser.Init = d.ref(init, d.states, "parser state")
	}
	for _, s := range list {
		d.p.Parser.States = append(d.p.Parser.States, d.state(s))
		if d.err != nil {
			return
		}
	}
}

func (d *decoder) state(n *node) State {
	s := State{Name: d.text(n.member("name")), At: Place{n}, Default: StateEnd}
	for _, op := range d.list(n.member("parser_ops")) {
		s.Ops = append(s.Ops, d.parserOp(op))
		if d.err != nil {
			return s
		}
	}
	bytes := 0
	for _, k := range d.optList(n.member("transition_key")) {
		part := d.keyPart(k)
		s.Key = append(s.Key, part)
		bytes += (part.Width + 7) / 8
	}
	for _, t := range d.optList(n.member("transitions")) {
		d.transition(&s, t, bytes)
	}
	return s
}

func (d *decoder) nextState(n *node) int {
	if n.kind == kindNull {
		return StateEnd
	}
	return d.ref(n, d.states, "parser state")
}

func (d *decoder) transition(s *State, n *node, bytes int) {
	d.object(n, "type", "value", "mask", "next_state")
	t := Transition{At: Place{n}, ValueSet: -1, Next: d.nextState(n.member("next_state"))}
	kind, value, mask := n.member("type"), n.member("value"), n.member("mask")
	what := "hexstr" // of files older than version 2.8
	if kind.kind != kindMissing {
		what = d.text(kind)
	}
	switch {
	case what == "default" || (what == "hexstr" && value.text == "default"):
		s.Default = t.Next
		return
	case what == "hexstr":
		t.Value = d.unsignedHex(value, 8*bytes)
		if mask.kind > kindNull {
			t.Mask = d.unsignedHex(mask, 8*bytes)
		}
	case what == "parse_vset":
		t.ValueSet = d.ref(value, d.valueSets, "value set")
		if mask.kind > kindNull {
			t.Mask = d.unsignedHex(mask, 8*bytes)
		}
		d.checkValueSet(s, t.ValueSet, value)
	default:
		d.unsupported(kind)
	}
	s.Transitions = append(s.Transitions, t)
}

func (d *decoder) checkValueSet(s *State, set int, at *node) {
	if d.err != nil {
		return
	}
	width := 0
	for _, k := range s.Key {
		width += k.Width
	}
	if have := d.p.ValueSets[set].Width; have != width {
		d.fail(at, "the value set has %d bits, but the transition key has %d", have, width)
	}
}

func (d *decoder) lookahead(n *node) *Lookahead {
	pair := d.tuple(n, 2)
	if pair == nil {
		return &Lookahead{Width: 1}
	}
	return &Lookahead{Offset: d.number(pair[0], 0, MaxWidth), Width: d.number(pair[1], 1, MaxWidth)}
}

func (d *decoder) keyPart(n *node) KeyPart {
	d.object(n, "type", "value")
	if n.member("type").text == "lookahead" {
		look := d.lookahead(n.member("value"))
		return KeyPart{Look: look, Width: look.Width}
	}
	e := d.typed(n, TypeData)
	if d.err != nil {
		return KeyPart{}
	}
	k := KeyPart{Value: e}
	switch e.Kind {
	case ExprField:
		k.Width = d.widthOf(e.Field)
	case ExprLastField:
		k.Width = d.p.FieldWidth(FieldRef{d.p.Stacks[e.Index].Headers[0], e.Field.Field})
	case ExprLastUnion:
		union := d.p.UnionStacks[e.Index].Unions[0]
		k.Width = d.p.FieldWidth(FieldRef{d.p.Unions[union].Headers[e.Member], e.Field.Field})
	default:
		d.unsupported(n.member("type"))
	}
	if d.err == nil && k.Width == 0 {
		d.fail(n, "a field of variable length cannot be selected on")
	}
	return k
}

func (d *decoder) parserOp(n *node) ParserOp {
	d.object(n, "op", "parameters")
	op := ParserOp{At: Place{n}}
	name, params := n.member("op"), n.member("parameters")
	switch d.text(name) {
	case "extract":
		if l := d.tuple(params, 1); l != nil {
			d.extract(&op, l[0], nil)
		}
	case "extract_VL":
		if l := d.tuple(params, 2); l != nil {
			d.extract(&op, l[0], l[1])
		}
	case "set":
		if l := d.tuple(params, 2); l != nil {
			d.parserSet(&op, l[0], l[1])
		}
	case "verify":
		if l := d.tuple(params, 2); l != nil {
			op.Kind, op.Cond = ParserVerify, d.typed(l[0], TypeBool)
			op.Value = d.verifyError(l[1])
		}
	case "advance":
		if l := d.tuple(params, 1); l != nil {
			op.Kind, op.Value = ParserAdvance, d.typed(l[0], TypeData)
		}
	case "shift":
		if l := d.tuple(params, 1); l != nil {
			op.Kind = ParserAdvance
			bits := big.NewInt(8 * int64(d.number(l[0], 0, MaxWidth)))
			op.Value = &Expr{Kind: ExprConst, Type: TypeData, Value: bits, HeaderType: -1, At: Place{l[0]}}
		}
	case "primitive":
		if l := d.tuple(params, 1); l != nil {
			d.parserPrimitive(&op, l[0])
		}
	default:
		if d.err == nil {
			d.unsupported(name)
		}
	}
	return op
}

func (d *decoder) parserPrimitive(op *ParserOp, n *node) {
	p := d.primitive(n, 0)
	if p.Op == "_jump" || p.Op == "_jump_if_zero" || p.Op == "exit" {
		d.fail(n.member("op"), "primitive %q is not supported in a parser", p.Op)
	}
	op.Kind, op.Call = ParserPrimitive, &p
}

// verifyError is an error code: an expression, or the code itself in older files.
func (d *decoder) verifyError(n *node) *Expr {
	if n.kind == kindNumber {
		code := big.NewInt(int64(d.number(n, 0, 1<<31-2)))
		return &Expr{Kind: ExprConst, Type: TypeData, Value: code, HeaderType: -1, At: Place{n}}
	}
	return d.typed(n, TypeData)
}

func (d *decoder) extract(op *ParserOp, n, length *node) {
	d.object(n, "type", "value")
	value := n.member("value")
	headerType := 0
	switch t := n.member("type"); d.text(t) {
	case "regular":
		op.Kind, op.Target = ParserExtract, d.ref(value, d.headers, "header")
		if d.err == nil {
			headerType = d.p.Headers[op.Target].Type
		}
	case "stack":
		op.Kind, op.Target = ParserExtractStack, d.ref(value, d.stacks, "header stack")
		if d.err == nil {
			headerType = d.p.Stacks[op.Target].Type
		}
	case "union_stack":
		if pair := d.tuple(value, 2); pair != nil {
			op.Kind, op.Target = ParserExtractUnionStack, d.ref(pair[0], d.unionStacks, "header union stack")
			if d.err == nil {
				s := &d.p.UnionStacks[op.Target]
				op.Member = d.memberOf(pair[1], s.Members)
				headerType = d.p.Headers[d.p.Unions[s.Unions[0]].Headers[op.Member]].Type
			}
		}
	default:
		d.unsupported(t)
	}
	if d.err != nil {
		return
	}
	t := &d.p.HeaderTypes[headerType]
	if t.FixedBits()%8 != 0 {
		d.fail(n, "header type %q has %d bits, which is no multiple of 8", t.Name, t.FixedBits())
	}
	switch varbits := t.VarBits(); {
	case length == nil && varbits >= 0:
		d.fail(n, "header type %q has a variable length; extract_VL is needed", t.Name)
	case length != nil && varbits < 0:
		d.fail(n, "header type %q has no field of variable length", t.Name)
	case length != nil:
		op.Length = d.typed(length, TypeData)
	}
}

func (d *decoder) parserSet(op *ParserOp, dest, src *node) {
	op.Kind = ParserSet
	if t := dest.member("type"); d.text(t) != "field" {
		d.fail(t, "has to be \"field\"")
		return
	}
	op.Dest = d.fieldRef(d.object(dest, "type", "value").member("value"))
	if d.err != nil {
		return
	}
	if op.Dest.Field == ValidField || d.widthOf(op.Dest) == 0 {
		d.fail(dest, "cannot be assigned")
	}
	if src.kind == kindObject && src.member("type").text == "lookahead" {
		op.Look = d.lookahead(d.object(src, "type", "value").member("value"))
		return
	}
	op.Value = d.typed(src, TypeData)
	if f := d.fieldDef(&Expr{Kind: ExprField, Field: op.Dest}); d.err == nil && f.Saturating {
		op.Value = saturated(op.Value, f)
	}
}

func (d *decoder) deparserList(root *node) {
	n := d.only(root.member("deparsers"), "deparser")
	if d.err != nil {
		return
	}
	d.object(n, "name", "id", "order", "primitives")
	for _, h := range d.list(n.member("order")) {
		i := d.ref(h, d.headers, "header")
		d.p.Deparser.Order = append(d.p.Deparser.Order, i)
		if d.err == nil && d.p.HeaderTypes[d.p.Headers[i].Type].FixedBits()%8 != 0 {
			d.fail(h, "header %q is no whole number of bytes", d.p.Headers[i].Name)
		}
	}
	for _, c := range d.optList(n.member("primitives")) {
		if op := c.member("op"); op.text == "set" {
			op.text = "assign" // p4c's name for it here
		}
		d.p.Deparser.Calls = append(d.p.Deparser.Calls, d.primitive(c, 0))
	}
}
