package engine

import "fmt"

// Register is a register array.
type Register struct {
	sw    *Switch
	name  string
	width int // bits of a cell
	cells
}

// cells are those of one register, guarded by Switch.state. Registers that the program uses at
// the same index lie side by side: the cells with an index are a row, which is a few cache
// lines and not one for each register.
type cells struct {
	words []uint64 // of the rows, from the register's first cell on
	size  uint64
	row   uint64 // words
	each  uint64 // words of a cell
}

// cell is the words of a cell, or nil outside of the array.
func (c *cells) cell(index uint64) []uint64 {
	if index >= c.size {
		return nil
	}
	at := index * c.row
	return c.words[at : at+c.each : at+c.each]
}

// rowPlace is where the cells of a register are.
type rowPlace struct {
	row int // number of the rows' array
	at  int // words from the start of a row
}

// apart gives every register rows of its own.
func (c *compiler) apart() {
	for i := range c.src.Registers {
		c.prog.places = append(c.prog.places, rowPlace{row: i})
	}
}

// sideBySide puts the registers together that flat code uses at the same index.
func (l *lowerer) sideBySide() {
	type use struct {
		index uint16
		size  int
	}
	first := map[use]int{}
	lower := make([]int, len(l.src.Registers)) // by register: one with the same rows
	for i := range lower {
		lower[i] = i
	}
	lowest := func(i int) int {
		for ; lower[i] != i; i = lower[i] {
			lower[i] = lower[lower[i]]
		}
		return i
	}
	for _, in := range l.out.code {
		switch in.op {
		case opRegRead, opRegRead2, opRegWrite, opRegWriteK, opRegWrite2:
		default:
			continue
		}
		if int(in.b) >= l.lay.cleared { // a scratch word is now this index, now that
			continue
		}
		u := use{in.b, l.src.Registers[in.c].Size}
		if _, ok := first[u]; !ok {
			first[u] = int(in.c)
		}
		a, b := lowest(int(in.c)), lowest(first[u])
		lower[max(a, b)] = min(a, b)
	}
	at := make([]int, len(lower))
	for i := range lower {
		row := lowest(i)
		l.prog.places[i] = rowPlace{row, at[row]}
		at[row] += wordsOf(l.src.Registers[i].Width)
	}
}

// makeRegisters makes the registers, all cells 0.
func (s *Switch) makeRegisters() {
	src := s.prog.src.Registers
	rows := make([]cells, len(src))
	for i, place := range s.prog.places {
		rows[place.row].row += uint64(wordsOf(src[i].Width))
	}
	s.rows = rows
	for i, place := range s.prog.places {
		r, from := &src[i], &rows[place.row]
		if from.words == nil {
			from.size, from.each = uint64(r.Size), from.row
			from.words = make([]uint64, from.size*from.row)
		}
		c := cells{words: from.words, size: from.size, row: from.row, each: uint64(wordsOf(r.Width))}
		if c.size > 0 {
			c.words = c.words[place.at:]
		}
		s.registers = append(s.registers, &Register{sw: s, name: r.Name, width: r.Width, cells: c})
		s.cells = append(s.cells, c)
	}
}

// Name is the register's P4 name.
func (r *Register) Name() string { return r.name }

// Size is the number of cells.
func (r *Register) Size() int { return int(r.size) }

// Width is the width of a cell in bits.
func (r *Register) Width() int { return r.width }

func (r *Register) check(index int) error {
	if index < 0 || uint64(index) >= r.size {
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
	r.put(uint64(index), uint64(index)+1, words)
	return nil
}

// Fill sets all cells: ErrInvalid if the value is too wide.
func (r *Register) Fill(v []byte) error {
	words, err := value(v, r.width)
	if err != nil {
		return fmt.Errorf("register %s: %w", r.name, err)
	}
	r.put(0, r.size, words)
	return nil
}

// put sets the cells from first to before end.
func (r *Register) put(first, end uint64, words []uint64) {
	r.sw.state.Lock()
	defer r.sw.state.Unlock()
	var old []uint64
	undo := r.sw.undoing()
	for i := first; i < end; i++ {
		cell := r.cell(i)
		if undo {
			old = append(old, cell...)
		}
		copy(cell, words)
	}
	if undo {
		r.sw.Undo(func() { r.restore(first, end, old) })
	}
}

// restore gives the cells from first to before end their old words back.
func (r *Register) restore(first, end uint64, old []uint64) {
	r.sw.state.Lock()
	defer r.sw.state.Unlock()
	for i := first; i < end; i++ {
		old = old[copy(r.cell(i), old):]
	}
}
