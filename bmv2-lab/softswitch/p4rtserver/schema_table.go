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
		if !ok && s.optimizedAway(t, sw) {
			s.removed[id] = name
			continue
		}
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
		if s.removed[c.GetDirectTableId()] != "" {
			continue
		}
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

// optimizedAway says whether a table that the program has not is one that the compiler found to
// be never applied, after it had written the P4Info: its actions are gone as well.
func (s *schema) optimizedAway(t *p4config.Table, sw *engine.Switch) bool {
	here := map[string]bool{}
	for _, et := range sw.Tables() {
		for _, a := range et.Actions() {
			here[a.Name] = true
		}
	}
	for _, ref := range t.GetActionRefs() {
		a := s.actions[ref.GetId()]
		if a == nil || a.name != "NoAction" && here[a.name] {
			return false
		}
	}
	return true
}

func (s *schema) bindTable(t *p4config.Table, et *engine.Table) (*table, error) {
	bound := &table{
		info: t, engine: et, key: key{byField: map[uint32]int{}}, actions: map[uint32]*p4config.ActionRef{},
		idle: t.GetIdleTimeoutBehavior() == p4config.Table_NOTIFY_CONTROL,
	}
	keys := et.Keys()
	if len(keys) != len(t.GetMatchFields()) {
		return nil, disagree("%d match fields, and the program's table has %d keys", len(t.GetMatchFields()), len(keys))
	}
	for i, m := range t.GetMatchFields() {
		if err := bound.bindField(m, keys[i], s); err != nil {
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
	return bound, s.bindImplementation(bound)
}

// bindImplementation finds a table's action profile.
func (s *schema) bindImplementation(t *table) error {
	id := t.info.GetImplementationId()
	if id == 0 {
		if t.engine.Profile() != nil {
			return disagree("no implementation, and the program's table has one")
		}
		return nil
	}
	t.profile = s.profiles[id]
	if t.profile == nil {
		return fail(codes.InvalidArgument, "no action profile has id %#x", id)
	}
	if t.engine.Profile() != t.profile.engine {
		return disagree("action profile %q is not that of the program's table", t.profile.engine.Name())
	}
	t.profile.join(t.actions)
	return nil
}

// matchKind is the engine's kind of a match field.
func matchKind(m *p4config.MatchField) (engine.MatchKind, error) {
	switch m.GetMatchType() {
	case p4config.MatchField_EXACT:
		return engine.MatchExact, nil
	case p4config.MatchField_LPM:
		return engine.MatchLPM, nil
	case p4config.MatchField_TERNARY:
		return engine.MatchTernary, nil
	case p4config.MatchField_RANGE:
		return engine.MatchRange, nil
	case p4config.MatchField_OPTIONAL:
		return engine.MatchOptional, nil
	}
	return 0, fail(codes.Unimplemented, "match type %s is not supported", m.GetMatchType())
}

// bindField adds a match field of a table. Both lists are in the order of the table's key.
func (t *table) bindField(m *p4config.MatchField, k engine.KeyInfo, s *schema) error {
	kind, err := matchKind(m)
	if err != nil {
		return err
	}
	// BMv2's JSON has ternary keys where the program has optional ones.
	if kind != k.Kind && !(kind == engine.MatchOptional && k.Kind == engine.MatchTernary) {
		return disagree("match type %s is not the program's", m.GetMatchType())
	}
	return t.add(m, kind, k.Width, s)
}

// add adds a match field; width is the program's, in bits.
func (k *key) add(m *p4config.MatchField, kind engine.MatchKind, width int, s *schema) error {
	strings := s.namesOf(m.GetTypeName())
	switch {
	case strings == nil:
	case kind != engine.MatchExact && kind != engine.MatchOptional:
		return fail(codes.Unimplemented, "type %q is translated to a string, which only exact and optional fields can match", m.GetTypeName().GetName())
	default:
		strings.fits(width)
	}
	bits := width // of an error, an enum or a string, to which the P4Info gives none
	if strings == nil && (m.GetBitwidth() != 0 || m.GetTypeName() != nil) {
		var err error
		if bits, err = checkWidth(m.GetBitwidth()); err != nil {
			return err
		}
	}
	// A translated type has a width of its own on the controller's side.
	if m.GetTypeName() == nil && bits != width {
		return disagree("%d bits, and %d in the program", bits, width)
	}
	if _, taken := k.byField[m.GetId()]; taken || m.GetId() == 0 {
		return fail(codes.InvalidArgument, "id %d is zero or taken", m.GetId())
	}
	k.byField[m.GetId()] = len(k.fields)
	k.fields = append(k.fields, field{id: m.GetId(), name: m.GetName(), kind: kind, width: bits, names: strings})
	return nil
}

// agrees says whether an action's parameters are the program's. Those of a translated type
// have a width of their own on the controller's side.
func (a *action) agrees(e engine.ActionInfo) error {
	if len(a.params) != len(e.Params) {
		return disagree("action %q has %d parameters, and %d in the program", a.name, len(a.params), len(e.Params))
	}
	for i := range a.params {
		p := &a.params[i]
		if p.names != nil {
			p.width = e.Params[i].Width
			p.names.fits(p.width)
		}
		if !p.translated && p.width != e.Params[i].Width {
			return disagree("action %q: parameter %q has %d bits, and %d in the program", a.name, p.name, p.width, e.Params[i].Width)
		}
	}
	return nil
}
