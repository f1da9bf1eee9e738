package engine

import (
	"fmt"
	"slices"
)

// Counter is an indirect counter array. Every cell counts packets and bytes.
type Counter struct {
	sw    *Switch
	name  string
	cells []CounterData // guarded by sw.state
}

// Name is the counter's P4 name.
func (c *Counter) Name() string { return c.name }

// Size is the number of cells.
func (c *Counter) Size() int { return len(c.cells) }

func (c *Counter) check(index int) error {
	if index < 0 || index >= len(c.cells) {
		return fmt.Errorf("counter %s: cell %d of %d: %w", c.name, index, len(c.cells), ErrNotFound)
	}
	return nil
}

// Read returns one cell: ErrNotFound if there is none.
func (c *Counter) Read(index int) (CounterData, error) {
	if err := c.check(index); err != nil {
		return CounterData{}, err
	}
	c.sw.state.Lock()
	defer c.sw.state.Unlock()
	return c.cells[index], nil
}

// ReadRange copies cells from index on into dst, as they stood between two packets, and
// returns how many there were.
func (c *Counter) ReadRange(index int, dst []CounterData) int {
	if c.check(index) != nil {
		return 0
	}
	c.sw.state.Lock()
	defer c.sw.state.Unlock()
	return copy(dst, c.cells[index:])
}

// Write sets one cell: ErrNotFound if there is none.
func (c *Counter) Write(index int, d CounterData) error {
	if err := c.check(index); err != nil {
		return err
	}
	c.sw.writeCounts(c.cells[index:index+1], []CounterData{d})
	return nil
}

// writeCounts sets counters. To take that back leaves them what has been counted since.
func (s *Switch) writeCounts(cells, to []CounterData) {
	s.state.Lock()
	defer s.state.Unlock()
	if !s.undoing() {
		copy(cells, to)
		return
	}
	old := slices.Clone(cells)
	copy(cells, to)
	s.Undo(func() {
		s.state.Lock()
		defer s.state.Unlock()
		for i := range cells {
			cells[i].rebase(to[i], old[i])
		}
	})
}
