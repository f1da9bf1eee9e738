package stf

import (
	"fmt"
	"math"
	"math/big"
)

// registerRead prints a cell, or all: register_read NAME [INDEX].
type registerRead struct {
	name  string
	index int // -1: all
}

func parseRegisterRead(s *scanner) command {
	c := &registerRead{s.word("a register"), -1}
	if s.more() {
		c.index = int(s.number("the index", math.MaxInt32))
	}
	return c
}

func (c *registerRead) run(x *run) error {
	r, err := x.schema.register(c.name)
	if err != nil {
		return err
	}
	first, end := c.index, c.index+1
	if c.index < 0 {
		first, end = 0, r.Size
	}
	for i := first; i < end; i++ {
		v, err := x.target.Register(r.Name, i)
		if err != nil {
			return err
		}
		x.print("register %s[%d] = %d", r.Name, i, new(big.Int).SetBytes(v))
	}
	return nil
}

// registerWrite sets a cell: register_write NAME INDEX VALUE.
type registerWrite struct {
	name  string
	index int
	value string
}

func parseRegisterWrite(s *scanner) command {
	return &registerWrite{s.word("a register"), int(s.number("the index", math.MaxInt32)), s.field("the value")}
}

func (c *registerWrite) run(x *run) error {
	r, err := x.schema.register(c.name)
	if err != nil {
		return err
	}
	v, err := parseNumber(c.value, r.Width)
	if err != nil {
		return fmt.Errorf("register %s: %w", r.Name, err)
	}
	return x.target.SetRegister(r.Name, c.index, v)
}

// registerReset sets all cells to 0: register_reset NAME.
type registerReset struct{ name string }

func parseRegisterReset(s *scanner) command { return &registerReset{s.word("a register")} }

func (c *registerReset) run(x *run) error {
	r, err := x.schema.register(c.name)
	if err != nil {
		return err
	}
	for i := range r.Size {
		if err := x.target.SetRegister(r.Name, i, []byte{0}); err != nil {
			return err
		}
	}
	return nil
}
