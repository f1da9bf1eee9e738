package p4rtserver

import (
	"maps"
	"slices"

	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

// Limits of v1model: mcast_grp and egress_rid have 16 bits, clone sessions BMv2's 15.
const (
	maxGroup    = 1<<16 - 1
	maxInstance = 1<<16 - 1
	maxSession  = 1<<15 - 1
	maxClass    = 1<<8 - 1 // PSA's ClassOfService_t; v1model has none, and it changes nothing
	portBits    = 32
)

// writeReplication makes one update of the replication engine (specification, section 9.5).
func (p *pipeline) writeReplication(op p4.Update_Type, e *p4.PacketReplicationEngineEntry) error {
	switch v := e.GetType().(type) {
	case *p4.PacketReplicationEngineEntry_MulticastGroupEntry:
		g := v.MulticastGroupEntry
		return within(p.writeGroup(op, g), "multicast group %d", g.GetMulticastGroupId())
	case *p4.PacketReplicationEngineEntry_CloneSessionEntry:
		c := v.CloneSessionEntry
		return within(p.writeSession(op, c), "clone session %d", c.GetSessionId())
	}
	return fail(codes.InvalidArgument, "the replication engine entry is empty")
}

// checkExists says whether an update's type fits what there is.
func checkExists(op p4.Update_Type, exists bool) error {
	switch {
	case op == p4.Update_INSERT && exists:
		return fail(codes.AlreadyExists, "exists already")
	case op != p4.Update_INSERT && !exists:
		return fail(codes.NotFound, "does not exist")
	}
	return nil
}

func (p *pipeline) writeGroup(op p4.Update_Type, g *p4.MulticastGroupEntry) error {
	id := g.GetMulticastGroupId()
	if id == 0 || id > maxGroup {
		return fail(codes.InvalidArgument, "the id is not between 1 and %d", maxGroup)
	}
	if err := checkExists(op, p.groups[id] != nil); err != nil {
		return err
	}
	if op == p4.Update_DELETE {
		if err := p.sw.DeleteMulticast(uint16(id)); err != nil {
			return err
		}
		old := p.groups[id]
		remember(p.sw, p.groups, id)
		delete(p.groups, id)
		return p.grow(-len(old.GetMetadata()))
	}
	replicas, err := replicasIn(g.GetReplicas())
	if err != nil {
		return err
	}
	if err := p.sw.SetMulticast(uint16(id), replicas); err != nil {
		return err
	}
	g = proto.Clone(g).(*p4.MulticastGroupEntry)
	canonicalPorts(g.GetReplicas())
	more := len(g.GetMetadata()) - len(p.groups[id].GetMetadata())
	remember(p.sw, p.groups, id)
	p.groups[id] = g
	return p.grow(more)
}

func (p *pipeline) writeSession(op p4.Update_Type, c *p4.CloneSessionEntry) error {
	id := c.GetSessionId()
	if id == 0 || id > maxSession {
		return fail(codes.InvalidArgument, "the id is not between 1 and %d", maxSession)
	}
	if err := checkExists(op, p.sessions[id] != nil); err != nil {
		return err
	}
	if op == p4.Update_DELETE {
		if err := p.sw.DeleteCloneSession(uint16(id)); err != nil {
			return err
		}
		remember(p.sw, p.sessions, id)
		delete(p.sessions, id)
		return nil
	}
	replicas, err := replicasIn(c.GetReplicas())
	if err != nil {
		return err
	}
	switch {
	case c.GetPacketLengthBytes() < 0:
		return fail(codes.InvalidArgument, "packet_length_bytes is negative")
	case c.GetClassOfService() > maxClass:
		return fail(codes.InvalidArgument, "class_of_service %d is above %d", c.GetClassOfService(), maxClass)
	}
	s := engine.CloneSession{Replicas: replicas, Truncate: uint32(c.GetPacketLengthBytes())}
	if err := p.sw.SetCloneSession(uint16(id), s); err != nil {
		return err
	}
	c = proto.Clone(c).(*p4.CloneSessionEntry)
	canonicalPorts(c.GetReplicas())
	remember(p.sw, p.sessions, id)
	p.sessions[id] = c
	return nil
}

// replicasIn translates replicas with their backups (specification, section 9.5.1).
func replicasIn(in []*p4.Replica) ([]engine.Replica, error) {
	out := make([]engine.Replica, 0, len(in))
	taken := copies{}
	for i, r := range in {
		e, err := replicaIn(r, taken)
		if err != nil {
			return nil, within(err, "replica %d", i)
		}
		out = append(out, e)
	}
	return out, nil
}

func replicaIn(r *p4.Replica, taken copies) (engine.Replica, error) {
	e := engine.Replica{}
	var err error
	switch k := r.GetPortKind().(type) {
	case *p4.Replica_EgressPort:
		e.Port = k.EgressPort
	case *p4.Replica_Port:
		if e.Port, err = portIn(k.Port); err != nil {
			return e, within(err, "port")
		}
	default:
		return e, fail(codes.InvalidArgument, "it has no port")
	}
	if e.Instance, err = taken.add(e.Port, r.GetInstance()); err != nil {
		return e, err
	}
	for i, b := range r.GetBackupReplicas() {
		backup := engine.Replica{}
		if backup.Port, err = portIn(b.GetPort()); err != nil {
			return e, within(err, "backup %d: port", i)
		}
		if backup.Port == e.Port {
			return e, fail(codes.InvalidArgument, "backup %d: port %d is that of the replica", i, backup.Port)
		}
		if backup.Instance, err = taken.add(backup.Port, b.GetInstance()); err != nil {
			return e, within(err, "backup %d", i)
		}
		e.Backups = append(e.Backups, backup)
	}
	return e, nil
}

// portIn is the number of a port.
func portIn(b []byte) (port uint32, err error) {
	v, err := inRange(unsigned(b, portBits))
	for _, b := range v {
		port = port<<8 | uint32(b)
	}
	return port, err
}

// copies are the pairs of port and instance that a group or session has.
type copies map[[2]uint32]bool

// add checks a pair and returns the instance.
func (c copies) add(port, instance uint32) (uint16, error) {
	if instance > maxInstance {
		return 0, fail(codes.InvalidArgument, "instance %d is above %d", instance, maxInstance)
	}
	pair := [2]uint32{port, instance}
	if c[pair] {
		return 0, fail(codes.InvalidArgument, "port %d, instance %d is there twice", port, instance)
	}
	c[pair] = true
	return uint16(instance), nil
}

// canonicalPorts brings the ports of replicas to their shortest form.
func canonicalPorts(replicas []*p4.Replica) {
	for _, r := range replicas {
		if k, ok := r.GetPortKind().(*p4.Replica_Port); ok {
			k.Port = canonical(k.Port)
		}
		for _, b := range r.GetBackupReplicas() {
			b.Port = canonical(b.Port)
		}
	}
}

func (p *pipeline) readReplication(e *p4.PacketReplicationEngineEntry, out entities) error {
	add := func(entry *p4.PacketReplicationEngineEntry) {
		out.add(&p4.Entity{Entity: &p4.Entity_PacketReplicationEngineEntry{PacketReplicationEngineEntry: entry}})
	}
	switch v := e.GetType().(type) {
	case *p4.PacketReplicationEngineEntry_MulticastGroupEntry:
		for _, id := range selected(v.MulticastGroupEntry.GetMulticastGroupId(), p.groups) {
			add(&p4.PacketReplicationEngineEntry{Type: &p4.PacketReplicationEngineEntry_MulticastGroupEntry{
				MulticastGroupEntry: p.groups[id]}})
		}
	case *p4.PacketReplicationEngineEntry_CloneSessionEntry:
		for _, id := range selected(v.CloneSessionEntry.GetSessionId(), p.sessions) {
			add(&p4.PacketReplicationEngineEntry{Type: &p4.PacketReplicationEngineEntry_CloneSessionEntry{
				CloneSessionEntry: p.sessions[id]}})
		}
	default:
		return fail(codes.InvalidArgument, "the replication engine entry is empty")
	}
	return nil
}

// selected lists the ids that a read means: one if it is there, or all for 0.
func selected[V any](id uint32, m map[uint32]V) []uint32 {
	if id == 0 {
		return slices.Sorted(maps.Keys(m))
	}
	if _, ok := m[id]; ok {
		return []uint32{id}
	}
	return nil
}
