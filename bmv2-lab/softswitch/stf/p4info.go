package stf

import (
	"fmt"
	"slices"
	"strings"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	"google.golang.org/protobuf/encoding/prototext"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

// addP4Info makes sure that a P4Info, in text format, belongs to the program, and takes its
// names of objects and match fields.
func (s *schema) addP4Info(text []byte) error {
	info := &p4config.P4Info{}
	if err := prototext.Unmarshal(text, info); err != nil {
		return err
	}
	actions := map[uint32]*p4config.Action{}
	for _, a := range info.GetActions() {
		actions[a.GetPreamble().GetId()] = a
		s.alias(a.GetPreamble())
	}
	if err := s.tablesInfo(info, actions); err != nil {
		return err
	}
	counters, registers, meters := namesOf(s.counters, counterName), namesOf(s.registers, registerName), namesOf(s.meters, meterName)
	for _, c := range info.GetCounters() {
		if err := s.object("counter", c.GetPreamble(), counters); err != nil {
			return err
		}
	}
	for _, c := range info.GetDirectCounters() {
		if err := s.object("counter", c.GetPreamble(), counters); err != nil {
			return err
		}
	}
	for _, r := range info.GetRegisters() {
		if err := s.object("register", r.GetPreamble(), registers); err != nil {
			return err
		}
	}
	for _, m := range info.GetMeters() {
		if err := s.object("meter", m.GetPreamble(), meters); err != nil {
			return err
		}
	}
	for _, m := range info.GetDirectMeters() {
		if err := s.object("meter", m.GetPreamble(), meters); err != nil {
			return err
		}
	}
	// p4c removes unreachable tables from the JSON, and their profiles, and unused value sets.
	for _, p := range info.GetActionProfiles() {
		s.alias(p.GetPreamble())
	}
	for _, v := range info.GetValueSets() {
		s.alias(v.GetPreamble())
	}
	return nil
}

// disagree is the error of a P4Info that was made from another program.
func disagree(format string, args ...any) error {
	return fmt.Errorf(format+"; were the program and the P4Info compiled together?", args...)
}

// tablesInfo compares the tables. p4c lists those in the P4Info that it removes from the JSON
// later because nothing can reach them, so single ones may be missing, but not all.
func (s *schema) tablesInfo(info *p4config.P4Info, actions map[uint32]*p4config.Action) error {
	missing := 0
	for _, t := range info.GetTables() {
		s.alias(t.GetPreamble())
		name := t.GetPreamble().GetName()
		i := slices.IndexFunc(s.tables, func(t *table) bool { return t.name == name })
		if i < 0 {
			missing++
			continue
		}
		if err := s.tables[i].agree(t, actions); err != nil {
			return disagree("table %q: %w", name, err)
		}
	}
	// The tables that p4c makes by itself have no control's name before theirs.
	written := slices.ContainsFunc(s.tables, func(t *table) bool { return strings.Contains(t.name, ".") })
	if missing > 0 && missing == len(info.GetTables()) && written {
		return disagree("the program has none of the tables, of which the first is %q", info.GetTables()[0].GetPreamble().GetName())
	}
	return nil
}

// alias takes note of a short name, unless two objects share it.
func (s *schema) alias(p *p4config.Preamble) {
	switch full, taken := s.aliases[p.GetAlias()]; {
	case p.GetAlias() == "":
	case taken && full != p.GetName():
		s.aliases[p.GetAlias()] = ""
	default:
		s.aliases[p.GetAlias()] = p.GetName()
	}
}

// object makes sure that the program has an object of the P4Info.
func (s *schema) object(what string, p *p4config.Preamble, full []string) error {
	s.alias(p)
	if !slices.Contains(full, p.GetName()) {
		return disagree("the program has no %s %q", what, p.GetName())
	}
	return nil
}

// agree compares a table's keys and actions.
func (t *table) agree(info *p4config.Table, actions map[uint32]*p4config.Action) error {
	if len(t.keys) != len(info.GetMatchFields()) {
		return fmt.Errorf("%d match fields, and the program's table has %d keys", len(info.GetMatchFields()), len(t.keys))
	}
	for i, m := range info.GetMatchFields() {
		k := &t.keys[i]
		if kind := matchKind(m); kind != k.kind {
			return fmt.Errorf("match field %q: %s is not the program's match kind", m.GetName(), m.GetMatchType())
		}
		// A translated type has a width of its own, and a type such as error has none.
		if w := int(m.GetBitwidth()); w != 0 && m.GetTypeName() == nil && w != k.width {
			return fmt.Errorf("match field %q: %d bits, and %d in the program", m.GetName(), m.GetBitwidth(), k.width)
		}
		if m.GetName() != k.names[0] {
			k.names = append(k.names, m.GetName())
		}
	}
	for _, ref := range info.GetActionRefs() {
		if err := t.agreeAction(actions[ref.GetId()]); err != nil {
			return err
		}
	}
	return nil
}

// matchKind is the kind in BMv2's JSON, which has ternary keys for optional ones.
func matchKind(m *p4config.MatchField) engine.MatchKind {
	return map[p4config.MatchField_MatchType]engine.MatchKind{
		p4config.MatchField_EXACT: engine.MatchExact, p4config.MatchField_LPM: engine.MatchLPM,
		p4config.MatchField_TERNARY: engine.MatchTernary, p4config.MatchField_OPTIONAL: engine.MatchTernary,
		p4config.MatchField_RANGE: engine.MatchRange,
	}[m.GetMatchType()]
}

func (t *table) agreeAction(info *p4config.Action) error {
	if info == nil {
		return fmt.Errorf("an action of the table is not there")
	}
	name := info.GetPreamble().GetName()
	for _, a := range t.actions {
		if a.name != name {
			continue
		}
		if len(a.params) != len(info.GetParams()) {
			return fmt.Errorf("action %q has %d parameters, and %d in the program", name, len(info.GetParams()), len(a.params))
		}
		for i, p := range info.GetParams() {
			if w := int(p.GetBitwidth()); w != 0 && p.GetTypeName() == nil && w != a.params[i].Width {
				return fmt.Errorf("action %q: parameter %q has %d bits, and %d in the program",
					name, p.GetName(), p.GetBitwidth(), a.params[i].Width)
			}
		}
		return nil
	}
	return fmt.Errorf("the program's table has no action %q", name)
}
