package main

import (
	"math/big"
	"slices"
	"strings"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4 "github.com/p4lang/p4runtime/go/p4/v1"
)

// setup is one entity to write before the packets.
type setup struct {
	kind   p4.Update_Type
	entity *p4.Entity
}

// entries makes entities for all tables of the program, and takes note of what they match.
func (g *generator) entries(ports []uint32) []setup {
	out := g.replication(ports)
	for _, p := range g.info.GetActionProfiles() {
		out = append(out, g.profile(p, ports)...)
	}
	for _, m := range g.info.GetMeters() {
		out = append(out, g.meter(m))
	}
	for _, t := range g.info.GetTables() {
		out = append(out, g.table(t, ports)...)
	}
	return out
}

func (g *generator) table(t *p4config.Table, ports []uint32) []setup {
	var out []setup
	if len(t.GetMatchFields()) > 0 && !t.GetIsConstTable() {
		for range g.rng.IntN(g.most + 1) {
			if e := g.entry(t, ports); e != nil {
				out = append(out, setup{p4.Update_INSERT, &p4.Entity{Entity: &p4.Entity_TableEntry{TableEntry: e}}})
			}
		}
	}
	if t.GetConstDefaultActionId() == 0 && t.GetImplementationId() == 0 && g.rng.IntN(3) == 0 {
		if a := g.action(t.GetActionRefs(), p4config.ActionRef_TABLE_ONLY, ports); a != nil {
			e := &p4.TableEntry{TableId: t.GetPreamble().GetId(), IsDefaultAction: true, Action: tableAction(a)}
			out = append(out, setup{p4.Update_MODIFY, &p4.Entity{Entity: &p4.Entity_TableEntry{TableEntry: e}}})
		}
	}
	return out
}

func tableAction(a *p4.Action) *p4.TableAction {
	return &p4.TableAction{Type: &p4.TableAction_Action{Action: a}}
}

func (g *generator) entry(t *p4config.Table, ports []uint32) *p4.TableEntry {
	e := &p4.TableEntry{TableId: t.GetPreamble().GetId()}
	targets := g.targets(t.GetPreamble().GetName())
	for i, f := range t.GetMatchFields() {
		target := ""
		if i < len(targets) {
			target = targets[i]
		}
		if m := g.match(f, target, ports); m != nil {
			e.Match = append(e.Match, m)
		}
		switch f.GetMatchType() {
		case p4config.MatchField_TERNARY, p4config.MatchField_RANGE, p4config.MatchField_OPTIONAL:
			// A million priorities: two entries hardly ever have the same, whose order is open.
			e.Priority = int32(1 + g.rng.IntN(1_000_000))
		}
	}
	if id := t.GetImplementationId(); id != 0 {
		e.Action = g.indirect(id)
		return e
	}
	a := g.action(t.GetActionRefs(), p4config.ActionRef_DEFAULT_ONLY, ports)
	if a == nil {
		return nil
	}
	e.Action = tableAction(a)
	return e
}

// targets are the fields behind the keys of a table.
func (g *generator) targets(name string) []string {
	var out []string
	for _, p := range g.doc.Pipelines {
		for _, t := range p.Tables {
			if t.Name != name {
				continue
			}
			for _, k := range t.Key {
				out = append(out, strings.Join(operand{Value: k.Target}.strings(), "."))
			}
		}
	}
	return out
}

// action chooses an action that has not the scope, with parameters.
func (g *generator) action(refs []*p4config.ActionRef, not p4config.ActionRef_Scope, ports []uint32) *p4.Action {
	refs = slices.DeleteFunc(slices.Clone(refs), func(r *p4config.ActionRef) bool { return r.GetScope() == not })
	if len(refs) == 0 {
		return nil
	}
	id := refs[g.rng.IntN(len(refs))].GetId()
	a := &p4.Action{ActionId: id}
	for _, x := range g.info.GetActions() {
		if x.GetPreamble().GetId() != id {
			continue
		}
		for _, p := range x.GetParams() {
			a.Params = append(a.Params, &p4.Action_Param{ParamId: p.GetId(), Value: canonical(g.param(int(p.GetBitwidth()), ports))})
		}
	}
	return a
}

// portWidth is the width of ports in v1model.
const portWidth = 9

// param chooses a parameter: one that is as wide as a port is one, mostly.
func (g *generator) param(width int, ports []uint32) *big.Int {
	if width == portWidth && g.rng.IntN(8) > 0 {
		return big.NewInt(int64(ports[g.rng.IntN(len(ports))]))
	}
	return g.value("", width)
}

func canonical(v *big.Int) []byte {
	if v.Sign() == 0 {
		return []byte{0}
	}
	return v.Bytes()
}

// match makes the condition on one field; nil is anything.
func (g *generator) match(f *p4config.MatchField, target string, ports []uint32) *p4.FieldMatch {
	width := int(f.GetBitwidth())
	v := g.value(target, width)
	if width == portWidth {
		v = g.param(width, ports)
	}
	out := &p4.FieldMatch{FieldId: f.GetId()}
	mask := ones(width)
	if f.GetMatchType() != p4config.MatchField_EXACT && g.rng.IntN(5) == 0 {
		return nil
	}
	switch f.GetMatchType() {
	case p4config.MatchField_EXACT:
		out.FieldMatchType = &p4.FieldMatch_Exact_{Exact: &p4.FieldMatch_Exact{Value: canonical(v)}}
	case p4config.MatchField_OPTIONAL:
		out.FieldMatchType = &p4.FieldMatch_Optional_{Optional: &p4.FieldMatch_Optional{Value: canonical(v)}}
	case p4config.MatchField_LPM:
		length := 1 + g.rng.IntN(width)
		mask.Lsh(mask, uint(width-length))
		mask = low(mask, uint(width))
		v.And(v, mask)
		out.FieldMatchType = &p4.FieldMatch_Lpm{Lpm: &p4.FieldMatch_LPM{Value: canonical(v), PrefixLen: int32(length)}}
	case p4config.MatchField_TERNARY:
		if g.rng.IntN(3) > 0 {
			mask = g.random(width)
		}
		if mask.Sign() == 0 {
			return nil
		}
		v.And(v, mask)
		out.FieldMatchType = &p4.FieldMatch_Ternary_{Ternary: &p4.FieldMatch_Ternary{Value: canonical(v), Mask: canonical(mask)}}
	case p4config.MatchField_RANGE:
		high := g.value(target, width)
		if high.Cmp(v) < 0 {
			v, high = high, v
		}
		if v.Sign() == 0 && high.Cmp(ones(width)) == 0 {
			return nil
		}
		out.FieldMatchType = &p4.FieldMatch_Range_{Range: &p4.FieldMatch_Range{Low: canonical(v), High: canonical(high)}}
	default:
		return nil
	}
	g.pool[target] = append(g.pool[target], wanted{v, mask})
	return out
}
