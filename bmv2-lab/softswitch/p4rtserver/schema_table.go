package p4rtserver

import (
	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	"google.golang.org/grpc/codes"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

func (s *schema) bindTables(sw *engine.Switch) error {
	for _, t := range s.info.GetTables() {
		id, name, err := preamble("table", t.GetPreamble())
		if err != nil {
			return err
		}
		et, ok := sw.Table(name)
		if !ok {
			return disagree("the program has no table %q", name)
		}
		bound, err := s.bindTable(t, et)
		if err != nil {
			return within(err, "table %q", name)
		}
		bound.id = id
		s.tables[id] = bound
		s.tableOrder = append(s.tableOrder, id)
	}
	for _, c := range s.info.GetDirectCounters() {
		t := s.tables[c.GetDirectTableId()]
		if t == nil {
			return fail(codes.InvalidArgument, "direct counter %q: no table has id %#x", c.GetPreamble().GetName(), c.GetDirectTableId())
		}
		if !t.engine.HasCounter() {
			return disagree("the program's table %q has no direct counter", t.engine.Name())
		}
		t.counter = true
	}
	return nil
}

func (s *schema) bindTable(t *p4config.Table, et *engine.Table) (*table, error) {
	bound := &table{
		info: t, engine: et, byField: map[uint32]int{}, actions: map[uint32]*p4config.ActionRef{},
		idle:     t.GetIdleTimeoutBehavior() == p4config.Table_NOTIFY_CONTROL,
		indirect: t.GetImplementationId() != 0,
	}
	keys := et.Keys()
	if len(keys) != len(t.GetMatchFields()) {
		return nil, disagree("%d match fields, and the program's table has %d keys", len(t.GetMatchFields()), len(keys))
	}
	for i, m := range t.GetMatchFields() {
		if err := bound.bindField(m, keys[i], s.info); err != nil {
			return nil, within(err, "match field %q", m.GetName())
		}
	}
	known := make(map[string]engine.ActionInfo, len(et.Actions()))
	for _, a := range et.Actions() {
		known[a.Name] = a
	}
	for _, ref := range t.GetActionRefs() {
		act := s.actions[ref.GetId()]
		if act == nil {
			return nil, fail(codes.InvalidArgument, "no action has id %#x", ref.GetId())
		}
		ea, ok := known[act.name]
		if !ok {
			return nil, disagree("the program's table has no action %q", act.name)
		}
		if err := act.agrees(ea); err != nil {
			return nil, err
		}
		bound.actions[act.id] = ref
	}
	return bound, nil
}

// bindField adds a match field. Both lists are in the order of the table's key.
func (t *table) bindField(m *p4config.MatchField, k engine.KeyInfo, info *p4config.P4Info) error {
	kinds := map[p4config.MatchField_MatchType]engine.MatchKind{
		p4config.MatchField_EXACT: engine.MatchExact, p4config.MatchField_LPM: engine.MatchLPM,
		p4config.MatchField_TERNARY: engine.MatchTernary, p4config.MatchField_RANGE: engine.MatchRange,
		p4config.MatchField_OPTIONAL: engine.MatchOptional,
	}
	kind, ok := kinds[m.GetMatchType()]
	if !ok {
		return fail(codes.Unimplemented, "match type %s is not supported", m.GetMatchType())
	}
	// BMv2's JSON has ternary keys where the program has optional ones.
	if kind != k.Kind && !(kind == engine.MatchOptional && k.Kind == engine.MatchTernary) {
		return disagree("match type %s is not the program's", m.GetMatchType())
	}
	if err := plainType(m.GetTypeName(), info); err != nil {
		return err
	}
	width, err := checkWidth(m.GetBitwidth())
	if err != nil {
		return err
	}
	// A translated type has a width of its own on the controller's side.
	if m.GetTypeName() == nil && width != k.Width {
		return disagree("%d bits, and %d in the program", m.GetBitwidth(), k.Width)
	}
	if _, taken := t.byField[m.GetId()]; taken || m.GetId() == 0 {
		return fail(codes.InvalidArgument, "id %d is zero or taken", m.GetId())
	}
	t.byField[m.GetId()] = len(t.fields)
	t.fields = append(t.fields, field{id: m.GetId(), name: m.GetName(), kind: kind, width: width})
	return nil
}

// agrees says whether an action's parameters are the program's. Those of a translated type
// have a width of their own on the controller's side.
func (a *action) agrees(e engine.ActionInfo) error {
	if len(a.params) != len(e.Params) {
		return disagree("action %q has %d parameters, and %d in the program", a.name, len(a.params), len(e.Params))
	}
	for i, p := range a.params {
		if !p.translated && p.width != e.Params[i].Width {
			return disagree("action %q: parameter %q has %d bits, and %d in the program", a.name, p.name, p.width, e.Params[i].Width)
		}
	}
	return nil
}
