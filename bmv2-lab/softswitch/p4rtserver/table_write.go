package p4rtserver

import (
	"time"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

// extra is what the server keeps of an entry for the client only.
type extra struct {
	cookie      uint64
	metadata    string
	idleTimeout int64 // ns
}

func extraOf(e *p4.TableEntry) extra {
	return extra{cookie: e.GetControllerMetadata(), metadata: string(e.GetMetadata()), idleTimeout: e.GetIdleTimeoutNs()} //nolint:staticcheck // deprecated and still to be returned
}

// keepExtra remembers what came with an entry, and forgets what is all zero.
func (p *pipeline) keepExtra(t *table, key string, x extra) error {
	m := p.extras[t.id]
	if m == nil {
		m = map[string]extra{}
		p.extras[t.id] = m
	}
	old, had := m[key]
	if err := p.grow(len(x.metadata) - len(old.metadata)); err != nil {
		return err
	}
	switch {
	case x != (extra{}):
		remember(p.sw, m, key)
		m[key] = x
	case had:
		remember(p.sw, m, key)
		delete(m, key)
	}
	return nil
}

// maxMetadata bounds the metadata that clients keep here, in bytes.
const maxMetadata = 256 << 20

// grow changes how much metadata is kept.
func (p *pipeline) grow(by int) error {
	if by > 0 && p.metadata+by > maxMetadata {
		return fail(codes.ResourceExhausted, "metadata: %d bytes more than the %d that are kept would be more than %d", by, p.metadata, maxMetadata)
	}
	recall(p.sw, &p.metadata)
	p.metadata += by
	return nil
}

// defaultKey is where the default entry's extra is; no matchKey is empty.
const defaultKey = ""

func (p *pipeline) findTable(id uint32) (*table, error) {
	if id == 0 {
		return nil, fail(codes.InvalidArgument, "table id is not set")
	}
	t := p.schema.tables[id]
	if name, ok := p.schema.removed[id]; ok {
		return nil, fail(codes.NotFound, "table %q: the compiler has removed it from the program", name)
	}
	if t == nil {
		return nil, fail(codes.NotFound, "no table has id %#x", id)
	}
	return t, nil
}

// writeTable makes one update of a table (specification, section 9.1).
func (p *pipeline) writeTable(op p4.Update_Type, e *p4.TableEntry) error {
	t, err := p.findTable(e.GetTableId())
	if err != nil {
		return err
	}
	if e.GetIsDefaultAction() {
		err = p.writeDefault(t, op, e)
	} else {
		err = p.writeEntry(t, op, e)
	}
	return within(err, "table %q", t.engine.Name())
}

func (p *pipeline) writeEntry(t *table, op p4.Update_Type, e *p4.TableEntry) error {
	if len(t.fields) == 0 {
		return fail(codes.InvalidArgument, "the table has no key, only a default entry")
	}
	match, err := t.keyIn(e)
	if err != nil {
		return err
	}
	if e.GetIsConst() {
		return errIsConst
	}
	if op == p4.Update_DELETE {
		if t.info.GetIsConstTable() {
			return fail(codes.PermissionDenied, "the table's entries are constant")
		}
		return p.deleteEntry(t, match, e.GetPriority())
	}
	if err := t.checkValues(e); err != nil {
		return err
	}
	ee := engine.Entry{Match: match, Priority: e.GetPriority(),
		IdleTimeout: uint64(time.Duration(e.GetIdleTimeoutNs()).Microseconds())}
	if ee.Counter, err = t.counterIn(e); err != nil {
		return err
	}
	if ee.Meter, err = ratesIn(t.meter, e.GetMeterConfig()); err != nil {
		return err
	}
	if ee.Colours, err = coloursIn(e.GetMeterCounterData()); err != nil {
		return err
	}
	if t.info.GetIsConstTable() {
		return t.writeConst(op, e, ee)
	}
	return p.putEntry(t, op, e, ee)
}

// putEntry inserts or modifies an entry, of which only the action is not translated yet.
func (p *pipeline) putEntry(t *table, op p4.Update_Type, e *p4.TableEntry, ee engine.Entry) (err error) {
	key := t.matchKey(ee.Match, ee.Priority)
	var set *actionSet
	switch {
	case e.GetAction() != nil:
		set, err = p.actionIn(t, key, e.GetAction(), &ee)
	case op == p4.Update_INSERT:
		err = fail(codes.InvalidArgument, "the entry has no action")
	}
	if err != nil {
		return err
	}
	if op == p4.Update_INSERT {
		err = t.engine.Insert(ee)
	} else {
		err = t.modify(ee)
	}
	if err != nil {
		if set != nil {
			p.profiles[t.profile.id].undo(set)
		}
		return err
	}
	if t.profile != nil && e.GetAction() != nil {
		p.profiles[t.profile.id].keepSet(setKey{t.id, key}, set)
	}
	return p.keepExtra(t, key, extraOf(e))
}

func (p *pipeline) deleteEntry(t *table, match []engine.Match, priority int32) error {
	if err := t.engine.Delete(match, priority); err != nil {
		return err
	}
	key := t.matchKey(match, priority)
	if t.profile != nil {
		p.profiles[t.profile.id].keepSet(setKey{t.id, key}, nil)
	}
	return p.keepExtra(t, key, extra{})
}

// keyIn checks and translates what identifies an entry.
func (t *table) keyIn(e *p4.TableEntry) ([]engine.Match, error) {
	match, err := t.matchIn(e.GetMatch())
	if err != nil {
		return nil, err
	}
	switch needs := t.engine.NeedsPriority(); {
	case needs && e.GetPriority() <= 0:
		return nil, fail(codes.InvalidArgument, "priority %d: the table has a ternary, range or optional key and needs a positive priority", e.GetPriority())
	case !needs && e.GetPriority() != 0:
		return nil, fail(codes.InvalidArgument, "priority %d: the table has exact and LPM keys only, and no priorities", e.GetPriority())
	}
	return match, nil
}

// errIsConst refuses what a client cannot ask for in any update (specification, section 9.1).
var errIsConst = fail(codes.InvalidArgument, "is_const is the program's to set")

// checkValues refuses what a client may not write.
func (t *table) checkValues(e *p4.TableEntry) error {
	switch {
	case e.GetIsConst():
		return errIsConst
	case e.GetTimeSinceLastHit() != nil:
		return fail(codes.InvalidArgument, "time_since_last_hit can only be read")
	case e.GetIdleTimeoutNs() < 0:
		return fail(codes.InvalidArgument, "idle_timeout_ns is negative")
	case e.GetIdleTimeoutNs() != 0 && (!t.idle || e.GetIsDefaultAction()):
		return fail(codes.InvalidArgument, "idle_timeout_ns: the table, or its default entry, has no idle timeouts")
	case t.meter == nil && (e.GetMeterConfig() != nil || e.GetMeterCounterData() != nil):
		return fail(codes.InvalidArgument, "meter_config, meter_counter_data: the table has no direct meter")
	}
	return nil
}

// counterIn is the direct counter that comes with an entry, nil if none does.
func (t *table) counterIn(e *p4.TableEntry) (*engine.CounterData, error) {
	if e.GetCounterData() == nil {
		return nil, nil
	}
	if !t.counter {
		return nil, fail(codes.InvalidArgument, "counter_data: the table has no direct counter")
	}
	d, err := counterIn(e.GetCounterData())
	return &d, err
}

// writeConst changes the direct counter and meter of an entry of a constant table, which is all
// that can be changed (specification, section 9.1.4).
func (t *table) writeConst(op p4.Update_Type, e *p4.TableEntry, ee engine.Entry) error {
	if op != p4.Update_MODIFY || e.GetAction() != nil {
		return fail(codes.PermissionDenied, "the table's entries are constant")
	}
	if _, err := t.engine.Lookup(ee.Match, ee.Priority); err != nil {
		return err
	}
	if t.meter != nil {
		if err := t.setMeter(ee.Match, ee.Priority, ee.Meter, ee.Colours); err != nil {
			return err
		}
	}
	if ee.Counter == nil {
		return nil
	}
	return t.engine.WriteCounter(ee.Match, ee.Priority, *ee.Counter)
}

// modify gives an entry another action, or leaves it the one that it has.
func (t *table) modify(e engine.Entry) error {
	if e.Action == "" && e.Indirect == engine.Direct {
		old, err := t.engine.Lookup(e.Match, e.Priority)
		if err != nil {
			return err
		}
		e.Action, e.Params = old.Action, old.Params
		e.Indirect, e.Member, e.Group = old.Indirect, old.Member, old.Group
	}
	return t.engine.Modify(e)
}

// writeDefault changes the default entry (specification, section 9.1.3).
func (p *pipeline) writeDefault(t *table, op p4.Update_Type, e *p4.TableEntry) error {
	if op != p4.Update_MODIFY {
		return fail(codes.InvalidArgument, "%s: the default entry can only be modified", op)
	}
	if len(e.GetMatch()) != 0 || e.GetPriority() != 0 {
		return fail(codes.InvalidArgument, "the default entry has no match and no priority")
	}
	if err := t.checkValues(e); err != nil {
		return err
	}
	counter, err := t.counterIn(e)
	if err != nil {
		return err
	}
	rates, err := ratesIn(t.meter, e.GetMeterConfig())
	if err != nil {
		return err
	}
	colours, err := coloursIn(e.GetMeterCounterData())
	if err != nil {
		return err
	}
	direct := counter != nil || rates != nil || colours != nil
	if t.constDefault() && (e.GetAction() != nil || !direct) {
		return fail(codes.PermissionDenied, "the default action is constant")
	}
	if !t.constDefault() {
		if err := p.setDefault(t, e); err != nil {
			return err
		}
	}
	if counter != nil {
		if err := t.engine.WriteDefaultCounter(*counter); err != nil {
			return err
		}
	}
	if t.meter == nil {
		return nil
	}
	return t.setDefaultMeter(rates, colours)
}

// constDefault says whether the default action is constant, which it always is where an action
// profile has the actions.
func (t *table) constDefault() bool {
	return t.info.GetConstDefaultActionId() != 0 || t.profile != nil
}

func (p *pipeline) setDefault(t *table, e *p4.TableEntry) error {
	if e.GetAction() == nil {
		if err := t.engine.ResetDefault(); err != nil {
			return err
		}
		if t.counter {
			if err := t.engine.WriteDefaultCounter(engine.CounterData{}); err != nil {
				return err
			}
		}
		return p.keepExtra(t, defaultKey, extra{})
	}
	name, params, err := p.directIn(t, e.GetAction(), p4config.ActionRef_TABLE_ONLY)
	if err != nil {
		return err
	}
	if err := t.engine.SetDefault(name, params); err != nil {
		return err
	}
	return p.keepExtra(t, defaultKey, extraOf(e))
}

// writeDirectCounter sets the counter of an entry (specification, section 9.3.1).
func (p *pipeline) writeDirectCounter(op p4.Update_Type, e *p4.DirectCounterEntry) error {
	t, err := p.findTable(e.GetTableEntry().GetTableId())
	if err != nil {
		return err
	}
	if op != p4.Update_MODIFY {
		return fail(codes.InvalidArgument, "table %q: %s: direct counters can only be modified", t.engine.Name(), op)
	}
	if !t.counter {
		return fail(codes.InvalidArgument, "table %q has no direct counter", t.engine.Name())
	}
	d, err := counterIn(e.GetData())
	if err != nil {
		return within(err, "table %q", t.engine.Name())
	}
	if e.GetTableEntry().GetIsDefaultAction() {
		if e.GetData() == nil {
			return nil
		}
		return within(t.engine.WriteDefaultCounter(d), "table %q", t.engine.Name())
	}
	match, err := t.keyIn(e.GetTableEntry())
	if err == nil && e.GetData() == nil {
		_, err = t.engine.Lookup(match, e.GetTableEntry().GetPriority())
	} else if err == nil {
		err = t.engine.WriteCounter(match, e.GetTableEntry().GetPriority(), d)
	}
	return within(err, "table %q", t.engine.Name())
}
