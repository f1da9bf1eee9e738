package stf

import (
	"fmt"
	"strings"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

// pair is NAME:VALUE.
type pair struct{ name, value string }

// actionCall is NAME(PARAMETER:VALUE, …).
type actionCall struct {
	name string
	args []pair
}

func parseAction(s *scanner, name string) actionCall {
	c := actionCall{name: name}
	s.punct("(")
	for s.err == nil && !s.accept(")") {
		if len(c.args) > 0 {
			s.punct(",")
		}
		p := pair{name: s.word("a parameter")}
		s.punct(":")
		p.value = s.word("a value")
		c.args = append(c.args, p)
	}
	return c
}

// resolve finds the action and brings its arguments into their order.
func (c actionCall) resolve(x *run, t *table) (string, [][]byte, error) {
	a, err := x.schema.action(t, c.name)
	if err != nil {
		return "", nil, err
	}
	params := make([][]byte, len(a.params))
	for _, arg := range c.args {
		i, err := a.param(arg.name)
		if err != nil {
			return "", nil, err
		}
		if params[i] != nil {
			return "", nil, fmt.Errorf("action %s: parameter %s is there twice", a.name, arg.name)
		}
		if params[i], err = parseNumber(arg.value, a.params[i].Width); err != nil {
			return "", nil, fmt.Errorf("action %s: parameter %s: %w", a.name, arg.name, err)
		}
	}
	for i, v := range params {
		if v == nil {
			return "", nil, fmt.Errorf("action %s: parameter %s is missing", a.name, a.params[i].Name)
		}
	}
	return a.name, params, nil
}

// add is a table entry: add TABLE [PRIORITY] KEY:VALUE… ACTION(…) [= ID].
type add struct {
	table    string
	priority string // empty: none
	match    []pair
	action   actionCall
	id       string
}

func parseAdd(s *scanner) command {
	c := &add{table: s.word("a table")}
	for s.err == nil {
		w := s.word("a key or an action")
		switch {
		case s.err != nil:
		case s.accept(":"):
			c.match = append(c.match, pair{w, s.value("a value")})
		case len(c.match) == 0 && c.priority == "" && strings.Trim(w, "0123456789") == "":
			c.priority = w
		default:
			c.action = parseAction(s, w)
			if s.accept("=") {
				c.id = s.word("a name")
			}
			return c
		}
	}
	return c
}

// scriptTop relates the priorities of scripts to BMv2's, where the smaller wins: p4c's runner
// gives entry n the priority scriptTop - n.
const scriptTop = 10000

func (c *add) run(x *run) error {
	t, err := x.schema.table(c.table)
	if err != nil {
		return err
	}
	e := engine.Entry{}
	if e.Match, err = c.matches(t); err != nil {
		return err
	}
	if e.Priority, err = c.enginePriority(t); err != nil {
		return err
	}
	if e.Action, e.Params, err = c.action.resolve(x, t); err != nil {
		return err
	}
	if err := x.target.Insert(t.name, e); err != nil {
		return err
	}
	return x.added(t, e, c.id)
}

func (c *add) matches(t *table) ([]engine.Match, error) {
	out := make([]engine.Match, len(t.keys))
	for _, p := range c.match {
		i, err := t.key(p.name)
		if err != nil {
			return nil, err
		}
		if out[i].Kind != 0 {
			return nil, fmt.Errorf("key %s is there twice", t.keys[i].names[0])
		}
		if out[i], err = parseMatch(t.keys[i], p.value); err != nil {
			return nil, fmt.Errorf("key %s: %w", t.keys[i].names[0], err)
		}
	}
	for i, k := range t.keys {
		if out[i].Kind == 0 {
			out[i] = anyMatch(k)
		}
	}
	return out, nil
}

// enginePriority is ignored, as by p4c's runner, where the table has no use for it.
func (c *add) enginePriority(t *table) (int32, error) {
	if !t.ordered {
		return 0, nil
	}
	if c.priority == "" {
		return 0, fmt.Errorf("table %s: entries need a priority, which comes before the keys; the larger wins", t.name)
	}
	var s scanner
	n := s.parseNumber("the priority", c.priority, scriptTop)
	return int32(engine.TopPriority-scriptTop) + int32(n), s.err
}

// setDefault is the default entry: setdefault TABLE ACTION(…).
type setDefault struct {
	table  string
	action actionCall
}

func parseSetDefault(s *scanner) command {
	c := &setDefault{table: s.word("a table")}
	c.action = parseAction(s, s.word("an action"))
	return c
}

func (c *setDefault) run(x *run) error {
	t, err := x.schema.table(c.table)
	if err != nil {
		return err
	}
	name, params, err := c.action.resolve(x, t)
	if err != nil {
		return err
	}
	return x.target.SetDefault(t.name, name, params)
}

// tableDump prints a table's entries: table_dump TABLE.
type tableDump struct{ table string }

func parseTableDump(s *scanner) command { return &tableDump{s.word("a table")} }

func (c *tableDump) run(x *run) error {
	t, err := x.schema.table(c.table)
	if err != nil {
		return err
	}
	entries, err := x.target.Entries(t.name)
	if err != nil {
		return err
	}
	x.print("table %s: %d entries", t.name, len(entries))
	for _, e := range entries {
		x.print("  %s", entryText(t, e))
	}
	return nil
}

// entryText shows an entry in the language of add, but with the target's priority.
func entryText(t *table, e engine.Entry) string {
	var parts []string
	for i, m := range e.Match {
		v := fmt.Sprintf("%#x", m.Value)
		switch {
		case m.Any:
			v = "*"
		case m.Kind == engine.MatchLPM:
			v += fmt.Sprintf("/%d", m.PrefixLen)
		case m.Kind == engine.MatchTernary:
			v += fmt.Sprintf("&&&%#x", m.Mask)
		case m.Kind == engine.MatchRange:
			v += fmt.Sprintf("->%#x", m.High)
		}
		parts = append(parts, t.keys[i].names[0]+":"+v)
	}
	var args []string
	for i, v := range e.Params {
		name := fmt.Sprint(i)
		for _, a := range t.actions {
			if a.name == e.Action {
				name = a.params[i].Name
			}
		}
		args = append(args, fmt.Sprintf("%s:%#x", name, v))
	}
	text := e.Action + "(" + strings.Join(args, ", ") + ")"
	switch e.Indirect {
	case engine.IndirectMember:
		text = fmt.Sprintf("member %d", handleOf(e.Member))
	case engine.IndirectGroup:
		text = fmt.Sprintf("group %d", handleOf(e.Group))
	}
	return strings.Join(append(parts, text), " ")
}
