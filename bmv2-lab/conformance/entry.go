package conformance

import (
	"fmt"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4 "github.com/p4lang/p4runtime/go/p4/v1"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

// entity translates an entry of the engine.
func (t *Target) entity(table string, e engine.Entry) (*p4.TableEntry, error) {
	info, err := named(t.schema.tables, "table", table)
	if err != nil {
		return nil, err
	}
	out := &p4.TableEntry{TableId: info.GetPreamble().GetId()}
	if len(e.Match) != len(info.GetMatchFields()) {
		return nil, fmt.Errorf("table %s: %d matches and %d match fields", table, len(e.Match), len(info.GetMatchFields()))
	}
	for i, f := range info.GetMatchFields() {
		if m := fieldMatch(f, e.Match[i]); m != nil {
			out.Match = append(out.Match, m)
		}
		switch f.GetMatchType() {
		case p4config.MatchField_TERNARY, p4config.MatchField_RANGE, p4config.MatchField_OPTIONAL:
			out.Priority = e.Priority
		}
	}
	return out, nil
}

// fieldMatch is nil for a match that P4Runtime leaves out: one that matches everything.
func fieldMatch(f *p4config.MatchField, m engine.Match) *p4.FieldMatch {
	if m.Any {
		return nil
	}
	out := &p4.FieldMatch{FieldId: f.GetId()}
	switch f.GetMatchType() {
	case p4config.MatchField_EXACT:
		out.FieldMatchType = &p4.FieldMatch_Exact_{Exact: &p4.FieldMatch_Exact{Value: m.Value}}
	case p4config.MatchField_OPTIONAL:
		out.FieldMatchType = &p4.FieldMatch_Optional_{Optional: &p4.FieldMatch_Optional{Value: m.Value}}
	case p4config.MatchField_LPM:
		out.FieldMatchType = &p4.FieldMatch_Lpm{Lpm: &p4.FieldMatch_LPM{Value: m.Value, PrefixLen: int32(m.PrefixLen)}}
	case p4config.MatchField_TERNARY:
		out.FieldMatchType = &p4.FieldMatch_Ternary_{Ternary: &p4.FieldMatch_Ternary{Value: m.Value, Mask: m.Mask}}
	case p4config.MatchField_RANGE:
		out.FieldMatchType = &p4.FieldMatch_Range_{Range: &p4.FieldMatch_Range{Low: m.Value, High: m.High}}
	}
	return out
}

// action translates an action and its parameters.
func (t *Target) action(name string, params [][]byte) (*p4.Action, error) {
	info, err := named(t.schema.actions, "action", name)
	if err != nil {
		return nil, err
	}
	if len(params) != len(info.GetParams()) {
		return nil, fmt.Errorf("action %s: %d parameters, and it has %d", name, len(params), len(info.GetParams()))
	}
	out := &p4.Action{ActionId: info.GetPreamble().GetId()}
	for i, p := range info.GetParams() {
		out.Params = append(out.Params, &p4.Action_Param{ParamId: p.GetId(), Value: params[i]})
	}
	return out, nil
}

// tableAction says what a hit of an entry runs.
func (t *Target) tableAction(e engine.Entry) (*p4.TableAction, error) {
	switch e.Indirect {
	case engine.IndirectMember:
		return &p4.TableAction{Type: &p4.TableAction_ActionProfileMemberId{ActionProfileMemberId: e.Member}}, nil
	case engine.IndirectGroup:
		return &p4.TableAction{Type: &p4.TableAction_ActionProfileGroupId{ActionProfileGroupId: e.Group}}, nil
	}
	a, err := t.action(e.Action, e.Params)
	return &p4.TableAction{Type: &p4.TableAction_Action{Action: a}}, err
}

// engineEntry translates what a switch says of an entry.
func (t *Target) engineEntry(info *p4config.Table, e *p4.TableEntry) engine.Entry {
	out := engine.Entry{Const: e.GetIsConst(), Priority: e.GetPriority()}
	given := map[uint32]*p4.FieldMatch{}
	for _, m := range e.GetMatch() {
		given[m.GetFieldId()] = m
	}
	for _, f := range info.GetMatchFields() {
		out.Match = append(out.Match, engineMatch(f, given[f.GetId()]))
	}
	a := e.GetAction().GetAction()
	out.Action = t.schema.actionNames[a.GetActionId()]
	for _, p := range a.GetParams() {
		out.Params = append(out.Params, p.GetValue())
	}
	return out
}

func engineMatch(f *p4config.MatchField, m *p4.FieldMatch) engine.Match {
	out := engine.Match{Any: m == nil}
	switch f.GetMatchType() {
	case p4config.MatchField_EXACT:
		out.Kind, out.Value = engine.MatchExact, m.GetExact().GetValue()
	case p4config.MatchField_LPM:
		out.Kind, out.Value, out.PrefixLen = engine.MatchLPM, m.GetLpm().GetValue(), int(m.GetLpm().GetPrefixLen())
	case p4config.MatchField_TERNARY:
		out.Kind, out.Value, out.Mask = engine.MatchTernary, m.GetTernary().GetValue(), m.GetTernary().GetMask()
	case p4config.MatchField_RANGE:
		out.Kind, out.Value, out.High = engine.MatchRange, m.GetRange().GetLow(), m.GetRange().GetHigh()
	case p4config.MatchField_OPTIONAL:
		out.Kind, out.Value = engine.MatchOptional, m.GetOptional().GetValue()
	}
	return out
}
