package p4rt

import (
	"fmt"
	"slices"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
)

// Encode translates an entry to P4Runtime with canonical byte strings. It checks names,
// widths, missing exact fields and parameters, and priorities, so that a mistake is found
// before the switch sees it.
func (p *Program) Encode(e Entry) (*p4v1.TableEntry, error) {
	t, ok := p.tables[e.Table]
	if !ok {
		return nil, fmt.Errorf("table %s: %w", e.Table, ErrUnknownName)
	}
	if t.ordered != (e.Priority > 0) {
		return nil, fmt.Errorf("table %s: priority %d: positive exactly for tables with ternary, range or optional fields", e.Table, e.Priority)
	}
	out := &p4v1.TableEntry{TableId: t.id, Priority: e.Priority}
	for i, f := range t.match.fields {
		m, ok := e.Field(f.Name)
		if !ok {
			if t.kinds[i] == p4config.MatchField_EXACT {
				return nil, fmt.Errorf("table %s: exact field %s is missing", e.Table, f.Name)
			}
			continue
		}
		field, err := encodeMatch(m, f, t.kinds[i])
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", e.Table, err)
		}
		if field != nil {
			out.Match = append(out.Match, field)
		}
	}
	for _, m := range e.Match {
		if _, err := t.match.Index(m.Field); err != nil {
			return nil, err
		}
	}
	if e.Action == "" {
		return out, nil
	}
	a, ok := t.actions[e.Action]
	if !ok {
		return nil, fmt.Errorf("table %s: action %s: %w", e.Table, e.Action, ErrUnknownName)
	}
	act, err := a.encode(e.Params)
	if err != nil {
		return nil, fmt.Errorf("table %s: %w", e.Table, err)
	}
	out.Action = &p4v1.TableAction{Type: &p4v1.TableAction_Action{Action: act}}
	return out, nil
}

func (a *action) encode(params []Param) (*p4v1.Action, error) {
	out := &p4v1.Action{ActionId: a.id}
	for _, p := range params {
		if _, err := a.params.Index(p.Name); err != nil {
			return nil, err
		}
	}
	for _, f := range a.params.fields {
		i := slices.IndexFunc(params, func(p Param) bool { return p.Name == f.Name })
		if i < 0 {
			return nil, fmt.Errorf("action %s: parameter %s is missing", a.name, f.Name)
		}
		v, err := f.bytes(params[i].Value)
		if err != nil {
			return nil, fmt.Errorf("action %s: %w", a.name, err)
		}
		out.Params = append(out.Params, &p4v1.Action_Param{ParamId: f.ID, Value: v})
	}
	return out, nil
}

// bytes checks that v fits the field. Fields without a width are translated types, whose
// byte strings are the switch's affair.
func (f Field) bytes(v Value) ([]byte, error) {
	v = v.canonical()
	if f.Bits > 0 && v.Bits() > f.Bits {
		return nil, fmt.Errorf("%s: %s does not fit into %d bits", f.Name, v, f.Bits)
	}
	return []byte(v), nil
}

// encodeMatch gives nil for a match on everything, which P4Runtime wants left out.
func encodeMatch(m Match, f Field, kind p4config.MatchField_MatchType) (*p4v1.FieldMatch, error) {
	if want := kindOf(kind); m.Kind != want {
		return nil, fmt.Errorf("field %s: match kind %d, the program has %s", f.Name, m.Kind, kind)
	}
	v, err := f.bytes(m.Value)
	if err != nil {
		return nil, err
	}
	out := &p4v1.FieldMatch{FieldId: f.ID}
	switch m.Kind {
	case MatchExact:
		out.FieldMatchType = &p4v1.FieldMatch_Exact_{Exact: &p4v1.FieldMatch_Exact{Value: v}}
	case MatchOptional:
		out.FieldMatchType = &p4v1.FieldMatch_Optional_{Optional: &p4v1.FieldMatch_Optional{Value: v}}
	case MatchLPM:
		if m.Prefix < 0 || m.Prefix > f.Bits {
			return nil, fmt.Errorf("field %s: prefix length %d of %d bits", f.Name, m.Prefix, f.Bits)
		}
		if m.Prefix == 0 {
			return nil, nil
		}
		if m.Value.truncate(m.Prefix, f.Bits) != Bytes(v) {
			return nil, fmt.Errorf("field %s: %s/%d has bits set after the prefix", f.Name, m.Value, m.Prefix)
		}
		out.FieldMatchType = &p4v1.FieldMatch_Lpm{Lpm: &p4v1.FieldMatch_LPM{Value: v, PrefixLen: int32(m.Prefix)}}
	case MatchTernary, MatchRange:
		second, err := f.bytes(m.Mask)
		if err != nil {
			return nil, err
		}
		if m.Kind == MatchRange {
			out.FieldMatchType = &p4v1.FieldMatch_Range_{Range: &p4v1.FieldMatch_Range{Low: v, High: second}}
			break
		}
		if Bytes(second).Bits() == 0 {
			return nil, nil
		}
		out.FieldMatchType = &p4v1.FieldMatch_Ternary_{Ternary: &p4v1.FieldMatch_Ternary{Value: v, Mask: second}}
	}
	return out, nil
}

func kindOf(t p4config.MatchField_MatchType) MatchKind {
	switch t {
	case p4config.MatchField_EXACT:
		return MatchExact
	case p4config.MatchField_LPM:
		return MatchLPM
	case p4config.MatchField_TERNARY:
		return MatchTernary
	case p4config.MatchField_RANGE:
		return MatchRange
	case p4config.MatchField_OPTIONAL:
		return MatchOptional
	}
	return 0
}

// Decode translates an entry that a switch gave. Only direct actions are understood;
// members and groups of action profiles are not.
func (p *Program) Decode(e *p4v1.TableEntry) (Entry, error) {
	t, ok := p.tableIDs[e.GetTableId()]
	if !ok {
		return Entry{}, fmt.Errorf("table %#x: %w", e.GetTableId(), ErrUnknownName)
	}
	out := Entry{Table: t.name, Priority: e.GetPriority()}
	for _, m := range e.GetMatch() {
		i, ok := t.match.ids[m.GetFieldId()]
		if !ok {
			return Entry{}, fmt.Errorf("table %s: match field %d: %w", t.name, m.GetFieldId(), ErrUnknownName)
		}
		out.Match = append(out.Match, decodeMatch(t.match.fields[i].Name, m))
	}
	switch act := e.GetAction().GetType().(type) {
	case nil:
		return out, nil
	case *p4v1.TableAction_Action:
		a, ok := p.actions[act.Action.GetActionId()]
		if !ok {
			return Entry{}, fmt.Errorf("table %s: action %#x: %w", t.name, act.Action.GetActionId(), ErrUnknownName)
		}
		out.Action = a.name
		for _, q := range act.Action.GetParams() {
			i, ok := a.params.ids[q.GetParamId()]
			if !ok {
				return Entry{}, fmt.Errorf("action %s: parameter %d: %w", a.name, q.GetParamId(), ErrUnknownName)
			}
			out.Params = append(out.Params, Param{a.params.fields[i].Name, Bytes(q.GetValue())})
		}
		return out, nil
	default:
		return Entry{}, fmt.Errorf("table %s: entry with %T: only direct actions are understood", t.name, act)
	}
}

func decodeMatch(name string, m *p4v1.FieldMatch) Match {
	switch k := m.GetFieldMatchType().(type) {
	case *p4v1.FieldMatch_Exact_:
		return Exact(name, Bytes(k.Exact.GetValue()))
	case *p4v1.FieldMatch_Lpm:
		return LPM(name, Bytes(k.Lpm.GetValue()), int(k.Lpm.GetPrefixLen()))
	case *p4v1.FieldMatch_Ternary_:
		return Ternary(name, Bytes(k.Ternary.GetValue()), Bytes(k.Ternary.GetMask()))
	case *p4v1.FieldMatch_Range_:
		return Range(name, Bytes(k.Range.GetLow()), Bytes(k.Range.GetHigh()))
	case *p4v1.FieldMatch_Optional_:
		return Optional(name, Bytes(k.Optional.GetValue()))
	}
	return Match{Field: name}
}
