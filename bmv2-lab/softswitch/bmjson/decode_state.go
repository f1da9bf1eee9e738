package bmjson

import "math"

// maxArray bounds the cells of one counter, meter or register array.
const maxArray = 1 << 26

func (d *decoder) valueSetList(root *node) {
	for i, n := range d.optList(root.member("parse_vsets")) {
		d.object(n, "name", "id", "compressed_bitwidth", "max_size")
		v := ValueSet{At: Place{n}, Name: d.define(n.member("name"), d.valueSets, i)}
		v.Width = d.number(n.member("compressed_bitwidth"), 1, MaxWidth)
		if m := n.member("max_size"); m.kind != kindMissing {
			v.Size = d.number(m, 0, math.MaxInt32)
		}
		d.p.ValueSets = append(d.p.ValueSets, v)
	}
}

func (d *decoder) calculationList(root *node) {
	for i, n := range d.optList(root.member("calculations")) {
		d.object(n, "name", "id", "algo", "input")
		c := Calculation{At: Place{n}, Name: d.define(n.member("name"), d.calculations, i)}
		c.Algo = d.algo(n.member("algo"))
		for _, in := range d.list(n.member("input")) {
			if in.member("type").text == "payload" {
				c.Payload = true
				continue
			}
			c.Input = append(c.Input, d.calcInput(in))
		}
		d.p.Calculations = append(d.p.Calculations, c)
	}
}

// algo is the name of a hash algorithm that p4c can emit for v1model.
func (d *decoder) algo(n *node) string {
	switch s := d.text(n); s {
	case "crc32", "crc32_custom", "crc16", "crc16_custom", "csum16", "xor16", "identity",
		"crcCCITT", "cksum16", "random":
		return s
	}
	if d.err == nil {
		d.unsupported(n)
	}
	return ""
}

func (d *decoder) calcInput(n *node) CalcInput {
	d.object(n, "type", "value", "bitwidth", "name")
	in := CalcInput{At: Place{n}}
	value := n.member("value")
	switch d.text(n.member("type")) {
	case "field":
		in.Kind, in.Field = CalcField, d.fieldRef(value)
	case "header":
		in.Kind, in.Header = CalcHeader, d.ref(value, d.headers, "header")
	case "hexstr":
		in.Kind = CalcConst
		in.Width = d.number(n.member("bitwidth"), 1, MaxWidth)
		in.Value = d.unsignedHex(value, in.Width)
	default:
		d.unsupported(n.member("type"))
	}
	return in
}

func (d *decoder) counterList(root *node) {
	for i, n := range d.optList(root.member("counter_arrays")) {
		d.object(n, "name", "id", "size", "is_direct", "binding", "pi_omit")
		c := Counter{At: Place{n}, Name: d.define(n.member("name"), d.counters, i)}
		if c.Direct = d.flag(n.member("is_direct"), false); c.Direct {
			c.Binding = d.text(n.member("binding"))
		} else {
			c.Size = d.number(n.member("size"), 0, maxArray)
		}
		d.p.Counters = append(d.p.Counters, c)
	}
}

func (d *decoder) registerList(root *node) {
	for i, n := range d.optList(root.member("register_arrays")) {
		d.object(n, "name", "id", "size", "bitwidth", "pi_omit")
		r := Register{At: Place{n}, Name: d.define(n.member("name"), d.registers, i)}
		r.Size = d.number(n.member("size"), 0, maxArray)
		r.Width = d.number(n.member("bitwidth"), 1, MaxWidth)
		if words := (r.Width + 63) / 64; r.Size*words > maxArray {
			d.fail(n, "%d cells of %d bits are not supported", r.Size, r.Width)
		}
		d.p.Registers = append(d.p.Registers, r)
	}
}

func (d *decoder) meterList(root *node) {
	for i, n := range d.optList(root.member("meter_arrays")) {
		d.object(n, "name", "id", "size", "type", "rate_count", "is_direct", "binding", "result_target", "pi_omit")
		m := Meter{At: Place{n}, Name: d.define(n.member("name"), d.meters, i)}
		m.Rates = d.number(n.member("rate_count"), 1, 2)
		switch d.text(n.member("type")) {
		case "packets":
		case "bytes":
			m.Bytes = true
		default:
			d.unsupported(n.member("type"))
		}
		if m.Direct = d.flag(n.member("is_direct"), false); m.Direct {
			m.Binding = d.text(n.member("binding"))
			m.Result = d.fieldRef(n.member("result_target"))
		} else {
			m.Size = d.number(n.member("size"), 0, maxArray)
		}
		d.p.Meters = append(d.p.Meters, m)
	}
}

func (d *decoder) learnAndFieldLists(root *node) {
	d.p.LearnLists = d.fieldLists(root.member("learn_lists"), d.learnIDs)
	d.p.FieldLists = d.fieldLists(root.member("field_lists"), d.fieldListIDs)
}

func (d *decoder) fieldLists(list *node, ids map[int]int) []FieldList {
	var out []FieldList
	for i, n := range d.optList(list) {
		d.object(n, "name", "id", "elements")
		fl := FieldList{At: Place{n}, ID: d.id(n), Name: d.text(n.member("name"))}
		d.defineID(n, ids, i)
		for _, e := range d.list(n.member("elements")) {
			fl.Fields = append(fl.Fields, d.listField(e))
		}
		out = append(out, fl)
	}
	return out
}

func (d *decoder) listField(n *node) ListField {
	d.object(n, "type", "value", "bitwidth", "name")
	var f ListField
	switch d.text(n.member("type")) {
	case "field":
		f.Field = d.fieldRef(n.member("value"))
		if d.err == nil {
			f.Width, f.Name = d.widthOf(f.Field), d.nameOf(f.Field)
		}
	case "hexstr":
		f.Width = d.number(n.member("bitwidth"), 1, MaxWidth)
		f.Value = d.unsignedHex(n.member("value"), f.Width)
	default:
		d.unsupported(n.member("type"))
	}
	return f
}

func (d *decoder) checksumList(root *node) {
	seen := names{}
	for i, n := range d.optList(root.member("checksums")) {
		d.object(n, "name", "id", "target", "type", "calculation", "update", "verify", "if_cond")
		c := Checksum{At: Place{n}, Name: d.define(n.member("name"), seen, i)}
		c.Target = d.fieldRef(n.member("target"))
		if d.err == nil && c.Target.Field == ValidField {
			d.fail(n.member("target"), "a validity bit cannot be a checksum")
		}
		if t := n.member("type"); d.text(t) != "generic" {
			d.unsupported(t)
		}
		c.Calculation = d.ref(n.member("calculation"), d.calculations, "calculation")
		c.Update = d.flag(n.member("update"), true)
		c.Verify = d.flag(n.member("verify"), true)
		if cond := n.member("if_cond"); cond.kind > kindNull {
			c.Cond = d.typed(cond, TypeBool)
		}
		d.p.Checksums = append(d.p.Checksums, c)
	}
}
