package conformance

import (
	"fmt"

	p4 "github.com/p4lang/p4runtime/go/p4/v1"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/stf"
)

func (t *Target) counter(name string, index int) (*p4.CounterEntry, error) {
	id, err := named(t.schema.counters, "counter", name)
	return &p4.CounterEntry{CounterId: id, Index: &p4.Index{Index: int64(index)}}, err
}

// Counter is stf.State's.
func (t *Target) Counter(name string, index int) (engine.CounterData, error) {
	c, err := t.counter(name, index)
	if err != nil {
		return engine.CounterData{}, err
	}
	got, err := t.one(&p4.Entity{Entity: &p4.Entity_CounterEntry{CounterEntry: c}})
	return counterData(got.GetCounterEntry().GetData()), err
}

// SetCounter is stf.State's.
func (t *Target) SetCounter(name string, index int, d engine.CounterData) error {
	c, err := t.counter(name, index)
	if err != nil {
		return err
	}
	c.Data = counterValue(d)
	return t.device.Write(t.ctx, p4.Update_MODIFY, &p4.Entity{Entity: &p4.Entity_CounterEntry{CounterEntry: c}})
}

// Register is stf.State's. simple_switch_grpc does not serve registers over P4Runtime, so that
// cases see registers by what the program does with them.
func (t *Target) Register(name string, _ int) ([]byte, error) {
	return nil, fmt.Errorf("register %s: %w", name, stf.ErrUnsupported)
}

// SetRegister is stf.State's.
func (t *Target) SetRegister(name string, _ int, _ []byte) error {
	return fmt.Errorf("register %s: %w", name, stf.ErrUnsupported)
}

func replicas(list []engine.Replica) []*p4.Replica {
	var out []*p4.Replica
	for _, r := range list {
		// simple_switch_grpc does not know the newer field, a byte string.
		out = append(out, &p4.Replica{PortKind: &p4.Replica_EgressPort{EgressPort: r.Port}, Instance: uint32(r.Instance)})
	}
	return out
}

func replication(e *p4.PacketReplicationEngineEntry) *p4.Entity {
	return &p4.Entity{Entity: &p4.Entity_PacketReplicationEngineEntry{PacketReplicationEngineEntry: e}}
}

func groupEntity(group uint16, list []engine.Replica) *p4.Entity {
	return replication(&p4.PacketReplicationEngineEntry{Type: &p4.PacketReplicationEngineEntry_MulticastGroupEntry{
		MulticastGroupEntry: &p4.MulticastGroupEntry{MulticastGroupId: uint32(group), Replicas: replicas(list)}}})
}

func sessionEntity(session uint16, list []engine.Replica) *p4.Entity {
	return replication(&p4.PacketReplicationEngineEntry{Type: &p4.PacketReplicationEngineEntry_CloneSessionEntry{
		CloneSessionEntry: &p4.CloneSessionEntry{SessionId: uint32(session), Replicas: replicas(list)}}})
}

// SetMulticast is stf.Replication's.
func (t *Target) SetMulticast(group uint16, list []engine.Replica) error {
	return t.replace(groupEntity(group, nil), groupEntity(group, list))
}

// DeleteMulticast is stf.Replication's.
func (t *Target) DeleteMulticast(group uint16) error { return t.take(groupEntity(group, nil)) }

// SetClone is stf.Replication's.
func (t *Target) SetClone(session uint16, list []engine.Replica) error {
	return t.replace(sessionEntity(session, nil), sessionEntity(session, list))
}

// DeleteClone is stf.Replication's.
func (t *Target) DeleteClone(session uint16) error { return t.take(sessionEntity(session, nil)) }

// replace makes an entity, whose place takes the one that id names.
func (t *Target) replace(id, e *p4.Entity) error {
	if err := t.take(id); err != nil {
		return err
	}
	if err := t.device.Write(t.ctx, p4.Update_INSERT, e); err != nil {
		return err
	}
	t.made = append(t.made, id)
	return nil
}

// take removes what id names, if it is there.
func (t *Target) take(id *p4.Entity) error {
	for i, e := range t.made {
		if e.String() == id.String() {
			t.made = append(t.made[:i], t.made[i+1:]...)
			return t.device.Write(t.ctx, p4.Update_DELETE, id)
		}
	}
	return nil
}
