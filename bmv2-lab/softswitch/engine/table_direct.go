package engine

import "fmt"

// The counters and meters that belong to entries.

// WriteCounter sets the direct counter of an entry: ErrNotFound, ErrInvalid.
func (t *Table) WriteCounter(match []Match, priority int32, d CounterData) error {
	if !t.prog.counted {
		return fmt.Errorf("%w: table %s has no direct counter", ErrInvalid, t.Name())
	}
	t.mu.Lock()
	e, _, err := t.get(match, priority)
	t.mu.Unlock()
	if err != nil {
		return err
	}
	t.sw.state.Lock()
	defer t.sw.state.Unlock()
	e.counter = d
	return nil
}

// WriteDefaultCounter sets the direct counter of the default entry.
func (t *Table) WriteDefaultCounter(d CounterData) error {
	if !t.prog.counted {
		return fmt.Errorf("%w: table %s has no direct counter", ErrInvalid, t.Name())
	}
	t.sw.state.Lock()
	defer t.sw.state.Unlock()
	t.defCounter = d
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
	if t.prog.meter == nil {
		return fmt.Errorf("%w: table %s has no direct meter", ErrInvalid, t.Name())
	}
	if err := t.checkMeter(r); err != nil {
		return err
	}
	t.mu.Lock()
	e, _, err := t.get(match, priority)
	t.mu.Unlock()
	if err != nil {
		return err
	}
	t.sw.state.Lock()
	defer t.sw.state.Unlock()
	e.meter = t.newMeter(r)
	return nil
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

// directMeter is what the program fixes about a table's meters. As in BMv2, only a hit
// executes one, before its action runs.
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

// execute meters a packet that hit an entry.
func (d *directMeter) execute(p *packet, e *entry) {
	d.result.set(p, e.meter.execute(p.now, d.unit.need(p)))
	clear(p.words[d.result.off+1 : d.result.off+1+d.wide])
}
