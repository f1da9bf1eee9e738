package bmjson

// argType is what a primitive takes in one argument position.
type argType uint8

const (
	argData    argType = iota // any data expression
	argLvalue                 // a field, or an expression that yields one
	argHeader                 // a header expression
	argStack                  // a header stack
	argStacks                 // a header stack or header union stack
	argUnion                  // a header union expression
	argUStack                 // a header union stack
	argVarbits                // a variable-length field
	argCalc
	argMeter
	argCounter
	argRegister
	argString
	argVector
	argLearn // the id of a learn list
	argFields
)

// primitiveArgs are the arguments of the primitives that p4c emits for v1model, and of those
// that BMv2 has kept from P4_14 and that mean the same.
func primitiveArgs(op string) ([]argType, bool) {
	switch op {
	case "assign":
		return []argType{argLvalue, argData}, true
	case "assign_VL":
		return []argType{argVarbits, argVarbits}, true
	case "assign_header":
		return []argType{argHeader, argHeader}, true
	case "assign_header_stack":
		return []argType{argStack, argStack}, true
	case "assign_union":
		return []argType{argUnion, argUnion}, true
	case "assign_union_stack":
		return []argType{argUStack, argUStack}, true
	case "add_header", "remove_header", "mark_to_drop":
		return []argType{argHeader}, true
	case "push", "pop":
		return []argType{argStacks, argData}, true
	case "_jump":
		return []argType{argData}, true
	case "_jump_if_zero":
		return []argType{argData, argData}, true
	case "exit", "no_op", "drop":
		return nil, true
	case "assert", "assume", "truncate":
		return []argType{argData}, true
	case "log_msg":
		return []argType{argString, argVector}, true
	case "count":
		return []argType{argCounter, argData}, true
	case "register_read":
		return []argType{argLvalue, argRegister, argData}, true
	case "register_write":
		return []argType{argRegister, argData, argData}, true
	case "execute_meter":
		return []argType{argMeter, argData, argLvalue}, true
	case "modify_field_with_hash_based_offset":
		return []argType{argLvalue, argData, argCalc, argData}, true
	case "modify_field_rng_uniform":
		return []argType{argLvalue, argData, argData}, true
	case "generate_digest":
		return []argType{argData, argLearn}, true
	case "clone_ingress_pkt_to_egress", "clone_egress_pkt_to_egress":
		return []argType{argData, argFields}, true
	case "resubmit", "recirculate":
		return []argType{argFields}, true
	}
	return nil, false
}

func (d *decoder) actionList(root *node) {
	for i, n := range d.optList(root.member("actions")) {
		d.object(n, "name", "id", "runtime_data", "primitives")
		a := Action{At: Place{n}, ID: d.id(n), Name: d.text(n.member("name"))}
		d.defineID(n, d.actionIDs, i)
		d.actionsByName[a.Name] = append(d.actionsByName[a.Name], i)
		for _, r := range d.optList(n.member("runtime_data")) {
			d.object(r, "name", "bitwidth")
			a.Params = append(a.Params, Param{d.text(r.member("name")), d.number(r.member("bitwidth"), 1, MaxWidth)})
		}
		d.locals = len(a.Params)
		prims := d.list(n.member("primitives"))
		for _, p := range prims {
			a.Primitives = append(a.Primitives, d.primitive(p, len(prims)))
			if d.err != nil {
				return
			}
		}
		d.locals = 0
		d.p.Actions = append(d.p.Actions, a)
	}
}

// primitive decodes a call; length is the number of primitives of its action, for jumps.
func (d *decoder) primitive(n *node, length int) Primitive {
	d.object(n, "op", "parameters")
	op := n.member("op")
	p := Primitive{Op: d.text(op), At: Place{n}}
	if d.err != nil {
		return p
	}
	types, ok := primitiveArgs(p.Op)
	if !ok {
		d.fail(op, "primitive %q is not supported", p.Op)
		return p
	}
	args := d.optList(n.member("parameters"))
	if len(args) != len(types) {
		d.fail(n.member("parameters"), "primitive %q has %d parameters, but has to have %d", p.Op, len(args), len(types))
		return p
	}
	for i, a := range args {
		arg := d.argument(a, types[i])
		if d.err != nil {
			return p
		}
		p.Args = append(p.Args, arg)
	}
	d.saturate(&p)
	if len(args) > 0 && (p.Op == "_jump" || p.Op == "_jump_if_zero") {
		d.jumpTarget(&p.Args[len(args)-1], args[len(args)-1], length)
	}
	return p
}

func (d *decoder) jumpTarget(a *Arg, n *node, length int) {
	if a.Expr.Kind != ExprConst || a.Expr.Value.Sign() < 0 || !a.Expr.Value.IsInt64() ||
		a.Expr.Value.Int64() > int64(length) {
		d.fail(n, "a jump has to go to a constant from 0 to %d", length)
	}
}

func (d *decoder) argument(n *node, t argType) Arg {
	a := Arg{At: Place{n}}
	kind, value := n.member("type"), n.member("value")
	switch t {
	case argCalc:
		a.Kind, a.Index = ArgCalculation, d.named(n, "calculation", d.calculations)
	case argMeter:
		a.Kind, a.Index = ArgMeter, d.named(n, "meter_array", d.meters)
		if d.err == nil && d.p.Meters[a.Index].Direct {
			d.fail(value, "meter %q belongs to a table", value.text)
		}
	case argCounter:
		a.Kind, a.Index = ArgCounter, d.named(n, "counter_array", d.counters)
		if d.err == nil && d.p.Counters[a.Index].Direct {
			d.fail(value, "counter %q belongs to a table", value.text)
		}
	case argRegister:
		a.Kind, a.Index = ArgRegister, d.named(n, "register_array", d.registers)
	case argString:
		d.object(n, "type", "value")
		if d.text(kind) != "string" {
			d.fail(kind, "has to be a string")
		}
		a.Kind, a.Text = ArgString, d.text(value)
	case argVector:
		if d.text(d.object(n, "type", "value").member("type")) != "parameters_vector" {
			d.fail(kind, "has to be a parameters_vector")
		}
		a.Kind = ArgVector
		if value.kind == kindObject && len(value.elems) == 0 {
			break // p4c's way to write an empty list
		}
		for _, e := range d.list(value) {
			a.List = append(a.List, d.typed(e, TypeData))
		}
	default:
		a.Kind, a.Expr = ArgExpr, d.expr(n)
		if d.err == nil {
			d.checkArg(n, a.Expr, t)
		}
	}
	return a
}

// named is an argument that refers to an object of one kind by name.
func (d *decoder) named(n *node, kind string, in names) int {
	d.object(n, "type", "value")
	if t := n.member("type"); d.text(t) != kind {
		d.fail(t, "is %q, but has to be %q", t.text, kind)
		return 0
	}
	return d.ref(n.member("value"), in, kind)
}

func (d *decoder) checkArg(n *node, e *Expr, t argType) {
	want := TypeData
	switch t {
	case argHeader:
		want = TypeHeader
	case argStack:
		want = TypeStack
	case argUnion:
		want = TypeUnion
	case argUStack:
		want = TypeUnionStack
	case argStacks:
		if want = TypeStack; e.Type == TypeUnionStack {
			want = TypeUnionStack
		}
	}
	if e.Type != want {
		d.fail(n, "is %s, but has to be %s", e.Type, want)
		return
	}
	switch t {
	case argLvalue:
		d.checkLvalue(n, e)
	case argVarbits:
		if e.Kind != ExprField || e.Field.Field == ValidField || d.widthOf(e.Field) != 0 {
			d.fail(n, "has to be a field of variable length")
		}
	case argLearn:
		// A receiver of 0 stands for no learn list.
		d.checkListID(n, e, d.learnIDs, "learn list")
	case argFields:
		d.checkListID(n, e, d.fieldListIDs, "field list")
	}
}

func (d *decoder) checkLvalue(n *node, e *Expr) {
	switch {
	case e.Kind == ExprField && e.Field.Field == ValidField:
		d.fail(n, "a validity bit cannot be assigned")
	case e.Kind == ExprField, e.Kind == ExprRegister:
	case (e.Kind == ExprLastField || e.Kind == ExprLastUnion) && e.Field.Field != ValidField:
	case e.Kind == ExprOp && e.Op == OpAccessField:
	default:
		d.fail(n, "cannot be assigned")
	}
}

func (d *decoder) checkListID(n *node, e *Expr, ids map[int]int, what string) {
	if e.Kind != ExprConst || !e.Value.IsInt64() {
		d.fail(n, "has to be the constant id of a %s", what)
		return
	}
	i, ok := ids[int(e.Value.Int64())]
	if !ok {
		d.fail(n, "there is no %s with id %s", what, e.Value)
	}
	e.Index = i
}
