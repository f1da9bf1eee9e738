package conformance

import (
	"context"
	"errors"
	"fmt"
	"time"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/stf"
)

// Target is a Device as scripts see switches: an stf.Target.
type Target struct {
	ctx    context.Context // of the one script that is carried out
	device Device
	info   *p4config.P4Info
	schema *schema
	// reference: the device is simple_switch_grpc.
	reference bool
	// made are the entities that a new pipeline would not take away, in their order.
	made []*p4.Entity
	// What the switch has sent to the controller and nobody has taken.
	packetIns []stf.Frame
	digests   []stf.Digest
	// unserved says what the script needs and the switch does not serve; mostly nil.
	unserved error
}

// NewTarget loads a case's program into a device. reference is as for Run. The target
// is for one script, which ctx limits.
func NewTarget(ctx context.Context, d Device, c Case, reference bool) (*Target, error) {
	t := &Target{ctx: ctx, device: d, info: c.Config.GetP4Info(), schema: newSchema(c.Config.GetP4Info()), reference: reference}
	if err := d.Load(ctx, c.Config); err != nil {
		return nil, err
	}
	for id := range t.schema.digests {
		// A list a digest: nothing waits for more to come.
		config := &p4.DigestEntry{DigestId: id, Config: &p4.DigestEntry_Config{MaxTimeoutNs: int64(time.Millisecond), MaxListSize: 1}}
		if err := d.Write(ctx, p4.Update_INSERT, &p4.Entity{Entity: &p4.Entity_DigestEntry{DigestEntry: config}}); err != nil {
			return nil, fmt.Errorf("digest %d: %w", id, err)
		}
	}
	return t, nil
}

// Close takes away what would stay in the switch when the next program is loaded.
func (t *Target) Close() error {
	var errs []error
	for _, e := range t.made {
		errs = append(errs, t.device.Write(t.ctx, p4.Update_DELETE, e))
	}
	t.made = nil
	return errors.Join(errs...)
}

func (t *Target) writeTable(kind p4.Update_Type, e *p4.TableEntry) error {
	return t.device.Write(t.ctx, kind, &p4.Entity{Entity: &p4.Entity_TableEntry{TableEntry: e}})
}

// Insert is stf.Tables's.
func (t *Target) Insert(table string, e engine.Entry) error {
	entry, err := t.entity(table, e)
	if err != nil {
		return err
	}
	if entry.Action, err = t.tableAction(e); err != nil {
		return err
	}
	return t.writeTable(p4.Update_INSERT, entry)
}

// Delete is stf.Tables's.
func (t *Target) Delete(table string, e engine.Entry) error {
	entry, err := t.entity(table, e)
	if err != nil {
		return err
	}
	return t.writeTable(p4.Update_DELETE, entry)
}

// Entries is stf.Tables's. A table that the compiler made, which P4Runtime does not know, has
// none.
func (t *Target) Entries(table string) ([]engine.Entry, error) {
	info, ok := t.schema.tables[table]
	if !ok {
		return nil, nil
	}
	pattern := &p4.TableEntry{TableId: info.GetPreamble().GetId()}
	found, err := t.device.Read(t.ctx, &p4.Entity{Entity: &p4.Entity_TableEntry{TableEntry: pattern}})
	if status.Code(err) == codes.Internal && t.reference {
		// Its server is confused by entries that the program declares and that are not constant.
		return nil, fmt.Errorf("table %s: %w: %w", table, stf.ErrUnsupported, err)
	}
	if err != nil {
		return nil, fmt.Errorf("table %s: %w", table, err)
	}
	var out []engine.Entry
	for _, e := range found {
		if !e.GetTableEntry().GetIsDefaultAction() {
			out = append(out, t.engineEntry(info, e.GetTableEntry()))
		}
	}
	return out, nil
}

// SetDefault is stf.Tables's.
func (t *Target) SetDefault(table, action string, params [][]byte) error {
	info, err := named(t.schema.tables, "table", table)
	if err != nil {
		return err
	}
	a, err := t.action(action, params)
	if err != nil {
		return err
	}
	return t.writeTable(p4.Update_MODIFY, &p4.TableEntry{TableId: info.GetPreamble().GetId(), IsDefaultAction: true,
		Action: &p4.TableAction{Type: &p4.TableAction_Action{Action: a}}})
}

// ResetDefault is stf.Tables's.
func (t *Target) ResetDefault(table string) error {
	info, err := named(t.schema.tables, "table", table)
	if err != nil {
		return err
	}
	return t.writeTable(p4.Update_MODIFY, &p4.TableEntry{TableId: info.GetPreamble().GetId(), IsDefaultAction: true})
}

// SetDefaultIndirect is stf.Tables's.
func (t *Target) SetDefaultIndirect(table string, kind engine.IndirectKind, id uint32) error {
	info, err := named(t.schema.tables, "table", table)
	if err != nil {
		return err
	}
	a, err := t.tableAction(engine.Entry{Indirect: kind, Member: id, Group: id})
	if err != nil {
		return err
	}
	return t.writeTable(p4.Update_MODIFY, &p4.TableEntry{TableId: info.GetPreamble().GetId(), IsDefaultAction: true, Action: a})
}

// Counters of P4Runtime are signed.
func counterData(d *p4.CounterData) engine.CounterData {
	return engine.CounterData{Packets: uint64(d.GetPacketCount()), Bytes: uint64(d.GetByteCount())}
}

func counterValue(d engine.CounterData) *p4.CounterData {
	return &p4.CounterData{PacketCount: int64(d.Packets), ByteCount: int64(d.Bytes)}
}

func (t *Target) directCounter(table string, e engine.Entry) (*p4.DirectCounterEntry, error) {
	entry, err := t.entity(table, e)
	return &p4.DirectCounterEntry{TableEntry: entry}, err
}

// one reads the only entity that a pattern names.
func (t *Target) one(pattern *p4.Entity) (*p4.Entity, error) {
	found, err := t.device.Read(t.ctx, pattern)
	switch {
	case err != nil:
		return nil, err
	case len(found) != 1:
		return nil, fmt.Errorf("%d entities read, and one was asked for: %w", len(found), engine.ErrNotFound)
	}
	return found[0], nil
}

// DirectCounter is stf.Tables's.
func (t *Target) DirectCounter(table string, e engine.Entry) (engine.CounterData, error) {
	c, err := t.directCounter(table, e)
	if err != nil {
		return engine.CounterData{}, err
	}
	got, err := t.one(&p4.Entity{Entity: &p4.Entity_DirectCounterEntry{DirectCounterEntry: c}})
	return counterData(got.GetDirectCounterEntry().GetData()), err
}

// SetDirectCounter is stf.Tables's.
func (t *Target) SetDirectCounter(table string, e engine.Entry, d engine.CounterData) error {
	c, err := t.directCounter(table, e)
	if err != nil {
		return err
	}
	c.Data = counterValue(d)
	return t.device.Write(t.ctx, p4.Update_MODIFY, &p4.Entity{Entity: &p4.Entity_DirectCounterEntry{DirectCounterEntry: c}})
}

// Pause is stf.Packets's. A running switch has a clock of its own.
func (t *Target) Pause(time.Duration) {}

var _ stf.Target = (*Target)(nil)
