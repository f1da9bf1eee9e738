package engine

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"
)

// Table is the control-plane handle of a match-action table. Its methods may be called at
// any time by any goroutine; writes of one table take turns.
//
// A key that P4 declares as optional is a ternary one here, since the JSON does not tell them
// apart; entries may give it as MatchOptional, and Entries returns it as MatchTernary.
type Table struct {
	prog    *tableProgram
	sw      *Switch
	profile *Profile // of the entries; nil: they have actions of their own

	hot   hotWords
	index index
	words *hashIndex // the index, if keys are exact and of one word
	def   atomic.Pointer[actionData]

	defCounter CounterData // guarded by sw.state
	defMeter   meterCell   // the same; misses are metered once it is configured

	mu      sync.Mutex // guards what follows, and writes of the two above
	entries map[string]*entry
	seq     uint64
}

func newTable(sw *Switch, tp *tableProgram) *Table {
	t := &Table{prog: tp, sw: sw, entries: map[string]*entry{}, hot: tp.hot(), index: newIndex(tp)}
	if x, ok := t.index.(*hashIndex); ok && tp.keyWords == 1 {
		t.words = x
	}
	t.def.Store(tp.declared())
	if tp.profile != nil && sw.profiles != nil {
		t.profile = sw.profiles[tp.profile.index]
	}
	return t
}

// declare enters the constant entries.
func (t *Table) declare() error {
	for i := range t.prog.src.Entries {
		d := &t.prog.src.Entries[i]
		e := Entry{Action: t.sw.prog.actions[d.Action].name}
		for j := range d.Match {
			e.Match = append(e.Match, declaredMatch(t.prog.keys[j].src, &d.Match[j]))
		}
		if t.prog.ordered {
			e.Priority = int32(TopPriority - min(max(d.Priority, 0), TopPriority-1))
		}
		for _, v := range d.Params {
			e.Params = append(e.Params, canonical(v.Bytes()))
		}
		if err := t.insert(e, t.prog.src.Const); err != nil {
			return bmjson.Errorf(d.At, "%v", err)
		}
	}
	return nil
}

// Name is the table's P4 name.
func (t *Table) Name() string { return t.prog.src.Name }

// Keys describes the key fields.
func (t *Table) Keys() []KeyInfo {
	var out []KeyInfo
	for _, k := range t.prog.keys {
		out = append(out, KeyInfo{k.src.Name, kindOf(k.src), k.src.Width})
	}
	return out
}

// Actions describes the actions that entries may have.
func (t *Table) Actions() []ActionInfo {
	var out []ActionInfo
	for _, a := range t.prog.actions {
		info := ActionInfo{Name: a.name}
		for _, p := range t.sw.prog.src.Actions[a.index].Params {
			info.Params = append(info.Params, ParamInfo{p.Name, p.Width})
		}
		out = append(out, info)
	}
	return out
}

// NeedsPriority says whether entries have a priority (a ternary, range or optional key).
func (t *Table) NeedsPriority() bool { return t.prog.ordered }

// HasCounter says whether entries have a direct counter.
func (t *Table) HasCounter() bool { return t.prog.counted }

// HasConstEntries says whether the program fixes the entries.
func (t *Table) HasConstEntries() bool { return t.prog.src.Const }

// HasIdleTimeout says whether entries may have an idle timeout.
func (t *Table) HasIdleTimeout() bool { return t.prog.ages }

// Size is the number of entries that the table can hold.
func (t *Table) Size() int { return t.prog.src.Size }

// Len is the number of entries, without the default entry.
func (t *Table) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.entries)
}

// Insert adds an entry: ErrExists, ErrFull, ErrInvalid, ErrConst.
func (t *Table) Insert(e Entry) error {
	if t.prog.src.Const {
		return fmt.Errorf("table %s: entries: %w", t.Name(), ErrConst)
	}
	return t.insert(e, false)
}

func (t *Table) insert(in Entry, fixed bool) error {
	m, err := t.matcher(in.Match, in.Priority)
	if err != nil {
		return err
	}
	if len(t.prog.keys) == 0 {
		return fmt.Errorf("%w: table %s has no key", ErrInvalid, t.Name())
	}
	if err := t.checkMeter(in.Meter); err != nil {
		return err
	}
	data, err := t.bind(&in)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.add(&in, m, data, fixed); err != nil {
		t.release(data)
		return err
	}
	return nil
}

// add adds a checked entry; the caller holds t.mu.
func (t *Table) add(in *Entry, m *matcher, data *actionData, fixed bool) error {
	id := m.identity()
	if _, dup := t.entries[id]; dup {
		return fmt.Errorf("table %s: entry: %w", t.Name(), ErrExists)
	}
	if len(t.entries) >= t.prog.src.Size {
		return fmt.Errorf("table %s: %w (%d entries)", t.Name(), ErrFull, t.prog.src.Size)
	}
	m.exact = m.exact || !t.prog.ordered // its index compares what the prefix says
	e := t.hot.newEntry(m)
	e.priority, e.seq, e.fixed, e.timeout = in.Priority, t.seq, fixed, in.IdleTimeout
	t.seq++
	e.setAction(&t.hot, data)
	if in.Counter != nil {
		e.setCounter(&t.hot, *in.Counter)
	}
	if t.prog.ages {
		t.sw.state.Lock()
		e.words[t.hot.lastHit] = t.sw.now
		t.sw.state.Unlock()
	}
	if t.prog.meter != nil {
		e.meter = &meterCell{state: t.newMeter(in.Meter)}
		if in.Colours != nil {
			e.meter.marked = *in.Colours
		}
	}
	t.entries[id] = e
	t.index.insert(e)
	t.sw.Undo(func() { t.take(id) })
	return nil
}

// actionData checks an action and its parameters.
func (t *Table) actionData(name string, params [][]byte, isDefault bool) (*actionData, error) {
	slot := t.prog.slot(name)
	if slot < 0 {
		return nil, fmt.Errorf("%w: table %s has no action %q", ErrInvalid, t.Name(), name)
	}
	a := t.prog.actions[slot]
	if len(params) != len(a.params) {
		return nil, fmt.Errorf("%w: action %s: %d parameters, not %d", ErrInvalid, name, len(params), len(a.params))
	}
	words := make([]uint64, 0, a.words)
	for i, p := range params {
		v, err := value(p, a.params[i].width)
		if err != nil {
			return nil, fmt.Errorf("action %s: parameter %d: %w", name, i+1, err)
		}
		words = append(words, v...)
	}
	return t.prog.data(slot, words, isDefault), nil
}

// get finds an entry; the caller holds t.mu.
func (t *Table) get(match []Match, priority int32) (*entry, string, error) {
	m, err := t.matcher(match, priority)
	if err != nil {
		return nil, "", err
	}
	id := m.identity()
	e, ok := t.entries[id]
	if !ok {
		return nil, "", fmt.Errorf("table %s: entry: %w", t.Name(), ErrNotFound)
	}
	return e, id, nil
}

// Modify gives an existing entry another action: ErrNotFound, ErrInvalid, ErrConst. A direct
// counter stays as it is unless in.Counter is set, and so do a direct meter's colours; its
// configuration becomes what in.Meter says.
func (t *Table) Modify(in Entry) error {
	if err := t.checkMeter(in.Meter); err != nil {
		return err
	}
	data, err := t.bind(&in)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	e, id, err := t.get(in.Match, in.Priority)
	if err == nil && t.prog.src.Const {
		err = fmt.Errorf("table %s: entries: %w", t.Name(), ErrConst)
	}
	if err != nil {
		t.release(data)
		return err
	}
	t.rewrite(id, e, data, in)
	return nil
}

// rewrite gives an entry what Modify wants; the caller holds t.mu.
func (t *Table) rewrite(id string, e *entry, data *actionData, in Entry) {
	act := e.act
	t.release(act)
	t.sw.state.Lock()
	defer t.sw.state.Unlock()
	e.setAction(&t.hot, data)
	if t.sw.undoing() {
		t.sw.Undo(t.restorer(id, e, act, in.Counter, in.Colours))
	}
	e.timeout = in.IdleTimeout
	if in.Counter != nil {
		e.setCounter(&t.hot, *in.Counter)
	}
	if e.meter == nil {
		return
	}
	e.meter.state = t.newMeter(in.Meter)
	if in.Colours != nil {
		e.meter.marked = *in.Colours
	}
}

// Delete removes the entry with this match and priority: ErrNotFound, ErrInvalid, ErrConst.
func (t *Table) Delete(match []Match, priority int32) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	e, id, err := t.get(match, priority)
	if err != nil {
		return err
	}
	if t.prog.src.Const {
		return fmt.Errorf("table %s: entries: %w", t.Name(), ErrConst)
	}
	t.drop(id, e)
	t.sw.Undo(func() { t.putBack(id, e) })
	return nil
}

// drop takes an entry out; the caller holds t.mu.
func (t *Table) drop(id string, e *entry) {
	delete(t.entries, id)
	t.index.remove(e)
	t.release(e.act)
}

// Lookup returns the entry with exactly this match and priority: ErrNotFound, ErrInvalid.
func (t *Table) Lookup(match []Match, priority int32) (Entry, error) {
	t.mu.Lock()
	e, _, err := t.get(match, priority)
	t.mu.Unlock()
	if err != nil {
		return Entry{}, err
	}
	return t.export(e), nil
}

// Entries iterates over a snapshot of the entries, in the order of insertion.
func (t *Table) Entries() iter.Seq[Entry] {
	t.mu.Lock()
	list := make([]*entry, 0, len(t.entries))
	for _, e := range t.entries {
		list = append(list, e)
	}
	t.mu.Unlock()
	slices.SortFunc(list, func(a, b *entry) int { return cmp.Compare(a.seq, b.seq) })
	return func(yield func(Entry) bool) {
		for _, e := range list {
			if !yield(t.export(e)) {
				return
			}
		}
	}
}

// export is an entry as the control plane sees it.
func (t *Table) export(e *entry) Entry {
	out := Entry{Match: e.match, Priority: e.priority, Const: e.fixed}
	t.sw.state.Lock()
	defer t.sw.state.Unlock()
	out.run(e.act)
	out.IdleTimeout = e.timeout
	if t.prog.ages {
		out.LastHit = e.words[t.hot.lastHit]
	}
	if t.prog.counted {
		c := e.counter(&t.hot)
		out.Counter = &c
	}
	if e.meter != nil {
		c := e.meter.marked
		out.Meter, out.Colours = e.meter.configured(), &c
	}
	return out
}

func exportAction(d *actionData) (string, [][]byte) {
	var params [][]byte
	for _, p := range d.action.params {
		params = append(params, valueBytes(d.params[p.off:p.off+p.words], p.width))
	}
	return d.action.name, params
}

// SetDefault gives the default entry another action: ErrInvalid, ErrConst.
func (t *Table) SetDefault(action string, params [][]byte) error {
	data, err := t.actionData(action, params, true)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if def := t.prog.src.Default; def != nil {
		if def.EntryConst || (def.ActionConst && data.action.index != def.Action) {
			return fmt.Errorf("table %s: default entry: %w", t.Name(), ErrConst)
		}
	}
	t.swapDefault(data)
	return nil
}

// ResetDefault restores the default entry that the program declares.
func (t *Table) ResetDefault() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.swapDefault(t.prog.declared())
	return nil
}

// Default returns the default entry, with its direct counter and meter if the table has them;
// ok is false if there is no action.
func (t *Table) Default() (e Entry, ok bool) {
	d := t.def.Load()
	if ok = d.action != nil || d.via != nil; ok {
		e.run(d)
	}
	e.Const = t.prog.src.Default != nil && t.prog.src.Default.EntryConst
	t.sw.state.Lock()
	defer t.sw.state.Unlock()
	if t.prog.counted {
		c := t.defCounter
		e.Counter = &c
	}
	if t.prog.meter != nil {
		c := t.defMeter.marked
		e.Meter, e.Colours = t.defMeter.configured(), &c
	}
	return e, ok
}
