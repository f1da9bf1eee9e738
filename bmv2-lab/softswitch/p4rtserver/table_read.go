package p4rtserver

import (
	"errors"

	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

// readTable adds the entries that a request selects (specification, section 9.1.6).
func (p *pipeline) readTable(now uint64, e *p4.TableEntry, out entities) error {
	switch {
	case e.GetTimeSinceLastHit() != nil && e.GetIsDefaultAction():
		return fail(codes.InvalidArgument, "time_since_last_hit: default entries have no idle timeouts")
	case e.GetAction() != nil && e.GetAction().GetAction() == nil:
		return fail(codes.InvalidArgument, "%T: entries can be selected by the id of an action only", e.GetAction().GetType())
	}
	ids := p.schema.tableOrder
	if e.GetTableId() != 0 {
		if _, err := p.findTable(e.GetTableId()); err != nil {
			return err
		}
		ids = []uint32{e.GetTableId()}
	} else if len(e.GetMatch()) > 0 || e.GetAction() != nil || e.GetPriority() != 0 {
		return fail(codes.InvalidArgument, "a read of all tables can have no match, action or priority")
	}
	for _, id := range ids {
		t := p.schema.tables[id]
		if e.GetTimeSinceLastHit() != nil && !t.idle && e.GetTableId() != 0 {
			return fail(codes.InvalidArgument, "time_since_last_hit: table %q has no idle timeouts", t.engine.Name())
		}
		if err := p.select1(t, e, func(entry engine.Entry) {
			if te := p.entryOut(t, now, e, entry); te != nil {
				out.add(&p4.Entity{Entity: &p4.Entity_TableEntry{TableEntry: te}})
			}
		}); err != nil {
			return within(err, "table %q", t.engine.Name())
		}
	}
	return nil
}

// select1 yields the entries of one table whose key a request selects.
func (p *pipeline) select1(t *table, e *p4.TableEntry, yield func(engine.Entry)) error {
	switch {
	case e.GetIsDefaultAction():
		if len(e.GetMatch()) > 0 || e.GetPriority() != 0 {
			return fail(codes.InvalidArgument, "the default entry has no match and no priority")
		}
		d, _ := t.engine.Default()
		yield(d)
	case len(e.GetMatch()) > 0 && (e.GetPriority() != 0 || !t.engine.NeedsPriority()):
		match, err := t.keyIn(e)
		if err != nil {
			return err
		}
		entry, err := t.engine.Lookup(match, e.GetPriority())
		if errors.Is(err, engine.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		yield(entry)
	case len(e.GetMatch()) > 0:
		match, err := t.matchIn(e.GetMatch())
		if err != nil {
			return err
		}
		want := t.matchKey(match, 0)
		for entry := range t.engine.Entries() {
			if t.matchKey(entry.Match, 0) == want {
				yield(entry)
			}
		}
	default:
		for entry := range t.engine.Entries() {
			if e.GetPriority() == 0 || e.GetPriority() == entry.Priority {
				yield(entry)
			}
		}
	}
	return nil
}

// entryOut translates an entry, or returns nil if the request's other filters exclude it.
func (p *pipeline) entryOut(t *table, now uint64, filter *p4.TableEntry, e engine.Entry) *p4.TableEntry {
	out := &p4.TableEntry{TableId: t.id}
	key := defaultKey
	if filter.GetIsDefaultAction() {
		out.IsDefaultAction = true
		out.IsConst = t.constDefault()
	} else {
		key = t.matchKey(e.Match, e.Priority)
		out.Match, out.Priority = t.matchOut(e.Match), e.Priority
		out.IsConst = e.Const || t.info.GetIsConstTable()
	}
	out.Action = p.actionOut(t, key, e)
	if id := t.info.GetInitialDefaultAction().GetActionId(); out.IsDefaultAction && out.Action == nil && id != 0 {
		// The JSON has none for tables with an action profile, and NoAction is what they do.
		out.Action = &p4.TableAction{Type: &p4.TableAction_Action{Action: &p4.Action{ActionId: id}}}
	}
	x := p.extras[t.id][key]
	out.ControllerMetadata, out.IdleTimeoutNs = x.cookie, x.idleTimeout //nolint:staticcheck // deprecated and still to be returned
	if x.metadata != "" {
		out.Metadata = []byte(x.metadata)
	}
	switch {
	case filter.GetAction() != nil && filter.GetAction().GetAction().GetActionId() != out.GetAction().GetAction().GetActionId():
		return nil
	case filter.GetControllerMetadata() != 0 && filter.GetControllerMetadata() != x.cookie: //nolint:staticcheck // as above
		return nil
	case len(filter.GetMetadata()) > 0 && string(filter.GetMetadata()) != x.metadata:
		return nil
	}
	if filter.GetCounterData() != nil && t.counter && e.Counter != nil {
		out.CounterData = counterOut(*e.Counter)
	}
	if filter.GetMeterConfig() != nil && t.meter != nil {
		out.MeterConfig = ratesOut(e.Meter)
	}
	if filter.GetMeterCounterData() != nil && t.meter != nil && e.Colours != nil {
		out.MeterCounterData = coloursOut(*e.Colours)
	}
	if filter.GetTimeSinceLastHit() != nil && t.idle {
		elapsed := now - min(e.LastHit, now)
		out.TimeSinceLastHit = &p4.TableEntry_IdleTimeout{ElapsedNs: int64(elapsed) * 1000}
	}
	return out
}

// readDirectCounter adds the direct counters that a request selects.
func (p *pipeline) readDirectCounter(e *p4.DirectCounterEntry, out entities) error {
	has := func(t *table) bool { return t.counter }
	return p.readDirect("counter", has, e.GetTableEntry(), func(key *p4.TableEntry, entry engine.Entry) {
		d := engine.CounterData{}
		if entry.Counter != nil {
			d = *entry.Counter
		}
		out.add(&p4.Entity{Entity: &p4.Entity_DirectCounterEntry{DirectCounterEntry: &p4.DirectCounterEntry{
			TableEntry: key, Data: counterOut(d),
		}}})
	})
}

// readDirect yields the keys of entries that a request for their direct counters or meters
// selects.
func (p *pipeline) readDirect(what string, has func(*table) bool, e *p4.TableEntry, yield func(*p4.TableEntry, engine.Entry)) error {
	ids := p.schema.tableOrder
	if e.GetTableId() != 0 {
		t, err := p.findTable(e.GetTableId())
		if err != nil {
			return err
		}
		if !has(t) {
			return fail(codes.InvalidArgument, "table %q has no direct %s", t.engine.Name(), what)
		}
		ids = []uint32{e.GetTableId()}
	} else if len(e.GetMatch()) > 0 || e.GetPriority() != 0 {
		return fail(codes.InvalidArgument, "a read of all tables can have no match or priority")
	}
	for _, id := range ids {
		t := p.schema.tables[id]
		if !has(t) {
			continue
		}
		found := false
		err := p.select1(t, e, func(entry engine.Entry) {
			found = true
			key := &p4.TableEntry{TableId: id, IsDefaultAction: e.GetIsDefaultAction()}
			if !key.IsDefaultAction {
				key.Match, key.Priority = t.matchOut(entry.Match), entry.Priority
			}
			yield(key, entry)
		})
		if err != nil {
			return within(err, "table %q", t.engine.Name())
		}
		if !found && len(e.GetMatch()) > 0 {
			return fail(codes.NotFound, "table %q: no such entry", t.engine.Name())
		}
	}
	return nil
}
