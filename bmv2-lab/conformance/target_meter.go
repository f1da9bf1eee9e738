package conformance

import (
	"fmt"

	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/stf"
)

func meterConfig(r engine.MeterRates) *p4.MeterConfig {
	return &p4.MeterConfig{Cir: r.CIR, Cburst: r.CBurst, Pir: r.PIR, Pburst: r.PBurst}
}

func meterRates(c *p4.MeterConfig) (engine.MeterRates, bool) {
	return engine.MeterRates{CIR: c.GetCir(), CBurst: c.GetCburst(), PIR: c.GetPir(), PBurst: c.GetPburst()}, c != nil
}

func (t *Target) meter(name string, index int) (*p4.MeterEntry, error) {
	id, err := named(t.schema.meters, "meter", name)
	return &p4.MeterEntry{MeterId: id, Index: &p4.Index{Index: int64(index)}}, err
}

// Meter is stf.Meters's.
func (t *Target) Meter(name string, index int) (engine.MeterRates, bool, error) {
	m, err := t.meter(name, index)
	if err != nil {
		return engine.MeterRates{}, false, err
	}
	got, err := t.one(&p4.Entity{Entity: &p4.Entity_MeterEntry{MeterEntry: m}})
	r, set := meterRates(got.GetMeterEntry().GetConfig())
	return r, set, err
}

// SetMeter is stf.Meters's.
func (t *Target) SetMeter(name string, index int, r engine.MeterRates) error {
	m, err := t.meter(name, index)
	if err != nil {
		return err
	}
	m.Config = meterConfig(r)
	return t.device.Write(t.ctx, p4.Update_MODIFY, &p4.Entity{Entity: &p4.Entity_MeterEntry{MeterEntry: m}})
}

// DirectMeter is stf.Meters's.
func (t *Target) DirectMeter(table string, e engine.Entry) (engine.MeterRates, bool, error) {
	entry, err := t.entity(table, e)
	if err != nil {
		return engine.MeterRates{}, false, err
	}
	got, err := t.one(&p4.Entity{Entity: &p4.Entity_DirectMeterEntry{DirectMeterEntry: &p4.DirectMeterEntry{TableEntry: entry}}})
	r, set := meterRates(got.GetDirectMeterEntry().GetConfig())
	return r, set, err
}

// SetDirectMeter is stf.Meters's.
func (t *Target) SetDirectMeter(table string, e engine.Entry, r engine.MeterRates) error {
	entry, err := t.entity(table, e)
	if err != nil {
		return err
	}
	m := &p4.DirectMeterEntry{TableEntry: entry, Config: meterConfig(r)}
	return t.device.Write(t.ctx, p4.Update_MODIFY, &p4.Entity{Entity: &p4.Entity_DirectMeterEntry{DirectMeterEntry: m}})
}

// SetValueSet is stf.ValueSets's.
func (t *Target) SetValueSet(name string, members [][]engine.Match) error {
	info, err := named(t.schema.valueSets, "value set", name)
	if err != nil {
		return err
	}
	e := &p4.ValueSetEntry{ValueSetId: info.GetPreamble().GetId()}
	for _, matches := range members {
		if len(matches) != len(info.GetMatch()) {
			return fmt.Errorf("value set %s: %d matches and %d match fields", name, len(matches), len(info.GetMatch()))
		}
		m := &p4.ValueSetMember{}
		for i, f := range info.GetMatch() {
			if x := fieldMatch(f, matches[i]); x != nil {
				m.Match = append(m.Match, x)
			}
		}
		e.Members = append(e.Members, m)
	}
	err = t.device.Write(t.ctx, p4.Update_MODIFY, &p4.Entity{Entity: &p4.Entity_ValueSetEntry{ValueSetEntry: e}})
	if status.Code(err) == codes.Unimplemented {
		t.unserved = fmt.Errorf("value set %s: %w: %w", name, stf.ErrUnsupported, err)
	}
	return err
}
