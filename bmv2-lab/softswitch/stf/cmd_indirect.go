package stf

import (
	"fmt"
	"strings"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

// indirectAdd is table_indirect_add TABLE VALUE… => MEMBER [PRIORITY], with the values in the keys'
// order, and table_indirect_add_with_group with a group. The priority is BMv2's: the smaller
// wins.
type indirectAdd struct {
	table    string
	values   []string
	kind     engine.IndirectKind
	handle   uint32
	priority string // empty: none
}

func parseIndirectAdd(s *scanner) command { return parseIndirect(s, engine.IndirectMember) }

func parseIndirectAddGroup(s *scanner) command { return parseIndirect(s, engine.IndirectGroup) }

func kindName(k engine.IndirectKind) string {
	if k == engine.IndirectGroup {
		return "group"
	}
	return "member"
}

func parseIndirect(s *scanner, kind engine.IndirectKind) command {
	c := &indirectAdd{table: s.word("a table"), kind: kind}
	for s.more() && !s.accept("=>") {
		c.values = append(c.values, s.field("a value"))
	}
	c.handle = parseObjectHandle(s, kindName(kind))
	if s.more() {
		c.priority = s.field("the priority")
	}
	return c
}

func (c *indirectAdd) run(x *run) error {
	t, err := x.schema.table(c.table)
	if err != nil {
		return err
	}
	if err := x.checkTarget(t, c.kind, c.handle); err != nil {
		return err
	}
	if len(c.values) != len(t.keys) {
		return fmt.Errorf("table %s has %d keys, and there are %d values", t.name, len(t.keys), len(c.values))
	}
	e := engine.Entry{Indirect: c.kind}
	if c.kind == engine.IndirectMember {
		e.Member = idOf(c.handle)
	} else {
		e.Group = idOf(c.handle)
	}
	for i, k := range t.keys {
		m, err := parseMatch(k, c.values[i])
		if err != nil {
			return fmt.Errorf("key %s: %w", k.names[0], err)
		}
		e.Match = append(e.Match, m)
	}
	if e.Priority, err = c.enginePriority(t); err != nil {
		return err
	}
	if err := x.target.Insert(t.name, e); err != nil {
		return err
	}
	return x.added(t, e, "")
}

// checkTarget makes sure that a table's profile has a member or a group.
func (x *run) checkTarget(t *table, kind engine.IndirectKind, handle uint32) error {
	_, st, err := profileRef{t.name, true}.resolve(x)
	if err != nil {
		return err
	}
	return st.has(kindName(kind), handle)
}

func (c *indirectAdd) enginePriority(t *table) (int32, error) {
	switch {
	case !t.ordered && c.priority != "":
		return 0, fmt.Errorf("table %s: entries have no priority", t.name)
	case !t.ordered:
		return 0, nil
	case strings.TrimSpace(c.priority) == "":
		return 0, fmt.Errorf("table %s: entries need a priority, which comes last; the smaller wins", t.name)
	}
	var s scanner
	n := s.parseNumber("the priority", c.priority, engine.TopPriority-1)
	return engine.TopPriority - int32(n), s.err
}

// indirectDefault is table_indirect_set_default TABLE MEMBER, and …_with_group TABLE GROUP.
type indirectDefault struct {
	table  string
	kind   engine.IndirectKind
	handle uint32
}

func parseIndirectDefault(s *scanner) command {
	return &indirectDefault{s.word("a table"), engine.IndirectMember, parseObjectHandle(s, "member")}
}

func parseIndirectDefaultGroup(s *scanner) command {
	return &indirectDefault{s.word("a table"), engine.IndirectGroup, parseObjectHandle(s, "group")}
}

func (c *indirectDefault) run(x *run) error {
	t, err := x.schema.table(c.table)
	if err != nil {
		return err
	}
	if err := x.checkTarget(t, c.kind, c.handle); err != nil {
		return err
	}
	return x.target.SetDefaultIndirect(t.name, c.kind, idOf(c.handle))
}
