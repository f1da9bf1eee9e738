package stf

import "github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"

func (t *engineTarget) profile(name string) (*engine.Profile, error) {
	return object(t.sw.Profile, "action profile", name)
}

func (t *engineTarget) AddMember(profile string, id uint32, action string, params [][]byte) error {
	p, err := t.profile(profile)
	if err != nil {
		return err
	}
	return p.AddMember(id, action, params)
}

func (t *engineTarget) ModifyMember(profile string, id uint32, action string, params [][]byte) error {
	p, err := t.profile(profile)
	if err != nil {
		return err
	}
	return p.ModifyMember(id, action, params)
}

func (t *engineTarget) DeleteMember(profile string, id uint32) error {
	p, err := t.profile(profile)
	if err != nil {
		return err
	}
	return p.DeleteMember(id)
}

func (t *engineTarget) AddGroup(profile string, id uint32) error {
	p, err := t.profile(profile)
	if err != nil {
		return err
	}
	return p.AddGroup(id, nil)
}

func (t *engineTarget) ModifyGroup(profile string, id uint32, members []uint32) error {
	p, err := t.profile(profile)
	if err != nil {
		return err
	}
	list := make([]engine.GroupMember, len(members))
	for i, m := range members {
		list[i] = engine.GroupMember{ID: m, Weight: 1}
	}
	return p.ModifyGroup(id, list)
}

func (t *engineTarget) DeleteGroup(profile string, id uint32) error {
	p, err := t.profile(profile)
	if err != nil {
		return err
	}
	return p.DeleteGroup(id)
}

func (t *engineTarget) SetDefaultIndirect(table string, kind engine.IndirectKind, id uint32) error {
	x, err := t.table(table)
	if err != nil {
		return err
	}
	return x.SetDefaultIndirect(kind, id)
}

func (t *engineTarget) Meter(name string, index int) (r engine.MeterRates, set bool, err error) {
	m, err := object(t.sw.Meter, "meter", name)
	if err != nil {
		return r, false, err
	}
	r, set = m.Rates(index)
	return r, set, nil
}

func (t *engineTarget) SetMeter(name string, index int, r engine.MeterRates) error {
	m, err := object(t.sw.Meter, "meter", name)
	if err != nil {
		return err
	}
	return m.SetRates(index, r)
}

func (t *engineTarget) DirectMeter(table string, e engine.Entry) (r engine.MeterRates, set bool, err error) {
	x, err := t.table(table)
	if err != nil {
		return r, false, err
	}
	got, err := x.Lookup(e.Match, e.Priority)
	if err != nil || got.Meter == nil {
		return r, false, err
	}
	return *got.Meter, true, nil
}

func (t *engineTarget) SetDirectMeter(table string, e engine.Entry, r engine.MeterRates) error {
	x, err := t.table(table)
	if err != nil {
		return err
	}
	return x.WriteMeter(e.Match, e.Priority, &r)
}

func (t *engineTarget) SetValueSet(name string, members [][]engine.Match) error {
	v, err := object(t.sw.ValueSet, "value set", name)
	if err != nil {
		return err
	}
	return v.Set(members)
}
