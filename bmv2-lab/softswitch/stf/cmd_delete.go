package stf

import (
	"strings"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

// remove deletes the entries that are not constant: remove all.
type remove struct{}

func parseRemove(s *scanner) command {
	if what := s.word("all"); s.err == nil && !strings.EqualFold(what, "all") {
		s.fail("%q: only \"remove all\" is possible", what)
	}
	return remove{}
}

func (remove) run(x *run) error {
	for _, t := range x.schema.tables {
		if err := x.clear(t); err != nil {
			return err
		}
	}
	return nil
}

// clear deletes a table's entries that are not constant.
func (x *run) clear(t *table) error {
	for _, e := range x.handles[t.name] {
		if e == nil || e.Const {
			continue
		}
		if err := x.delete(t, *e); err != nil {
			return err
		}
	}
	return nil
}

func (x *run) delete(t *table, e engine.Entry) error {
	if err := x.target.Delete(t.name, e); err != nil {
		return err
	}
	x.deleted(t, e)
	return nil
}

// tableClear is table_clear TABLE.
type tableClear struct{ table string }

func parseTableClear(s *scanner) command { return &tableClear{s.word("a table")} }

func (c *tableClear) run(x *run) error {
	t, err := x.schema.table(c.table)
	if err != nil {
		return err
	}
	return x.clear(t)
}

// tableDelete is table_delete TABLE ENTRY, and table_indirect_delete.
type tableDelete struct{ table, entry string }

func parseTableDelete(s *scanner) command {
	return &tableDelete{s.word("a table"), s.field("an entry")}
}

func (c *tableDelete) run(x *run) error {
	t, err := x.schema.table(c.table)
	if err != nil {
		return err
	}
	e, err := x.entryOf("the entry", t.name, c.entry)
	if err != nil {
		return err
	}
	return x.delete(t, e)
}

// tableResetDefault is table_reset_default TABLE, and table_indirect_reset_default.
type tableResetDefault struct{ table string }

func parseTableResetDefault(s *scanner) command { return &tableResetDefault{s.word("a table")} }

func (c *tableResetDefault) run(x *run) error {
	t, err := x.schema.table(c.table)
	if err != nil {
		return err
	}
	return x.target.ResetDefault(t.name)
}
