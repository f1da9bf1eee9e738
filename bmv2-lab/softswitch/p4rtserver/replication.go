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
		delete(p.groups, id)
		return nil
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
	p.groups[id] = g
	return nil
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
		delete(p.sessions, id)
		return nil
	}
	replicas, err := replicasIn(c.GetReplicas())
	if err != nil {
		return err
	}
	if c.GetPacketLengthBytes() < 0 {
		return fail(codes.InvalidArgument, "packet_length_bytes is negative")
	}
	s := engine.CloneSession{Replicas: replicas, Truncate: uint32(c.GetPacketLengthBytes())}
	if err := p.sw.SetCloneSession(uint16(id), s); err != nil {
		return err
	}
	c = proto.Clone(c).(*p4.CloneSessionEntry)
	canonicalPorts(c.GetReplicas())
	p.sessions[id] = c
	return nil
}

func replicasIn(in []*p4.Replica) ([]engine.Replica, error) {
	out := make([]engine.Replica, 0, len(in))
	seen := make(map[engine.Replica]bool, len(in))
	for i, r := range in {
		if len(r.GetBackupReplicas()) > 0 {
			return nil, fail(codes.Unimplemented, "replica %d: backup replicas are not supported", i)
		}
		if r.GetInstance() > maxInstance {
			return nil, fail(codes.InvalidArgument, "replica %d: instance %d is above %d", i, r.GetInstance(), maxInstance)
		}
		e := engine.Replica{Instance: uint16(r.GetInstance())}
		switch k := r.GetPortKind().(type) {
		case *p4.Replica_EgressPort:
			e.Port = k.EgressPort
		case *p4.Replica_Port:
			v, err := inRange(unsigned(k.Port, portBits))
			if err != nil {
				return nil, within(err, "replica %d: port", i)
			}
			for _, b := range v {
				e.Port = e.Port<<8 | uint32(b)
			}
		default:
			return nil, fail(codes.InvalidArgument, "replica %d has no port", i)
		}
		if seen[e] {
			return nil, fail(codes.InvalidArgument, "replica %d: port %d, instance %d is there twice", i, e.Port, e.Instance)
		}
		seen[e] = true
		out = append(out, e)
	}
	return out, nil
}

// canonicalPorts brings the ports of replicas to their shortest form.
func canonicalPorts(replicas []*p4.Replica) {
	for _, r := range replicas {
		if k, ok := r.GetPortKind().(*p4.Replica_Port); ok {
			k.Port = canonical(k.Port)
		}
	}
}

func (p *pipeline) readReplication(e *p4.PacketReplicationEngineEntry, out *entities) error {
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
