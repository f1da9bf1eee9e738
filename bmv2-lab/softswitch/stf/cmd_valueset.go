package stf

import (
	"fmt"
	"math/big"
	"slices"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

// valueSetChange is pvs_add NAME VALUE and pvs_remove NAME VALUE. As in BMv2 it is no error to add
// what is there, or to remove what is not. The value has the bits of all parts of the select.
type valueSetChange struct {
	name, value string
	remove      bool
}

func parseValueSetAdd(s *scanner) command {
	return &valueSetChange{s.word("a value set"), s.field("the value"), false}
}

func parseValueSetRemove(s *scanner) command {
	return &valueSetChange{s.word("a value set"), s.field("the value"), true}
}

func (c *valueSetChange) run(x *run) error {
	v, err := x.schema.valueSet(c.name)
	if err != nil {
		return err
	}
	member, err := v.member(c.value)
	if err != nil {
		return fmt.Errorf("value set %s: %w", v.name, err)
	}
	same := func(m []engine.Match) bool { return memberText(m) == memberText(member) }
	list := slices.DeleteFunc(slices.Clone(x.valueSets[v.name]), same)
	if !c.remove {
		list = append(list, member)
	}
	return x.setValueSet(v, list)
}

func (x *run) setValueSet(v valueSet, members [][]engine.Match) error {
	if err := x.target.SetValueSet(v.name, members); err != nil {
		return err
	}
	x.valueSets[v.name] = members
	return nil
}

// member splits a value into the parts, the first of which has the most significant bits.
func (v valueSet) member(text string) ([]engine.Match, error) {
	width := 0
	for _, w := range v.parts {
		width += w
	}
	b, err := parseNumber(text, width)
	if err != nil {
		return nil, err
	}
	rest := new(big.Int).SetBytes(b)
	out := make([]engine.Match, len(v.parts))
	for i := len(v.parts) - 1; i >= 0; i-- {
		low := new(big.Int).And(rest, ones(v.parts[i]))
		out[i] = engine.Match{Kind: engine.MatchExact, Value: bigBytes(low)}
		rest.Rsh(rest, uint(v.parts[i]))
	}
	return out, nil
}

func memberText(m []engine.Match) string {
	var parts []string
	for _, p := range m {
		parts = append(parts, fmt.Sprintf("%#x", p.Value))
	}
	return fmt.Sprint(parts)
}

// valueSetClear is pvs_clear NAME.
type valueSetClear struct{ name string }

func parseValueSetClear(s *scanner) command { return &valueSetClear{s.word("a value set")} }

func (c *valueSetClear) run(x *run) error {
	v, err := x.schema.valueSet(c.name)
	if err != nil {
		return err
	}
	return x.setValueSet(v, nil)
}

// valueSetGet prints the members: pvs_get NAME.
type valueSetGet struct{ name string }

func parseValueSetGet(s *scanner) command { return &valueSetGet{s.word("a value set")} }

func (c *valueSetGet) run(x *run) error {
	v, err := x.schema.valueSet(c.name)
	if err != nil {
		return err
	}
	x.print("value set %s: %d members", v.name, len(x.valueSets[v.name]))
	for _, m := range x.valueSets[v.name] {
		x.print("  %s", memberText(m))
	}
	return nil
}
