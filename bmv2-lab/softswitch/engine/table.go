package engine

import "iter"

// Table is the control-plane handle of a match-action table. Its methods may be called at
// any time by any goroutine; writes of one table take turns.
type Table struct{}

// Name is the table's P4 name.
func (t *Table) Name() string { return "" }

// Keys describes the key fields.
func (t *Table) Keys() []KeyInfo { return nil }

// Actions describes the actions that entries may have.
func (t *Table) Actions() []ActionInfo { return nil }

// NeedsPriority says whether entries have a priority (a ternary, range or optional key).
func (t *Table) NeedsPriority() bool { return false }

// HasCounter says whether entries have a direct counter.
func (t *Table) HasCounter() bool { return false }

// HasConstEntries says whether the program fixes the entries.
func (t *Table) HasConstEntries() bool { return false }

// Size is the number of entries that the table can hold.
func (t *Table) Size() int { return 0 }

// Len is the number of entries, without the default entry.
func (t *Table) Len() int { return 0 }

// Insert adds an entry: ErrExists, ErrFull, ErrInvalid, ErrConst.
func (t *Table) Insert(e Entry) error { return nil }

// Modify gives an existing entry another action: ErrNotFound, ErrInvalid, ErrConst. A direct
// counter stays as it is unless e.Counter is set.
func (t *Table) Modify(e Entry) error { return nil }

// Delete removes the entry with this match and priority: ErrNotFound, ErrInvalid, ErrConst.
func (t *Table) Delete(match []Match, priority int32) error { return nil }

// Lookup returns the entry with exactly this match and priority: ErrNotFound, ErrInvalid.
func (t *Table) Lookup(match []Match, priority int32) (Entry, error) { return Entry{}, nil }

// Entries iterates over a snapshot of the entries, in the order of insertion.
func (t *Table) Entries() iter.Seq[Entry] { return func(func(Entry) bool) {} }

// SetDefault gives the default entry another action: ErrInvalid, ErrConst.
func (t *Table) SetDefault(action string, params [][]byte) error { return nil }

// ResetDefault restores the default entry that the program declares.
func (t *Table) ResetDefault() error { return nil }

// Default returns the default entry, with its direct counter if the table has one; ok is
// false if there is none.
func (t *Table) Default() (e Entry, ok bool) { return Entry{}, false }

// WriteCounter sets the direct counter of an entry: ErrNotFound, ErrInvalid.
func (t *Table) WriteCounter(match []Match, priority int32, d CounterData) error { return nil }

// WriteDefaultCounter sets the direct counter of the default entry.
func (t *Table) WriteDefaultCounter(d CounterData) error { return nil }
