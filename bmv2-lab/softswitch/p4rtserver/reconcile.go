package p4rtserver

import (
	"bytes"
	"context"
	"slices"

	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

// reconcile commits a pipeline and keeps the state: entries, counters, registers, replication
// and digest settings. The same program keeps its running switch; into another one everything
// is copied by id between two packets, and what has no place there is an error that leaves
// the old one running. Called with state.
func (s *Server) reconcile(ctx context.Context, next *pipeline) error {
	old := s.running.Load()
	if old == nil {
		return s.commit(ctx, next, nil)
	}
	if bytes.Equal(next.config.GetP4DeviceConfig(), old.config.GetP4DeviceConfig()) && proto.Equal(next.config.GetP4Info(), old.config.GetP4Info()) {
		old.config = next.config
		s.current = old
		return nil
	}
	return s.commit(ctx, next, func() error {
		if err := s.carry(old, next); err != nil {
			return &failure{codes.InvalidArgument, within(err, "the state cannot be preserved")}
		}
		return nil
	})
}

// carry copies one pipeline's state into another.
func (s *Server) carry(old, next *pipeline) error {
	for uri, n := range old.schema.names {
		if to := next.schema.names[uri]; to != nil {
			to.adopt(n)
		}
	}
	if err := carryProfiles(old, next); err != nil {
		return err
	}
	for _, id := range old.schema.tableOrder {
		t := old.schema.tables[id]
		if err := carryTable(old, next, t); err != nil {
			return within(err, "table %q", t.engine.Name())
		}
	}
	if err := carryArrays(old, next); err != nil {
		return err
	}
	if err := carryValueSets(old, next); err != nil {
		return err
	}
	for _, g := range old.groups {
		if err := next.writeGroup(p4.Update_INSERT, g); err != nil {
			return within(err, "multicast group %d", g.GetMulticastGroupId())
		}
	}
	for _, c := range old.sessions {
		if err := next.writeSession(p4.Update_INSERT, c); err != nil {
			return within(err, "clone session %d", c.GetSessionId())
		}
	}
	for id, c := range old.digests {
		if err := next.writeDigest(s.digester, p4.Update_INSERT, &p4.DigestEntry{DigestId: id, Config: c}); err != nil {
			return err
		}
	}
	return nil
}

func carryTable(old, next *pipeline, t *table) error {
	filter := &p4.TableEntry{TableId: t.id, CounterData: &p4.CounterData{}, MeterConfig: &p4.MeterConfig{}}
	if !t.info.GetIsConstTable() {
		if err := next.clear(t.id); err != nil {
			return err
		}
	}
	for e := range t.engine.Entries() {
		out, op := old.entryOut(t, 0, filter, e), p4.Update_INSERT
		if out.GetIsConst() {
			if !next.hasConst(out) {
				continue // what it had counted has no place
			}
			out.Action, out.IsConst, op = nil, false, p4.Update_MODIFY
		}
		if err := next.writeTable(op, out); err != nil {
			return err
		}
		if err := next.carryColours(out, e.Colours); err != nil {
			return err
		}
	}
	return carryDefault(old, next, t)
}

// hasConst says whether a constant entry is one of this pipeline too.
func (p *pipeline) hasConst(e *p4.TableEntry) bool {
	t, err := p.findTable(e.GetTableId())
	if err != nil || !t.info.GetIsConstTable() {
		return false
	}
	match, err := t.keyIn(e)
	if err != nil {
		return false
	}
	_, err = t.engine.Lookup(match, e.GetPriority())
	return err == nil
}

// carryDefault copies the default entry, with what is direct to it also if its action is constant.
func carryDefault(old, next *pipeline, t *table) error {
	d, _ := t.engine.Default()
	filter := &p4.TableEntry{TableId: t.id, IsDefaultAction: true, CounterData: &p4.CounterData{}, MeterConfig: &p4.MeterConfig{}}
	out := old.entryOut(t, 0, filter, d)
	out.IsConst = false
	if t.constDefault() {
		if out.Action = nil; d.Counter == nil && d.Meter == nil {
			return next.carryColours(out, d.Colours)
		}
	} else if out.GetAction() == nil {
		return nil
	}
	if err := next.writeTable(p4.Update_MODIFY, out); err != nil {
		return err
	}
	return next.carryColours(out, d.Colours)
}

// carryColours copies what the meter of an entry has marked, which no write could say.
func (p *pipeline) carryColours(e *p4.TableEntry, c *engine.Colours) error {
	if c == nil || *c == (engine.Colours{}) {
		return nil
	}
	t, err := p.findTable(e.GetTableId())
	if err != nil {
		return err
	}
	if e.GetIsDefaultAction() {
		return t.engine.WriteDefaultColours(*c)
	}
	match, err := t.keyIn(e)
	if err != nil {
		return err
	}
	return t.engine.WriteColours(match, e.GetPriority(), *c)
}

// clear removes the initial entries of a table, which are what the client has made of them.
func (p *pipeline) clear(id uint32) error {
	t := p.schema.tables[id]
	if t == nil {
		return nil
	}
	for _, e := range slices.Collect(t.engine.Entries()) {
		if e.Const {
			continue
		}
		if err := p.deleteEntry(t, e.Match, e.Priority); err != nil {
			return err
		}
	}
	return nil
}

// carryProfiles copies members and groups. Those of sets of actions come with their entries.
func carryProfiles(old, next *pipeline) error {
	var all entityList
	if err := old.readMember(&p4.ActionProfileMember{}, &all); err != nil {
		return err
	}
	if err := old.readProfileGroup(&p4.ActionProfileGroup{}, &all); err != nil {
		return err
	}
	for _, e := range all {
		var err error
		if m := e.GetActionProfileMember(); m != nil {
			err = next.writeMember(p4.Update_INSERT, m)
		} else {
			err = next.writeProfileGroup(p4.Update_INSERT, e.GetActionProfileGroup())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// carryValueSets copies the value sets that are not empty.
func carryValueSets(old, next *pipeline) error {
	var all entityList
	if err := old.readValueSet(&p4.ValueSetEntry{}, &all); err != nil {
		return err
	}
	for _, e := range all {
		if v := e.GetValueSetEntry(); len(v.GetMembers()) > 0 {
			if err := next.writeValueSet(p4.Update_MODIFY, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// carryArrays copies the counters, meters and registers that both pipelines have.
func carryArrays(old, next *pipeline) error {
	for id, c := range old.schema.counters {
		if to := next.schema.counters[id]; to != nil {
			if err := carryCounter(c, to); err != nil {
				return within(err, "counter %q", c.Name())
			}
		}
	}
	for id, m := range old.schema.meters {
		if to := next.schema.meters[id]; to != nil {
			if err := carryMeter(m.engine, to.engine); err != nil {
				return within(err, "meter %q", m.engine.Name())
			}
		}
	}
	for id, r := range old.schema.registers {
		if to := next.schema.registers[id]; to != nil {
			if err := carryRegister(r.engine, to.engine); err != nil {
				return within(err, "register %q", r.engine.Name())
			}
		}
	}
	return nil
}

func carryCounter(c, to *engine.Counter) error {
	cells := make([]engine.CounterData, min(c.Size(), to.Size()))
	for i, d := range cells[:c.ReadRange(0, cells)] {
		if d == (engine.CounterData{}) {
			continue
		}
		if err := to.Write(i, d); err != nil {
			return err
		}
	}
	return nil
}

// carryMeter copies configurations and what was marked; the buckets are full again.
func carryMeter(m, to *engine.Meter) error {
	for i := range min(m.Size(), to.Size()) {
		if c, err := m.Colours(i); err == nil && c != (engine.Colours{}) {
			if err := to.WriteColours(i, c); err != nil {
				return err
			}
		}
		if r, set := m.Rates(i); set {
			if err := to.SetRates(i, r); err != nil {
				return err
			}
		}
	}
	return nil
}

func carryRegister(r, to *engine.Register) error {
	for i := range min(r.Size(), to.Size()) {
		v, err := r.Read(i)
		if err != nil {
			return err
		}
		if bitLen(v) == 0 {
			continue
		}
		if err := to.Write(i, v); err != nil {
			return err
		}
	}
	return nil
}
