package engine

import "fmt"

// The counters and meters that belong to entries.

// WriteCounter sets the direct counter of an entry: ErrNotFound, ErrInvalid.
func (t *Table) WriteCounter(match []Match, priority int32, d CounterData) error {
	if !t.prog.counted {
		return fmt.Errorf("%w: table %s has no direct counter", ErrInvalid, t.Name())
	}
	return t.edit(match, priority, Entry{Counter: &d}, false)
}

// edit changes the direct resources of an entry: those that in has, and the meter's
// configuration if meter is true.
func (t *Table) edit(match []Match, priority int32, in Entry, meter bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	e, id, err := t.get(match, priority)
	if err != nil {
		return err
	}
	t.sw.state.Lock()
	defer t.sw.state.Unlock()
	if t.sw.undoing() {
		t.sw.Undo(t.restorer(id, e, e.act, in.Counter, in.Colours))
	}
	if in.Counter != nil {
		e.setCounter(&t.hot, *in.Counter)
	}
	if in.Colours != nil {
		e.meter.marked = *in.Colours
	}
	if meter {
		e.meter.state = t.newMeter(in.Meter)
	}
	return nil
}

// WriteDefaultCounter sets the direct counter of the default entry.
func (t *Table) WriteDefaultCounter(d CounterData) error {
	if !t.prog.counted {
		return fmt.Errorf("%w: table %s has no direct counter", ErrInvalid, t.Name())
	}
	t.sw.state.Lock()
	defer t.sw.state.Unlock()
	old := t.defCounter
	t.defCounter = d
	t.sw.Undo(func() {
		t.sw.state.Lock()
		defer t.sw.state.Unlock()
		t.defCounter.rebase(d, old)
	})
	return nil
}

// HasMeter says whether entries have a direct meter.
func (t *Table) HasMeter() bool { return t.prog.meter != nil }

// MeterUnit is what the entries' direct meters count.
func (t *Table) MeterUnit() MeterUnit {
	if t.prog.meter == nil {
		return MeterPackets
	}
	return t.prog.meter.unit
}

// WriteMeter configures the direct meter of an entry; nil gives it the default configuration,
// green for every packet. ErrNotFound, ErrInvalid.
func (t *Table) WriteMeter(match []Match, priority int32, r *MeterRates) error {
	if err := t.checkMetered(r); err != nil {
		return err
	}
	return t.edit(match, priority, Entry{Meter: r}, true)
}

// WriteColours sets what the direct meter of an entry has marked: ErrNotFound, ErrInvalid.
func (t *Table) WriteColours(match []Match, priority int32, c Colours) error {
	if err := t.checkMetered(nil); err != nil {
		return err
	}
	return t.edit(match, priority, Entry{Colours: &c}, false)
}

// WriteDefaultMeter configures the direct meter of the default entry. Until that is done misses
// are not metered, as BMv2 never does; nil makes it so again. ErrInvalid.
func (t *Table) WriteDefaultMeter(r *MeterRates) error {
	if err := t.checkMetered(r); err != nil {
		return err
	}
	t.setDefaultMeter(t.newMeter(r))
	return nil
}

func (t *Table) setDefaultMeter(state *meterState) {
	t.sw.state.Lock()
	defer t.sw.state.Unlock()
	old := t.defMeter.state
	t.defMeter.state = state
	t.sw.Undo(func() { t.setDefaultMeter(old) })
}

// WriteDefaultColours sets what the direct meter of the default entry has marked: ErrInvalid.
func (t *Table) WriteDefaultColours(c Colours) error {
	if err := t.checkMetered(nil); err != nil {
		return err
	}
	t.sw.writeCounts(t.defMeter.marked[:], c[:])
	return nil
}

// checkMetered checks that there are direct meters, and a configuration.
func (t *Table) checkMetered(r *MeterRates) error {
	if t.prog.meter == nil {
		return fmt.Errorf("%w: table %s has no direct meter", ErrInvalid, t.Name())
	}
	return t.checkMeter(r)
}

// checkMeter checks an entry's meter configuration.
func (t *Table) checkMeter(r *MeterRates) error {
	switch {
	case r == nil:
		return nil
	case t.prog.meter == nil:
		return fmt.Errorf("%w: table %s has no direct meter", ErrInvalid, t.Name())
	}
	if err := r.check(t.prog.meter.rates); err != nil {
		return fmt.Errorf("table %s: meter: %w", t.Name(), err)
	}
	return nil
}

func (t *Table) newMeter(r *MeterRates) *meterState {
	if r == nil {
		return nil
	}
	return newMeterState(*r, t.prog.meter.rates)
}

// directMeter is what the program fixes about a table's meters. They are executed before the
// action runs: as in BMv2 on a hit, and on a miss if the default entry's is configured.
type directMeter struct {
	unit   MeterUnit
	rates  int
	result stdField
	wide   int // words of the result above the lowest
}

func (c *compiler) directMeter(index int) *directMeter {
	if index < 0 {
		return nil
	}
	s := &c.src.Meters[index]
	f, off := c.lay.field(s.Result)
	if f.varbits || f == &validLayout {
		c.fail(s.At, "the result of a meter has to be a field of fixed length")
	}
	d := &directMeter{rates: s.Rates, wide: f.words - 1, result: stdField{off, ^uint64(0), true}}
	if d.wide == 0 {
		d.result.mask = f.mask()
	}
	if s.Bytes {
		d.unit = MeterBytes
	}
	return d
}

// execute meters a packet.
func (d *directMeter) execute(p *packet, c *meterCell) {
	d.result.set(p, c.execute(p, d.unit))
	clear(p.words[d.result.off+1 : d.result.off+1+d.wide])
}
