package engine

import "fmt"

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
	c.sw.state.Lock()
	defer c.sw.state.Unlock()
	c.cells[index] = d
	return nil
}

// Register is a register array.
type Register struct {
	sw     *Switch
	name   string
	size   int
	width  int // bits of a cell
	stride int // words of a cell
	words  []uint64
}

// cell is the words of a cell, or nil outside of the array. The caller holds sw.state.
func (r *Register) cell(index uint64) []uint64 {
	if index >= uint64(r.size) {
		return nil
	}
	at := int(index) * r.stride
	return r.words[at : at+r.stride : at+r.stride]
}

// Name is the register's P4 name.
func (r *Register) Name() string { return r.name }

// Size is the number of cells.
func (r *Register) Size() int { return r.size }

// Width is the width of a cell in bits.
func (r *Register) Width() int { return r.width }

func (r *Register) check(index int) error {
	if index < 0 || index >= r.size {
		return fmt.Errorf("register %s: cell %d of %d: %w", r.name, index, r.size, ErrNotFound)
	}
	return nil
}

// Read returns one cell: ErrNotFound if there is none.
func (r *Register) Read(index int) ([]byte, error) {
	if err := r.check(index); err != nil {
		return nil, err
	}
	r.sw.state.Lock()
	defer r.sw.state.Unlock()
	return valueBytes(r.cell(uint64(index)), r.width), nil
}

// Write sets one cell: ErrNotFound if there is none, ErrInvalid if the value is too wide.
func (r *Register) Write(index int, v []byte) error {
	if err := r.check(index); err != nil {
		return err
	}
	words, err := value(v, r.width)
	if err != nil {
		return fmt.Errorf("register %s: %w", r.name, err)
	}
	r.sw.state.Lock()
	defer r.sw.state.Unlock()
	copy(r.cell(uint64(index)), words)
	return nil
}

// Fill sets all cells: ErrInvalid if the value is too wide.
func (r *Register) Fill(v []byte) error {
	words, err := value(v, r.width)
	if err != nil {
		return fmt.Errorf("register %s: %w", r.name, err)
	}
	r.sw.state.Lock()
	defer r.sw.state.Unlock()
	for i := range r.size {
		copy(r.cell(uint64(i)), words)
	}
	return nil
}
