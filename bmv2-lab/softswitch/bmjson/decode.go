package bmjson

import "math"

// Decode reads a BMv2 JSON document. An error is an *Error that names the place in the
// document, or tells where it is not JSON.
func Decode(doc []byte) (*Program, error) {
	root, err := parseTree(doc)
	if err != nil {
		return nil, err
	}
	d := &decoder{
		p:           &Program{},
		headerTypes: names{}, headers: names{}, stacks: names{}, unionTypes: names{}, unions: names{},
		unionStacks: names{}, errorCodes: names{}, valueSets: names{}, calculations: names{},
		counters: names{}, meters: names{}, registers: names{},
		headerIDs: map[int]int{}, unionIDs: map[int]int{}, actionIDs: map[int]int{},
		learnIDs: map[int]int{}, fieldListIDs: map[int]int{},
		actionsByName: map[string][]int{},
	}
	d.document(root)
	if d.err != nil {
		return nil, d.err
	}
	return d.p, nil
}

func (d *decoder) document(root *node) {
	d.object(root, "__meta__", "program", "header_types", "headers", "header_stacks",
		"header_union_types", "header_unions", "header_union_stacks", "field_lists", "errors",
		"enums", "parsers", "parse_vsets", "deparsers", "meter_arrays", "counter_arrays",
		"register_arrays", "calculations", "learn_lists", "actions", "pipelines", "checksums",
		"force_arith", "extern_instances", "field_aliases", "config_options")
	if d.err != nil {
		return
	}
	steps := []func(*node){
		d.meta, d.headerTypeList, d.headerList, d.stackList, d.unionList, d.unionStackList,
		d.aliasList, d.errorList, d.externList, d.valueSetList, d.calculationList,
		d.counterList, d.registerList, d.meterList, d.learnAndFieldLists, d.actionList,
		d.parserList, d.deparserList, d.checksumList, d.pipelineList,
	}
	for _, step := range steps {
		if step(root); d.err != nil {
			return
		}
	}
}

func (d *decoder) meta(root *node) {
	m := root.member("__meta__")
	if m.kind == kindMissing {
		return
	}
	v := d.tuple(d.object(m, "version", "compiler").member("version"), 2)
	if d.err != nil {
		return
	}
	if major := d.number(v[0], 0, math.MaxInt32); major != 2 {
		d.fail(v[0], "format version %d is not supported, only 2", major)
	}
	if minor := d.number(v[1], 0, math.MaxInt32); minor > 24 {
		d.fail(v[1], "format version 2.%d is not supported, only up to 2.24", minor)
	}
}

func (d *decoder) headerTypeList(root *node) {
	for i, n := range d.optList(root.member("header_types")) {
		d.object(n, "name", "id", "fields", "length_exp", "max_length")
		t := HeaderType{At: Place{n}, Name: d.define(n.member("name"), d.headerTypes, i)}
		if le := n.member("length_exp"); le.kind > kindNull {
			d.fail(le, "a length expression in the header type is not supported (extract_VL is)")
		}
		if ml := n.member("max_length"); ml.kind > kindNull {
			t.MaxBytes = d.number(ml, 0, MaxWidth/8)
		}
		seen := names{}
		for j, f := range d.list(n.member("fields")) {
			t.Fields = append(t.Fields, d.field(f, seen, j))
		}
		if varbits := t.VarBits(); varbits >= 0 {
			for _, f := range t.Fields[varbits+1:] {
				if f.VarBits {
					d.fail(n, "has two fields of variable length")
				}
			}
		}
		if t.FixedBits() > MaxWidth {
			d.fail(n, "is wider than %d bits", MaxWidth)
		}
		d.p.HeaderTypes = append(d.p.HeaderTypes, t)
	}
}

func (d *decoder) field(n *node, seen names, index int) Field {
	l := d.list(n)
	if len(l) < 2 || len(l) > 4 {
		d.fail(n, "has %d elements, but has to have a name, a width and perhaps a sign", len(l))
		return Field{}
	}
	f := Field{Name: d.define(l[0], seen, index)}
	if l[1].kind == kindString && l[1].text == "*" {
		f.VarBits = true
	} else {
		f.Width = d.number(l[1], 1, MaxWidth)
	}
	f.Signed = len(l) > 2 && d.sign(l[2])
	if f.Signed && (f.VarBits || f.Width < 2) {
		d.fail(l[2], "a signed field has to have 2 bits or more")
	}
	if f.Saturating = len(l) > 3 && d.flag(l[3], false); f.Saturating && f.VarBits {
		d.fail(l[3], "a field of variable length cannot be saturating")
	}
	return f
}

// sign is a boolean, for which p4c also writes 0 and 1.
func (d *decoder) sign(n *node) bool {
	if n.kind == kindNumber {
		return d.number(n, 0, 1) == 1
	}
	return d.flag(n, false)
}

func (d *decoder) headerList(root *node) {
	for i, n := range d.optList(root.member("headers")) {
		d.object(n, "name", "id", "header_type", "metadata", "pi_omit")
		h := Header{At: Place{n}, Stack: -1, Union: -1}
		h.Name = d.define(n.member("name"), d.headers, i)
		h.Type = d.ref(n.member("header_type"), d.headerTypes, "header type")
		h.Metadata = d.flag(n.member("metadata"), false)
		d.defineID(n, d.headerIDs, i)
		d.p.Headers = append(d.p.Headers, h)
		if d.err != nil {
			return
		}
		if t := &d.p.HeaderTypes[h.Type]; !h.Metadata && t.FixedBits()%8 != 0 {
			d.fail(n, "header type %q has %d bits, which is no multiple of 8", t.Name, t.FixedBits())
		}
	}
}

func (d *decoder) stackList(root *node) {
	for i, n := range d.optList(root.member("header_stacks")) {
		d.object(n, "name", "id", "header_type", "size", "header_ids", "pi_omit")
		s := Stack{At: Place{n}, Name: d.define(n.member("name"), d.stacks, i)}
		s.Type = d.ref(n.member("header_type"), d.headerTypes, "header type")
		for _, e := range d.list(n.member("header_ids")) {
			h := d.byID(e, d.headerIDs, "header")
			if d.err != nil {
				return
			}
			if d.p.Headers[h].Type != s.Type || d.p.Headers[h].Stack >= 0 {
				d.fail(e, "header %q has another type or is in another stack", d.p.Headers[h].Name)
			}
			d.p.Headers[h].Stack = i
			s.Headers = append(s.Headers, h)
		}
		if len(s.Headers) == 0 {
			d.fail(n.member("header_ids"), "is empty")
		}
		d.p.Stacks = append(d.p.Stacks, s)
	}
}

func (d *decoder) byID(n *node, ids map[int]int, what string) int {
	id := d.number(n, 0, math.MaxInt32)
	i, ok := ids[id]
	if !ok {
		d.fail(n, "there is no %s with id %d", what, id)
	}
	return i
}

// unionType is a header union type while decoding.
type unionType struct {
	members []string
	types   []int
}

func (d *decoder) unionList(root *node) {
	types := []unionType{}
	for i, n := range d.optList(root.member("header_union_types")) {
		d.object(n, "name", "id", "headers")
		d.define(n.member("name"), d.unionTypes, i)
		var t unionType
		for _, m := range d.list(n.member("headers")) {
			if pair := d.tuple(m, 2); pair != nil {
				t.members = append(t.members, d.text(pair[0]))
				t.types = append(t.types, d.ref(pair[1], d.headerTypes, "header type"))
			}
		}
		types = append(types, t)
	}
	d.unionTypeDefs = types
	for i, n := range d.optList(root.member("header_unions")) {
		d.object(n, "name", "id", "union_type", "header_ids", "pi_omit")
		u := Union{At: Place{n}, Name: d.define(n.member("name"), d.unions, i)}
		t := d.ref(n.member("union_type"), d.unionTypes, "header union type")
		d.defineID(n, d.unionIDs, i)
		ids := d.list(n.member("header_ids"))
		if d.err != nil {
			return
		}
		u.Members = types[t].members
		if len(ids) != len(u.Members) {
			d.fail(n.member("header_ids"), "has %d headers, but the union's type has %d", len(ids), len(u.Members))
			return
		}
		for j, e := range ids {
			h := d.byID(e, d.headerIDs, "header")
			if d.err == nil && (d.p.Headers[h].Type != types[t].types[j] || d.p.Headers[h].Union >= 0) {
				d.fail(e, "header %q has another type or is in another union", d.p.Headers[h].Name)
			}
			if d.err != nil {
				return
			}
			d.p.Headers[h].Union = i
			u.Headers = append(u.Headers, h)
		}
		d.p.Unions = append(d.p.Unions, u)
	}
}

func (d *decoder) unionStackList(root *node) {
	for i, n := range d.optList(root.member("header_union_stacks")) {
		d.object(n, "name", "id", "union_type", "size", "header_union_ids", "pi_omit")
		s := UnionStack{At: Place{n}, Name: d.define(n.member("name"), d.unionStacks, i)}
		t := d.ref(n.member("union_type"), d.unionTypes, "header union type")
		if d.err != nil {
			return
		}
		s.Members = d.unionTypeDefs[t].members
		for _, e := range d.list(n.member("header_union_ids")) {
			u := d.byID(e, d.unionIDs, "header union")
			if d.err != nil {
				return
			}
			if len(d.p.Unions[u].Headers) != len(s.Members) {
				d.fail(e, "header union %q has another type", d.p.Unions[u].Name)
			}
			s.Unions = append(s.Unions, u)
		}
		if len(s.Unions) == 0 {
			d.fail(n.member("header_union_ids"), "is empty")
		}
		d.p.UnionStacks = append(d.p.UnionStacks, s)
	}
}

func (d *decoder) aliasList(root *node) {
	for _, n := range d.optList(root.member("field_aliases")) {
		if pair := d.tuple(n, 2); pair != nil {
			d.p.Aliases = append(d.p.Aliases, Alias{Name: d.text(pair[0]), Field: d.fieldRef(pair[1])})
		}
	}
}

func (d *decoder) errorList(root *node) {
	for i, n := range d.optList(root.member("errors")) {
		if pair := d.tuple(n, 2); pair != nil {
			name := d.define(pair[0], d.errorCodes, i)
			d.p.Errors = append(d.p.Errors, ErrorCode{name, d.number(pair[1], 0, math.MaxInt32-1)})
		}
	}
}

func (d *decoder) externList(root *node) {
	for _, n := range d.optList(root.member("extern_instances")) {
		d.fail(n, "extern type %q is not supported", n.member("type").text)
	}
}
