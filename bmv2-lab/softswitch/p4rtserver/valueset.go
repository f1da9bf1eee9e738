package p4rtserver

import (
	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

// Parser value sets: P4Runtime specification, section 9.6.

// valueSet is a value set as both sides know it.
type valueSet struct {
	key
	info   *p4config.ValueSet
	engine *engine.ValueSet
}

func (s *schema) bindValueSets(sw *engine.Switch) error {
	for _, v := range s.info.GetValueSets() {
		id, name, err := preamble("value set", v.GetPreamble())
		if err != nil {
			return err
		}
		ev, ok := sw.ValueSet(name)
		if !ok {
			return disagree("the program has no value set %q", name)
		}
		bound := &valueSet{key: key{byField: map[uint32]int{}}, info: v, engine: ev}
		if err := bound.bind(s); err != nil {
			return within(err, "value set %q", name)
		}
		s.valueSets[id] = bound
		s.valueSetOrder = append(s.valueSetOrder, id)
	}
	return nil
}

func (v *valueSet) bind(s *schema) error {
	widths := v.engine.Widths()
	if len(widths) != len(v.info.GetMatch()) {
		return disagree("%d match fields, and %d in the program", len(v.info.GetMatch()), len(widths))
	}
	for i, m := range v.info.GetMatch() {
		kind, err := matchKind(m)
		if err == nil {
			err = v.add(m, kind, widths[i], s)
		}
		if err != nil {
			return within(err, "match field %q", m.GetName())
		}
	}
	return nil
}

func (p *pipeline) findValueSet(id uint32) (*valueSet, error) {
	if id == 0 {
		return nil, fail(codes.InvalidArgument, "value set id is not set")
	}
	v := p.schema.valueSets[id]
	if v == nil {
		return nil, fail(codes.NotFound, "no value set has id %#x", id)
	}
	return v, nil
}

// writeValueSet replaces all members of a value set.
func (p *pipeline) writeValueSet(op p4.Update_Type, e *p4.ValueSetEntry) error {
	v, err := p.findValueSet(e.GetValueSetId())
	if err != nil {
		return err
	}
	return within(v.write(op, e.GetMembers()), "value set %q", v.engine.Name())
}

func (v *valueSet) write(op p4.Update_Type, members []*p4.ValueSetMember) error {
	if op != p4.Update_MODIFY {
		return fail(codes.InvalidArgument, "%s: value sets can only be modified", op)
	}
	if size := int(v.info.GetSize()); size > 0 && len(members) > size {
		return fail(codes.ResourceExhausted, "%d members are more than %d", len(members), size)
	}
	list, seen := make([][]engine.Match, 0, len(members)), make(map[string]bool, len(members))
	for i, m := range members {
		match, err := v.matchIn(m.GetMatch())
		if err != nil {
			return within(err, "member %d", i)
		}
		id := v.matchKey(match, 0)
		if seen[id] {
			return fail(codes.AlreadyExists, "member %d is there twice", i)
		}
		seen[id] = true
		list = append(list, match)
	}
	return v.engine.Set(list)
}

// readValueSet adds the value sets that a request selects, also empty ones.
func (p *pipeline) readValueSet(e *p4.ValueSetEntry, out entities) error {
	if len(e.GetMembers()) > 0 {
		return fail(codes.InvalidArgument, "value sets cannot be selected by their members")
	}
	ids := p.schema.valueSetOrder
	if id := e.GetValueSetId(); id != 0 {
		if _, err := p.findValueSet(id); err != nil {
			return err
		}
		ids = []uint32{id}
	}
	for _, id := range ids {
		v := p.schema.valueSets[id]
		entry := &p4.ValueSetEntry{ValueSetId: id}
		for _, m := range v.engine.Members() {
			entry.Members = append(entry.Members, &p4.ValueSetMember{Match: v.matchOut(m)})
		}
		out.add(&p4.Entity{Entity: &p4.Entity_ValueSetEntry{ValueSetEntry: entry}})
	}
	return nil
}
