package engine

import "fmt"

// MeterUnit is what a meter counts.
type MeterUnit uint8

// The units of v1model's meters. Bytes are those that the frame had at ingress.
const (
	MeterPackets MeterUnit = iota
	MeterBytes
)

// MeterRates is a three-colour configuration, as P4Runtime's MeterConfig has it (specification
// 1.5, section 9.4): rates in units per second, bursts in units. A meter with one rate (p4c
// makes none) has CIR and CBurst only. EBurst, if it is not 0, is the excess burst of RFC 2697:
// then there is one rate, CIR, and PIR and PBurst do not count.
type MeterRates struct {
	CIR, CBurst, PIR, PBurst, EBurst int64
}

// Colours is what a meter has marked green, yellow and red, in this order. Bytes are those that
// the frames had at ingress.
type Colours [3]CounterData

// check wants what BMv2 wants: no negative number, and a peak rate that is not below the
// committed one. rates is how many there are.
func (r *MeterRates) check(rates int) error {
	switch {
	case min(r.CIR, r.CBurst, r.PIR, r.PBurst, r.EBurst) < 0:
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

// fill lets in the tokens that are due at a time in µs, and yields those for which there is no
// room. All is computed from time 0 on, so that nothing is lost in rounding.
func (b *bucket) fill(now uint64) (over uint64) {
	total := uint64(min(float64(now)*b.perMicro, 1<<63))
	if total <= b.filled {
		return 0
	}
	b.tokens += total - b.filled
	b.filled = total
	if b.tokens > b.burst {
		over, b.tokens = b.tokens-b.burst, b.burst
	}
	return over
}

// take takes the tokens of a packet if there are enough.
func (b *bucket) take(need uint64) bool {
	if b.tokens < need {
		return false
	}
	b.tokens -= need
	return true
}

// meterState is a configured meter. BMv2's is not that of RFC 2698 to the letter: it takes
// the tokens of the peak rate before it looks at the committed one.
type meterState struct {
	rates   MeterRates
	buckets []bucket // the peak rate first
	excess  *bucket  // of RFC 2697; nil: there are two rates
}

func newMeterState(r MeterRates, rates int) *meterState {
	full := func(rate, burst int64, colour uint64) bucket {
		return bucket{perMicro: float64(rate) / 1e6, burst: uint64(burst), tokens: uint64(burst), colour: colour}
	}
	m := &meterState{rates: r}
	switch {
	case r.EBurst > 0:
		e := full(0, r.EBurst, red)
		m.excess = &e
	case rates > 1:
		m.buckets = append(m.buckets, full(r.PIR, r.PBurst, red))
	}
	m.buckets = append(m.buckets, full(r.CIR, r.CBurst, yellow))
	return m
}

// execute takes the tokens of a packet at a time in µs and yields its colour; nil, a meter
// without configuration, is always green.
func (m *meterState) execute(now, need uint64) uint64 {
	switch {
	case m == nil:
		return green
	case m.excess != nil:
		return m.single(now, need)
	}
	for i := range m.buckets {
		b := &m.buckets[i]
		b.fill(now)
		if !b.take(need) {
			return b.colour
		}
	}
	return green
}

// single is a meter of one rate with an excess burst, without regard to earlier colours: tokens
// for which the committed burst has no room become those of the excess burst (RFC 2697,
// section 3).
func (m *meterState) single(now, need uint64) uint64 {
	committed := &m.buckets[0]
	m.excess.tokens = min(m.excess.tokens+committed.fill(now), m.excess.burst)
	switch {
	case committed.take(need):
		return green
	case m.excess.take(need):
		return yellow
	}
	return red
}

// meterCell is one meter with what it has marked. It is guarded by Switch.state.
type meterCell struct {
	state  *meterState // nil: not configured
	marked Colours
}

// execute marks a packet.
func (c *meterCell) execute(p *packet, unit MeterUnit) uint64 {
	colour := c.state.execute(p.now, unit.need(p))
	m := &c.marked[colour]
	m.Packets++
	m.Bytes += uint64(p.inLength)
	return colour
}

// configured is the configuration, nil for the default one.
func (c *meterCell) configured() *MeterRates {
	if c.state == nil {
		return nil
	}
	r := c.state.rates
	return &r
}

// Meter is an indirect meter array.
type Meter struct {
	sw    *Switch
	name  string
	unit  MeterUnit
	rates int // 2, or 1
	cells []meterCell
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
	m.configure(index, newMeterState(r, m.rates))
	return nil
}

// Reset gives one cell the default configuration, green for every packet: ErrNotFound.
func (m *Meter) Reset(index int) error {
	if err := m.check(index); err != nil {
		return err
	}
	m.configure(index, nil)
	return nil
}

func (m *Meter) configure(index int, state *meterState) {
	m.sw.state.Lock()
	old := m.cells[index].state
	m.cells[index].state = state
	m.sw.state.Unlock()
	m.sw.Undo(func() { m.configure(index, old) })
}

// Rates returns the configuration of one cell; set is false if it has the default one.
func (m *Meter) Rates(index int) (r MeterRates, set bool) {
	if m.check(index) != nil {
		return MeterRates{}, false
	}
	m.sw.state.Lock()
	defer m.sw.state.Unlock()
	if r := m.cells[index].configured(); r != nil {
		return *r, true
	}
	return MeterRates{}, false
}

// Colours returns what one cell has marked: ErrNotFound.
func (m *Meter) Colours(index int) (Colours, error) {
	if err := m.check(index); err != nil {
		return Colours{}, err
	}
	m.sw.state.Lock()
	defer m.sw.state.Unlock()
	return m.cells[index].marked, nil
}

// WriteColours sets what one cell has marked: ErrNotFound.
func (m *Meter) WriteColours(index int, c Colours) error {
	if err := m.check(index); err != nil {
		return err
	}
	m.sw.writeCounts(m.cells[index].marked[:], c[:])
	return nil
}

// need is what a packet takes of a meter.
func (u MeterUnit) need(p *packet) uint64 {
	if u == MeterBytes {
		return uint64(p.inLength)
	}
	return 1
}
