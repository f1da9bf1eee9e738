package engine

// Counter is an indirect counter array. Every cell counts packets and bytes.
type Counter struct{}

// Name is the counter's P4 name.
func (c *Counter) Name() string { return "" }

// Size is the number of cells.
func (c *Counter) Size() int { return 0 }

// Read returns one cell: ErrNotFound if there is none.
func (c *Counter) Read(index int) (CounterData, error) { return CounterData{}, nil }

// ReadRange copies cells from index on into dst, as they stood between two packets, and
// returns how many there were.
func (c *Counter) ReadRange(index int, dst []CounterData) int { return 0 }

// Write sets one cell: ErrNotFound if there is none.
func (c *Counter) Write(index int, d CounterData) error { return nil }

// Register is a register array.
type Register struct{}

// Name is the register's P4 name.
func (r *Register) Name() string { return "" }

// Size is the number of cells.
func (r *Register) Size() int { return 0 }

// Width is the width of a cell in bits.
func (r *Register) Width() int { return 0 }

// Read returns one cell: ErrNotFound if there is none.
func (r *Register) Read(index int) ([]byte, error) { return nil, nil }

// Write sets one cell: ErrNotFound if there is none, ErrInvalid if the value is too wide.
func (r *Register) Write(index int, value []byte) error { return nil }

// Fill sets all cells.
func (r *Register) Fill(value []byte) error { return nil }
