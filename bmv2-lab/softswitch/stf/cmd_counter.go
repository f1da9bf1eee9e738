package stf

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

// checkCounter compares a counter: check_counter NAME(INDEX) [packets|bytes OP NUMBER]. INDEX is
// a number, or $ID for the direct counter of an entry.
type checkCounter struct {
	name, index string
	unit, op    string // empty: the counter only has to be there
	want        uint64
}

func parseCheckCounter(s *scanner) command {
	c := &checkCounter{name: s.word("a counter")}
	s.punct("(")
	c.index = s.word("an index")
	s.punct(")")
	if !s.more() {
		return c
	}
	c.unit = strings.ToLower(s.word("packets or bytes"))
	if s.err == nil && c.unit != "packets" && c.unit != "bytes" {
		s.fail("%q is neither packets nor bytes", c.unit)
	}
	for _, op := range []string{"==", "!=", "<=", "<", ">=", ">"} {
		if s.accept(op) {
			c.op = op
			break
		}
	}
	if c.op == "" {
		s.fail("a comparison (== != <= < >= >) is expected and there is %s", s.next())
	}
	c.want = s.number("the number", math.MaxUint64)
	return c
}

func (c *checkCounter) run(x *run) error {
	x.result.Expectations++
	cell, err := x.counterCell(c.name, c.index)
	if err != nil {
		return err
	}
	d, err := cell.read()
	if err != nil || c.op == "" {
		return err
	}
	got := d.Packets
	if c.unit == "bytes" {
		got = d.Bytes
	}
	holds := map[string]bool{"==": got == c.want, "!=": got != c.want, "<": got < c.want,
		"<=": got <= c.want, ">": got > c.want, ">=": got >= c.want}[c.op]
	if !holds {
		return fmt.Errorf("counter %s: expected %s %s %d, got %d (it has %d packets, %d bytes)",
			cell.text, c.unit, c.op, c.want, got, d.Packets, d.Bytes)
	}
	return nil
}

// cell is one counter, direct or indirect.
type cell struct {
	text  string // its name
	read  func() (engine.CounterData, error)
	write func(engine.CounterData) error
}

// counterCell finds NAME(INDEX). With a direct counter, INDEX is the name of an entry, or
// its handle: its place among the table's entries.
func (x *run) counterCell(name, index string) (cell, error) {
	c, err := x.schema.counter(name)
	if err != nil {
		return cell{}, err
	}
	out := cell{text: fmt.Sprintf("%s(%s)", c.Name, index)}
	if c.Direct {
		e, err := x.entryOf("counter "+c.Name, c.Binding, index)
		if err != nil {
			return out, err
		}
		out.read = func() (engine.CounterData, error) { return x.target.DirectCounter(c.Binding, e) }
		out.write = func(d engine.CounterData) error { return x.target.SetDirectCounter(c.Binding, e, d) }
		return out, nil
	}
	n, err := strconv.ParseUint(trimZeros(index), 0, 31)
	if err != nil {
		return out, fmt.Errorf("counter %s: %q is not an index; only direct counters belong to entries", c.Name, index)
	}
	out.read = func() (engine.CounterData, error) { return x.target.Counter(c.Name, int(n)) }
	out.write = func(d engine.CounterData) error { return x.target.SetCounter(c.Name, int(n), d) }
	return out, nil
}

// counterRead prints a counter: counter_read NAME INDEX.
type counterRead struct{ name, index string }

func parseCounterRead(s *scanner) command {
	return &counterRead{s.word("a counter"), s.field("the index")}
}

func (c *counterRead) run(x *run) error {
	cell, err := x.counterCell(c.name, c.index)
	if err != nil {
		return err
	}
	d, err := cell.read()
	if err == nil {
		x.print("counter %s: %d packets, %d bytes", cell.text, d.Packets, d.Bytes)
	}
	return err
}

// counterWrite sets a counter: counter_write NAME INDEX PACKETS BYTES.
type counterWrite struct {
	name, index string
	data        engine.CounterData
}

func parseCounterWrite(s *scanner) command {
	c := &counterWrite{name: s.word("a counter"), index: s.field("the index")}
	c.data.Packets = s.number("the packets", math.MaxUint64)
	c.data.Bytes = s.number("the bytes", math.MaxUint64)
	return c
}

func (c *counterWrite) run(x *run) error {
	cell, err := x.counterCell(c.name, c.index)
	if err != nil {
		return err
	}
	return cell.write(c.data)
}

// counterReset sets all counters of an array, or of a table's entries, to 0: counter_reset NAME.
type counterReset struct{ name string }

func parseCounterReset(s *scanner) command { return &counterReset{s.word("a counter")} }

func (c *counterReset) run(x *run) error {
	found, err := x.schema.counter(c.name)
	if err != nil {
		return err
	}
	for _, i := range x.cells(found.Direct, found.Binding, found.Size) {
		cell, err := x.counterCell(found.Name, i)
		if err == nil {
			err = cell.write(engine.CounterData{})
		}
		if err != nil {
			return err
		}
	}
	return nil
}
