package p4rtserver

import (
	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

// Meters: P4Runtime specification, section 9.4.

// meter is a meter array and what its configurations must look like.
type meter struct {
	engine *engine.Meter
	spec   *p4config.MeterSpec
}

func (s *schema) bindMeters(sw *engine.Switch) error {
	for _, m := range s.info.GetMeters() {
		id, name, err := preamble("meter", m.GetPreamble())
		if err != nil {
			return err
		}
		em, ok := sw.Meter(name)
		if !ok {
			return disagree("the program has no meter %q", name)
		}
		if err := checkUnit(m.GetSpec(), em.Unit()); err != nil {
			return within(err, "meter %q", name)
		}
		s.meters[id] = &meter{engine: em, spec: m.GetSpec()}
		s.meterOrder = append(s.meterOrder, id)
	}
	for _, m := range s.info.GetDirectMeters() {
		name := m.GetPreamble().GetName()
		t := s.tables[m.GetDirectTableId()]
		if s.removed[m.GetDirectTableId()] != "" {
			continue
		}
		if t == nil {
			return fail(codes.InvalidArgument, "direct meter %q: no table has id %#x", name, m.GetDirectTableId())
		}
		if !t.engine.HasMeter() {
			return disagree("the program's table %q has no direct meter", t.engine.Name())
		}
		if err := checkUnit(m.GetSpec(), t.engine.MeterUnit()); err != nil {
			return within(err, "direct meter %q", name)
		}
		t.meter = m.GetSpec()
		if t.meter == nil {
			t.meter = &p4config.MeterSpec{}
		}
	}
	return nil
}

func checkUnit(spec *p4config.MeterSpec, have engine.MeterUnit) error {
	want := map[p4config.MeterSpec_Unit]engine.MeterUnit{
		p4config.MeterSpec_PACKETS: engine.MeterPackets, p4config.MeterSpec_BYTES: engine.MeterBytes,
		p4config.MeterSpec_UNSPECIFIED: have,
	}
	if unit, ok := want[spec.GetUnit()]; !ok || unit != have {
		return disagree("unit %s is not the program's", spec.GetUnit())
	}
	return nil
}

// ratesIn translates a configuration; nil, the default one, stays nil. A meter of one rate is
// here one of two equal rates, which marks the same packets (specification, section 9.4),
// unless it has an excess burst.
func ratesIn(spec *p4config.MeterSpec, c *p4.MeterConfig) (*engine.MeterRates, error) {
	if c == nil {
		return nil, nil
	}
	if spec.GetType() != p4config.MeterSpec_TWO_RATE_THREE_COLOR && (c.GetPir() != c.GetCir() || c.GetPburst() != c.GetCburst()) {
		return nil, fail(codes.InvalidArgument, "meter config: a meter of one rate needs pir = cir and pburst = cburst")
	}
	if c.GetEburst() != 0 && spec.GetType() != p4config.MeterSpec_SINGLE_RATE_THREE_COLOR {
		return nil, fail(codes.InvalidArgument, "meter config: eburst is set, and the meter is not of one rate and three colours")
	}
	return &engine.MeterRates{CIR: c.GetCir(), CBurst: c.GetCburst(), PIR: c.GetPir(), PBurst: c.GetPburst(), EBurst: c.GetEburst()}, nil
}

func ratesOut(r *engine.MeterRates) *p4.MeterConfig {
	if r == nil {
		return nil
	}
	return &p4.MeterConfig{Cir: r.CIR, Cburst: r.CBurst, Pir: r.PIR, Pburst: r.PBurst, Eburst: r.EBurst}
}

// coloursIn is what a meter is to have marked: nil leaves it as it is, and all that a client can
// set is zero (specification, section 9.1.8).
func coloursIn(d *p4.MeterCounterData) (*engine.Colours, error) {
	if d == nil {
		return nil, nil
	}
	for _, c := range []*p4.CounterData{d.GetGreen(), d.GetYellow(), d.GetRed()} {
		if c.GetPacketCount() != 0 || c.GetByteCount() != 0 {
			return nil, fail(codes.InvalidArgument, "meter counter data: the counters of a meter can only be set to 0")
		}
	}
	return &engine.Colours{}, nil
}

func coloursOut(c engine.Colours) *p4.MeterCounterData {
	return &p4.MeterCounterData{Green: counterOut(c[0]), Yellow: counterOut(c[1]), Red: counterOut(c[2])}
}

func (p *pipeline) findMeter(id uint32) (*meter, error) {
	if id == 0 {
		return nil, fail(codes.InvalidArgument, "meter id is not set")
	}
	m := p.schema.meters[id]
	if m == nil {
		return nil, fail(codes.NotFound, "no meter has id %#x", id)
	}
	return m, nil
}

// writeMeter configures one cell, or all (specification, section 9.4.2).
func (p *pipeline) writeMeter(op p4.Update_Type, e *p4.MeterEntry) error {
	m, err := p.findMeter(e.GetMeterId())
	if err != nil {
		return err
	}
	return within(m.write(op, e), "meter %q", m.engine.Name())
}

func (m *meter) write(op p4.Update_Type, e *p4.MeterEntry) error {
	if op != p4.Update_MODIFY {
		return fail(codes.InvalidArgument, "%s: meters can only be modified", op)
	}
	colours, err := coloursIn(e.GetCounterData())
	if err != nil {
		return err
	}
	rates, err := ratesIn(m.spec, e.GetConfig())
	if err != nil {
		return err
	}
	i, err := index(e.GetIndex(), m.engine.Size())
	if err != nil {
		return err
	}
	first, end := i, i+1
	if i < 0 {
		first, end = 0, m.engine.Size()
	}
	for i := first; i < end; i++ {
		if rates == nil {
			err = m.engine.Reset(i)
		} else {
			err = m.engine.SetRates(i, *rates)
		}
		if err == nil && colours != nil {
			err = m.engine.WriteColours(i, *colours)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *pipeline) readMeter(e *p4.MeterEntry, out entities) error {
	ids, first, end := p.schema.meterOrder, 0, -1
	if id := e.GetMeterId(); id != 0 {
		m, err := p.findMeter(id)
		if err != nil {
			return err
		}
		i, err := index(e.GetIndex(), m.engine.Size())
		if err != nil {
			return within(err, "meter %q", m.engine.Name())
		}
		if ids = []uint32{id}; i >= 0 {
			first, end = i, i+1
		}
	}
	for _, id := range ids {
		m := p.schema.meters[id]
		last := end
		if last < 0 {
			last = m.engine.Size()
		}
		for i := first; i < last; i++ {
			entry := &p4.MeterEntry{MeterId: id, Index: &p4.Index{Index: int64(i)}}
			if r, set := m.engine.Rates(i); set {
				entry.Config = ratesOut(&r)
			}
			if e.GetCounterData() != nil {
				c, _ := m.engine.Colours(i) // the index is one of the meter's
				entry.CounterData = coloursOut(c)
			}
			out.add(&p4.Entity{Entity: &p4.Entity_MeterEntry{MeterEntry: entry}})
		}
	}
	return nil
}

// writeDirectMeter configures the meter of an entry (specification, section 9.4.1).
func (p *pipeline) writeDirectMeter(op p4.Update_Type, e *p4.DirectMeterEntry) error {
	t, err := p.findTable(e.GetTableEntry().GetTableId())
	if err != nil {
		return err
	}
	return within(t.writeMeter(op, e), "table %q", t.engine.Name())
}

func (t *table) writeMeter(op p4.Update_Type, e *p4.DirectMeterEntry) error {
	switch {
	case op != p4.Update_MODIFY:
		return fail(codes.InvalidArgument, "%s: direct meters can only be modified", op)
	case t.meter == nil:
		return fail(codes.InvalidArgument, "the table has no direct meter")
	}
	rates, err := ratesIn(t.meter, e.GetConfig())
	if err != nil {
		return err
	}
	colours, err := coloursIn(e.GetCounterData())
	if err != nil {
		return err
	}
	if e.GetTableEntry().GetIsDefaultAction() {
		return t.setDefaultMeter(rates, colours)
	}
	match, err := t.keyIn(e.GetTableEntry())
	if err != nil {
		return err
	}
	return t.setMeter(match, e.GetTableEntry().GetPriority(), rates, colours)
}

// setMeter configures the meter of an entry; nil colours stay.
func (t *table) setMeter(match []engine.Match, priority int32, rates *engine.MeterRates, colours *engine.Colours) error {
	if err := t.engine.WriteMeter(match, priority, rates); err != nil || colours == nil {
		return err
	}
	return t.engine.WriteColours(match, priority, *colours)
}

// setDefaultMeter is setMeter for the default entry. Only once it has a configuration are
// misses metered, because in BMv2 they never are.
func (t *table) setDefaultMeter(rates *engine.MeterRates, colours *engine.Colours) error {
	if err := t.engine.WriteDefaultMeter(rates); err != nil || colours == nil {
		return err
	}
	return t.engine.WriteDefaultColours(*colours)
}

// readDirectMeter adds the configurations of the entries that a request selects.
func (p *pipeline) readDirectMeter(e *p4.DirectMeterEntry, out entities) error {
	has := func(t *table) bool { return t.meter != nil }
	return p.readDirect("meter", has, e.GetTableEntry(), func(key *p4.TableEntry, entry engine.Entry) {
		d := &p4.DirectMeterEntry{TableEntry: key, Config: ratesOut(entry.Meter)}
		if e.GetCounterData() != nil && entry.Colours != nil {
			d.CounterData = coloursOut(*entry.Colours)
		}
		out.add(&p4.Entity{Entity: &p4.Entity_DirectMeterEntry{DirectMeterEntry: d}})
	})
}
