package engine

import "fmt"

// MeterUnit is what a meter counts.
type MeterUnit uint8

// The units of v1model's meters. Bytes are those that the frame had at ingress.
const (
	MeterPackets MeterUnit = iota
	MeterBytes
)

// MeterRates is a two-rate, three-colour configuration, as P4Runtime's MeterConfig has it
// (specification 1.4, section 9.4): rates in units per second, bursts in units. A meter with
// one rate (p4c makes none) has CIR and CBurst only.
type MeterRates struct {
	CIR, CBurst, PIR, PBurst int64
}

// check wants what BMv2 wants: no negative number, and a peak rate that is not below the
// committed one. rates is how many there are.
func (r *MeterRates) check(rates int) error {
	switch {
	case min(r.CIR, r.CBurst, r.PIR, r.PBurst) < 0:
		return fmt.Errorf("%w: a negative rate or burst: %+v", ErrInvalid, *r)
	case rates > 1 && r.PIR < r.CIR:
		return fmt.Errorf("%w: the peak rate %d is below the committed rate %d", ErrInvalid, r.PIR, r.CIR)
	}
	return nil
}

// The colours, as numbers of the result field.
const (
	green = iota
	yellow
	red
)

// bucket is a token bucket of a meter.
type bucket struct {
	perMicro float64 // tokens
	burst    uint64
	tokens   uint64
	filled   uint64 // tokens since time 0 that have come in
	colour   uint64 // of a packet for which there are too few tokens
}

// meterState is a configured meter. BMv2's is not that of RFC 2698 to the letter: it takes
// the tokens of the peak rate before it looks at the committed one.
type meterState struct {
	rates   MeterRates
	buckets []bucket // the peak rate first
}

func newMeterState(r MeterRates, rates int) *meterState {
	fill := func(rate, burst int64, colour uint64) bucket {
		return bucket{perMicro: float64(rate) / 1e6, burst: uint64(burst), tokens: uint64(burst), colour: colour}
	}
	m := &meterState{rates: r}
	if rates > 1 {
		m.buckets = append(m.buckets, fill(r.PIR, r.PBurst, red))
	}
	m.buckets = append(m.buckets, fill(r.CIR, r.CBurst, yellow))
	return m
}

// execute takes the tokens of a packet at a time in µs and yields its colour; nil, a meter
// without configuration, is always green. The caller holds Switch.state.
func (m *meterState) execute(now, need uint64) uint64 {
	if m == nil {
		return green
	}
	for i := range m.buckets {
		b := &m.buckets[i]
		// All is computed from time 0 on, so that nothing is lost in rounding.
		total := uint64(min(float64(now)*b.perMicro, 1<<63))
		if total > b.filled {
			b.tokens = min(b.tokens+total-b.filled, b.burst)
			b.filled = total
		}
		if b.tokens < need {
			return b.colour
		}
		b.tokens -= need
	}
	return green
}

// Meter is an indirect meter array.
type Meter struct {
	sw    *Switch
	name  string
	unit  MeterUnit
	rates int           // 2, or 1
	cells []*meterState // guarded by sw.state; nil: not configured
}

// Name is the meter's P4 name.
func (m *Meter) Name() string { return m.name }

// Size is the number of cells.
func (m *Meter) Size() int { return len(m.cells) }

// Unit is what the meter counts.
func (m *Meter) Unit() MeterUnit { return m.unit }

func (m *Meter) check(index int) error {
	if index < 0 || index >= len(m.cells) {
		return fmt.Errorf("meter %s: cell %d of %d: %w", m.name, index, len(m.cells), ErrNotFound)
	}
	return nil
}

// SetRates configures one cell, and fills its buckets: ErrNotFound if there is none,
// ErrInvalid.
func (m *Meter) SetRates(index int, r MeterRates) error {
	if err := m.check(index); err != nil {
		return err
	}
	if err := r.check(m.rates); err != nil {
		return fmt.Errorf("meter %s: %w", m.name, err)
	}
	m.sw.state.Lock()
	defer m.sw.state.Unlock()
	m.cells[index] = newMeterState(r, m.rates)
	return nil
}

// Reset gives one cell the default configuration, green for every packet: ErrNotFound.
func (m *Meter) Reset(index int) error {
	if err := m.check(index); err != nil {
		return err
	}
	m.sw.state.Lock()
	defer m.sw.state.Unlock()
	m.cells[index] = nil
	return nil
}

// Rates returns the configuration of one cell; set is false if it has the default one.
func (m *Meter) Rates(index int) (r MeterRates, set bool) {
	if m.check(index) != nil {
		return MeterRates{}, false
	}
	m.sw.state.Lock()
	defer m.sw.state.Unlock()
	if c := m.cells[index]; c != nil {
		return c.rates, true
	}
	return MeterRates{}, false
}

// need is what a packet takes of a meter.
func (u MeterUnit) need(p *packet) uint64 {
	if u == MeterBytes {
		return uint64(p.inLength)
	}
	return 1
}
