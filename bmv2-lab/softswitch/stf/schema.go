package stf

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"
	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

// schema is what a program calls its objects. It is immutable.
type schema struct {
	tables    []*table
	profiles  []*profile
	counters  []bmjson.Counter
	meters    []bmjson.Meter
	registers []bmjson.Register
	valueSets []valueSet
	// aliases leads from P4Info's short names to full names.
	aliases map[string]string
}

type table struct {
	name    string
	keys    []key
	actions []action
	// ordered says that entries have a priority.
	ordered bool
	profile *profile // nil: entries have actions of their own
}

// profile is an action profile; its members can have the actions of the tables that use it.
type profile struct {
	name     string
	selector bool
	table    *table // one that uses it
}

// valueSet is a parser value set.
type valueSet struct {
	name  string
	parts []int // widths in bits
}

// key is a key of a table: its name in the program, and perhaps another one in the P4Info.
type key struct {
	names []string
	kind  engine.MatchKind
	width int // bits
}

type action struct {
	name   string
	params []bmjson.Param
}

// newSchema takes the names from the program alone.
func newSchema(p *bmjson.Program) *schema {
	s := &schema{counters: p.Counters, meters: p.Meters, registers: p.Registers, aliases: map[string]string{}}
	for _, pipeline := range []*bmjson.Pipeline{&p.Ingress, &p.Egress} {
		s.addPipeline(p, pipeline)
	}
	for i, v := range p.ValueSets {
		s.valueSets = append(s.valueSets, valueSet{v.Name, partsOf(p, i)})
	}
	return s
}

func (s *schema) addPipeline(p *bmjson.Program, pipeline *bmjson.Pipeline) {
	profiles := make([]*profile, len(pipeline.Profiles))
	for i, x := range pipeline.Profiles {
		profiles[i] = &profile{name: x.Name, selector: x.Selector}
	}
	for _, t := range pipeline.Tables {
		x := newTable(p, t)
		if t.Kind != bmjson.TableSimple {
			x.profile = profiles[t.Profile]
			x.profile.table = x
		}
		s.tables = append(s.tables, x)
	}
	for _, x := range profiles {
		if x.table != nil {
			s.profiles = append(s.profiles, x)
		}
	}
}

func newTable(p *bmjson.Program, t bmjson.Table) *table {
	x := &table{name: t.Name}
	for _, k := range t.Keys {
		kind := [...]engine.MatchKind{engine.MatchExact, engine.MatchLPM, engine.MatchTernary, engine.MatchRange}[k.Kind]
		x.keys = append(x.keys, key{[]string{k.Name}, kind, k.Width})
		x.ordered = x.ordered || kind == engine.MatchTernary || kind == engine.MatchRange
	}
	for _, a := range t.Actions {
		x.actions = append(x.actions, action{p.Actions[a].Name, p.Actions[a].Params})
	}
	return x
}

// partsOf finds out about a value set how the select that uses it is made up.
func partsOf(p *bmjson.Program, set int) []int {
	for _, st := range p.Parser.States {
		if !slices.ContainsFunc(st.Transitions, func(t bmjson.Transition) bool { return t.ValueSet == set }) {
			continue
		}
		var parts []int
		for _, k := range st.Key {
			parts = append(parts, k.Width)
		}
		return parts
	}
	return []int{p.ValueSets[set].Width}
}

// resolve finds what a script calls name among the full names: the same name, P4Info's alias
// for it, what ends in it behind a dot, or, as p4c's runner has it, what ends in it at all.
func (s *schema) resolve(what, name string, full []string) (int, error) {
	rules := []func(string) bool{
		func(n string) bool { return n == name },
		func(n string) bool { return n == s.aliases[name] },
		func(n string) bool { return strings.HasSuffix(n, "."+name) },
		func(n string) bool { return strings.HasSuffix(n, name) },
	}
	for _, fits := range rules {
		var found []int
		for i, n := range full {
			if fits(n) && (len(found) == 0 || full[found[0]] != n) {
				found = append(found, i)
			}
		}
		switch len(found) {
		case 0:
		case 1:
			return found[0], nil
		default:
			return 0, fmt.Errorf("%s %q could be %q or %q", what, name, full[found[0]], full[found[1]])
		}
	}
	return 0, fmt.Errorf("there is no %s %q%s", what, name, among(full))
}

// among lists the names that there are, if they are few.
func among(full []string) string {
	const few = 8
	if len(full) == 0 || len(full) > few {
		return ""
	}
	return " (there is " + strings.Join(full, ", ") + ")"
}

func namesOf[T any](list []T, name func(T) string) []string {
	out := make([]string, len(list))
	for i, x := range list {
		out[i] = name(x)
	}
	return out
}

func counterName(c bmjson.Counter) string   { return c.Name }
func meterName(m bmjson.Meter) string       { return m.Name }
func registerName(r bmjson.Register) string { return r.Name }

func (s *schema) table(name string) (*table, error) {
	i, err := s.resolve("table", name, namesOf(s.tables, func(t *table) string { return t.name }))
	if err != nil {
		return nil, err
	}
	return s.tables[i], nil
}

func (s *schema) counter(name string) (bmjson.Counter, error) {
	i, err := s.resolve("counter", name, namesOf(s.counters, counterName))
	if err != nil {
		return bmjson.Counter{}, err
	}
	return s.counters[i], nil
}

func (s *schema) register(name string) (bmjson.Register, error) {
	i, err := s.resolve("register", name, namesOf(s.registers, registerName))
	if err != nil {
		return bmjson.Register{}, err
	}
	return s.registers[i], nil
}

func (s *schema) meter(name string) (bmjson.Meter, error) {
	i, err := s.resolve("meter", name, namesOf(s.meters, meterName))
	if err != nil {
		return bmjson.Meter{}, err
	}
	return s.meters[i], nil
}

func (s *schema) profile(name string) (*profile, error) {
	i, err := s.resolve("action profile", name, namesOf(s.profiles, func(p *profile) string { return p.name }))
	if err != nil {
		return nil, err
	}
	return s.profiles[i], nil
}

func (s *schema) valueSet(name string) (valueSet, error) {
	i, err := s.resolve("value set", name, namesOf(s.valueSets, func(v valueSet) string { return v.name }))
	if err != nil {
		return valueSet{}, err
	}
	return s.valueSets[i], nil
}

func (s *schema) action(t *table, name string) (action, error) {
	i, err := s.resolve("action", name, namesOf(t.actions, func(a action) string { return a.name }))
	if err != nil {
		return action{}, fmt.Errorf("table %s: %w", t.name, err)
	}
	return t.actions[i], nil
}

// validSuffix ends the names of keys that are a header's validity.
const validSuffix = ".$valid$"

// stackIndex is the way to write h[1].f without brackets: h$1.f.
var stackIndex = regexp.MustCompile(`\$([0-9]+)`)

// key finds a key by name, by the rules of p4c's runner: the name itself; what ends in the name,
// the first if there are several; "valid" alone for any header's validity. A header's name, or
// NAME.valid, stands for its validity.
func (t *table) key(name string) (int, error) {
	name = stackIndex.ReplaceAllString(name, "[$1]")
	header := strings.TrimSuffix(name, ".valid")
	rules := []func(string) bool{
		func(n string) bool { return n == name || n == name+"$" },
		func(n string) bool { return n == header+validSuffix },
		func(n string) bool { return strings.HasSuffix(n, "."+name) || strings.HasSuffix(n, "."+name+"$") },
		func(n string) bool { return strings.HasSuffix(n, "."+header+validSuffix) },
		func(n string) bool { return name == "valid" && strings.HasSuffix(n, validSuffix) },
	}
	for _, fits := range rules {
		for i, k := range t.keys {
			if slices.ContainsFunc(k.names, fits) {
				return i, nil
			}
		}
	}
	return 0, fmt.Errorf("table %s has no key %q%s", t.name, name, among(namesOf(t.keys, func(k key) string { return k.names[0] })))
}

func (a action) param(name string) (int, error) {
	i := slices.IndexFunc(a.params, func(p bmjson.Param) bool { return p.Name == name })
	if i < 0 {
		return 0, fmt.Errorf("action %s has no parameter %q%s", a.name, name,
			among(namesOf(a.params, func(p bmjson.Param) string { return p.Name })))
	}
	return i, nil
}
