package bmjson

import (
	"math"
	"math/big"
)

func (d *decoder) table(n *node, all nodes, profiles names) Table {
	d.object(n, "name", "id", "key", "match_type", "type", "action_profile", "max_size", "with_counters",
		"support_timeout", "direct_meters", "action_ids", "actions", "base_default_next", "next_tables",
		"default_entry", "entries", "pi_omit")
	t := Table{At: Place{n}, Name: d.text(n.member("name")), DirectMeter: -1}
	switch k := n.member("type"); d.text(k) {
	case "simple":
	case "indirect":
		t.Kind = TableIndirect
	case "indirect_ws":
		t.Kind = TableSelector
	default:
		d.unsupported(k)
	}
	if t.Kind != TableSimple {
		t.Profile = d.ref(n.member("action_profile"), profiles, "action profile")
	}
	d.tableKeys(&t, n)
	t.Counters = d.flag(n.member("with_counters"), false)
	t.Timeout = d.flag(n.member("support_timeout"), false)
	if m := n.member("direct_meters"); m.kind > kindNull {
		t.DirectMeter = d.ref(m, d.meters, "meter")
		if d.err == nil && !d.p.Meters[t.DirectMeter].Direct {
			d.fail(m, "meter %q is not direct", m.text)
		}
	}
	d.tableActions(&t, n)
	d.tableNext(&t, n, all)
	if d.err != nil {
		return t
	}
	if def := n.member("default_entry"); def.kind > kindNull {
		d.defaultEntry(&t, def)
	}
	d.tableEntries(&t, n)
	return t
}

func (d *decoder) tableKeys(t *Table, n *node) {
	for _, k := range d.list(n.member("key")) {
		t.Keys = append(t.Keys, d.tableKey(k))
	}
	has := map[KeyKind]int{}
	for _, k := range t.Keys {
		has[k.Kind]++
	}
	if has[KeyLPM] > 1 {
		d.fail(n.member("key"), "has two LPM fields")
	}
	want := "exact"
	switch {
	case has[KeyRange] > 0:
		want = "range"
	case has[KeyTernary] > 0:
		want = "ternary"
	case has[KeyLPM] > 0:
		want = "lpm"
	}
	switch m := n.member("match_type"); d.text(m) {
	case want:
	case "exact", "lpm", "ternary", "range":
		// A kind that is more general than the keys need only says how entries are ordered.
		if m.text == "exact" || (m.text == "lpm" && want != "exact") || (m.text == "ternary" && want == "range") {
			d.fail(m, "is %q, but the keys need %q", m.text, want)
		}
	default:
		if d.err == nil {
			d.unsupported(m)
		}
	}
}

func (d *decoder) tableKey(n *node) Key {
	d.object(n, "match_type", "target", "mask", "name")
	k := Key{At: Place{n}}
	target := n.member("target")
	switch m := n.member("match_type"); d.text(m) {
	case "exact":
	case "lpm":
		k.Kind = KeyLPM
	case "ternary", "optional":
		k.Kind = KeyTernary
	case "range":
		k.Kind = KeyRange
	case "valid":
		k.Field = FieldRef{d.ref(target, d.headers, "header"), ValidField}
	default:
		if d.err == nil {
			d.unsupported(m)
		}
	}
	if n.member("match_type").text != "valid" {
		k.Field = d.fieldRef(target)
	}
	if d.err != nil {
		return k
	}
	if k.Width = d.widthOf(k.Field); k.Width == 0 {
		d.fail(target, "a field of variable length cannot be matched on")
	}
	if name := n.member("name"); name.kind > kindNull {
		k.Name = d.text(name)
	} else {
		k.Name = d.p.Headers[k.Field.Header].Name + "." + d.nameOf(k.Field)
	}
	if mask := n.member("mask"); mask.kind > kindNull {
		k.Mask = d.unsignedHex(mask, (k.Width+7)/8*8)
	}
	return k
}

func (d *decoder) tableActions(t *Table, n *node) {
	if ids := n.member("action_ids"); ids.kind > kindNull {
		for _, a := range d.list(ids) {
			t.Actions = append(t.Actions, d.byID(a, d.actionIDs, "action"))
		}
		return
	}
	for _, a := range d.list(n.member("actions")) {
		name := d.text(a)
		found := d.actionsByName[name]
		if len(found) != 1 {
			d.fail(a, "there are %d actions %q", len(found), name)
			return
		}
		t.Actions = append(t.Actions, found[0])
	}
}

func (d *decoder) tableNext(t *Table, n *node, all nodes) {
	next := n.member("next_tables")
	t.Base = d.next(n.member("base_default_next"), all)
	if !d.want(next, kindObject) || d.err != nil {
		return
	}
	hit, miss := next.member("__HIT__"), next.member("__MISS__")
	if hit.kind != kindMissing || miss.kind != kindMissing {
		if len(next.elems) != 2 || hit.kind == kindMissing || miss.kind == kindMissing {
			d.fail(next, "has to have __HIT__ and __MISS__ and nothing else")
		}
		t.ByHit, t.Hit, t.Miss = true, d.next(hit, all), d.next(miss, all)
		return
	}
	known := map[string]bool{}
	for _, a := range t.Actions {
		name := d.p.Actions[a].Name
		m := next.member(name)
		if m.kind == kindMissing {
			d.fail(next, "has no next node for action %q", name)
		}
		known[name] = true
		t.Next = append(t.Next, d.next(m, all))
	}
	for i, name := range next.names {
		if !known[name] {
			d.fail(next.elems[i], "the table has no action %q", name)
		}
	}
}

// tableAction is the id of an action that the table has.
func (d *decoder) tableAction(t *Table, n *node) int {
	a := d.byID(n, d.actionIDs, "action")
	for _, have := range t.Actions {
		if have == a {
			return a
		}
	}
	d.fail(n, "the table has no such action")
	return a
}

func (d *decoder) actionData(action int, n *node) []*big.Int {
	if d.err != nil {
		return nil
	}
	a := &d.p.Actions[action]
	list := d.list(n)
	if len(list) != len(a.Params) {
		d.fail(n, "has %d values, but action %q has %d parameters", len(list), a.Name, len(a.Params))
		return nil
	}
	var out []*big.Int
	for i, v := range list {
		out = append(out, d.unsignedHex(v, a.Params[i].Width))
	}
	return out
}

func (d *decoder) defaultEntry(t *Table, n *node) {
	d.object(n, "action_id", "action_const", "action_data", "action_entry_const")
	e := &DefaultEntry{At: Place{n}, Action: d.tableAction(t, n.member("action_id"))}
	e.ActionConst = d.flag(n.member("action_const"), false)
	e.EntryConst = d.flag(n.member("action_entry_const"), false)
	e.Params = d.actionData(e.Action, n.member("action_data"))
	if t.Kind != TableSimple && e.ActionConst {
		d.fail(n.member("action_const"), "a table with an action profile cannot have a constant default action")
	}
	t.Default = e
}

func (d *decoder) tableEntries(t *Table, n *node) {
	entries := n.member("entries")
	if size := n.member("max_size"); size.kind != kindMissing {
		t.Size = d.number(size, 0, math.MaxInt32)
	} else if entries.kind == kindMissing {
		d.fail(size, "is missing")
	}
	if entries.kind <= kindNull {
		return
	}
	if t.Kind != TableSimple {
		d.fail(entries, "a table with an action profile cannot have entries here")
	}
	t.Const = true
	for _, e := range d.list(entries) {
		t.Entries = append(t.Entries, d.entry(t, e))
		if d.err != nil {
			return
		}
	}
	t.Size = len(t.Entries)
}

func (d *decoder) entry(t *Table, n *node) Entry {
	d.object(n, "match_key", "action_entry", "priority", "is_const")
	e := Entry{At: Place{n}}
	keys := d.list(n.member("match_key"))
	if len(keys) != len(t.Keys) {
		d.fail(n.member("match_key"), "has %d fields, but the table has %d", len(keys), len(t.Keys))
		return e
	}
	for i, k := range keys {
		e.Match = append(e.Match, d.entryMatch(k, &t.Keys[i]))
	}
	if p := n.member("priority"); p.kind != kindMissing {
		e.Priority = d.number(p, math.MinInt32, math.MaxInt32)
	}
	action := d.object(n.member("action_entry"), "action_id", "action_data")
	if d.err == nil {
		e.Action = d.tableAction(t, action.member("action_id"))
		e.Params = d.actionData(e.Action, action.member("action_data"))
	}
	return e
}

func (d *decoder) entryMatch(n *node, k *Key) EntryMatch {
	d.object(n, "match_type", "key", "mask", "prefix_length", "start", "end")
	var m EntryMatch
	if d.err != nil {
		return m
	}
	kind := n.member("match_type")
	want := [...]string{"exact", "lpm", "ternary", "range"}[k.Kind]
	if got := d.text(kind); got != want && !(got == "valid" && k.Field.Field == ValidField) &&
		!(got == "optional" && k.Kind == KeyTernary) {
		d.fail(kind, "is %q, but the table's key is %q", got, want)
		return m
	}
	switch k.Kind {
	case KeyExact:
		if key := n.member("key"); key.kind == kindBool {
			m.Value = new(big.Int)
			if key.yes {
				m.Value.SetInt64(1)
			}
		} else {
			m.Value = d.unsignedHex(key, k.Width)
		}
	case KeyLPM:
		m.Value = d.unsignedHex(n.member("key"), k.Width)
		m.Prefix = d.number(n.member("prefix_length"), 0, k.Width)
	case KeyTernary:
		m.Value = d.unsignedHex(n.member("key"), k.Width)
		m.Mask = d.unsignedHex(n.member("mask"), k.Width)
	case KeyRange:
		m.Value = d.unsignedHex(n.member("start"), k.Width)
		m.High = d.unsignedHex(n.member("end"), k.Width)
	}
	return m
}
