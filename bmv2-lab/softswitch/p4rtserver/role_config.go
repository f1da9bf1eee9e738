package p4rtserver

import (
	"bytes"
	"slices"

	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// Role configurations: the specification, section 5.2, leaves their scheme to an agreement
// between clients and servers. The one that clients know is Stratum's, stratum.P4RoleConfig:
//
//	repeated uint32 exclusive_p4_ids = 1; // no other role may claim them
//	repeated uint32 shared_p4_ids    = 2;
//	PacketFilter packet_in_filter    = 3; // { uint32 metadata_id = 1; bytes value = 2; }
//	bool receives_packet_ins         = 4;
//	bool can_push_pipeline           = 5;

// roleConfigURL is the type of the configurations that are understood.
const roleConfigURL = "type.googleapis.com/stratum.P4RoleConfig"

// maxRoleIDs bounds the ids of one configuration.
const maxRoleIDs = 1 << 16

// roleConfig says what a role may do; nil is a role that may do everything. It is immutable.
type roleConfig struct {
	sent              *anypb.Any // as the client sent it, for notifications
	exclusive, shared map[uint32]bool
	filter            *p4.PacketMetadata // nil: all packet-ins
	packetIns         bool
	pushes            bool // may set the pipeline
}

// newRoleConfig reads a configuration; nil stays nil.
func newRoleConfig(sent *anypb.Any) (*roleConfig, error) {
	if sent == nil {
		return nil, nil
	}
	if sent.GetTypeUrl() != roleConfigURL {
		return nil, fail(codes.InvalidArgument, "role configuration of type %q; the one that is understood is %s", sent.GetTypeUrl(), roleConfigURL)
	}
	c := &roleConfig{sent: proto.Clone(sent).(*anypb.Any), exclusive: map[uint32]bool{}, shared: map[uint32]bool{}}
	if err := eachField(sent.GetValue(), c.field); err != nil {
		return nil, within(err, "role configuration")
	}
	if n := len(c.exclusive) + len(c.shared); n > maxRoleIDs {
		return nil, fail(codes.InvalidArgument, "role configuration: %d ids are more than %d", n, maxRoleIDs)
	}
	return c, nil
}

// field takes one field of the message.
func (c *roleConfig) field(num protowire.Number, v wireValue) error {
	switch num {
	case 1:
		return v.ids("exclusive_p4_ids", c.exclusive)
	case 2:
		return v.ids("shared_p4_ids", c.shared)
	case 3:
		if v.kind != protowire.BytesType {
			return fail(codes.InvalidArgument, "packet_in_filter is not a message")
		}
		if c.filter == nil {
			c.filter = &p4.PacketMetadata{}
		}
		return within(eachField(v.data, c.filterField), "packet_in_filter")
	case 4:
		return v.flag("receives_packet_ins", &c.packetIns)
	case 5:
		return v.flag("can_push_pipeline", &c.pushes)
	}
	return nil
}

func (c *roleConfig) filterField(num protowire.Number, v wireValue) error {
	switch {
	case num == 1 && v.kind == protowire.VarintType:
		c.filter.MetadataId = uint32(v.number)
	case num == 2 && v.kind == protowire.BytesType:
		c.filter.Value = bytes.Clone(canonical(v.data))
	case num == 1 || num == 2:
		return fail(codes.InvalidArgument, "field %d is of the wrong type", num)
	}
	return nil
}

// collides finds an id that one of two configurations claims for itself and the other claims
// as well.
func (c *roleConfig) collides(o *roleConfig) (id uint32, ok bool) {
	if c == nil || o == nil {
		return 0, false
	}
	var both []uint32
	for id := range c.exclusive {
		if o.exclusive[id] || o.shared[id] {
			both = append(both, id)
		}
	}
	for id := range c.shared {
		if o.exclusive[id] {
			both = append(both, id)
		}
	}
	if len(both) == 0 {
		return 0, false
	}
	return slices.Min(both), true
}

// owns says whether an object of the P4Info is in the role's scope. The replication engine,
// which has no id (0 here), is in that of roles without a configuration only.
func (c *roleConfig) owns(id uint32) bool {
	return c == nil || c.exclusive[id] || c.shared[id]
}

// mayPush says whether the role may set the pipeline.
func (c *roleConfig) mayPush() bool { return c == nil || c.pushes }

// takes says whether the role is to have a packet-in.
func (c *roleConfig) takes(in *p4.PacketIn) bool {
	if c == nil || c.packetIns && c.filter == nil {
		return true
	}
	return c.packetIns && slices.ContainsFunc(in.GetMetadata(), func(m *p4.PacketMetadata) bool {
		return m.GetMetadataId() == c.filter.GetMetadataId() && bytes.Equal(m.GetValue(), canonical(c.filter.GetValue()))
	})
}

// entityID is the id of the P4Info's object that an entity belongs to: for entries of tables
// and their direct resources the table's, 0 for the replication engine. one is false for a
// read of all objects of its kind.
func entityID(e *p4.Entity) (id uint32, one bool) {
	switch e := e.GetEntity().(type) {
	case *p4.Entity_ExternEntry:
		id = e.ExternEntry.GetExternId()
	case *p4.Entity_TableEntry:
		id = e.TableEntry.GetTableId()
	case *p4.Entity_ActionProfileMember:
		id = e.ActionProfileMember.GetActionProfileId()
	case *p4.Entity_ActionProfileGroup:
		id = e.ActionProfileGroup.GetActionProfileId()
	case *p4.Entity_MeterEntry:
		id = e.MeterEntry.GetMeterId()
	case *p4.Entity_DirectMeterEntry:
		id = e.DirectMeterEntry.GetTableEntry().GetTableId()
	case *p4.Entity_CounterEntry:
		id = e.CounterEntry.GetCounterId()
	case *p4.Entity_DirectCounterEntry:
		id = e.DirectCounterEntry.GetTableEntry().GetTableId()
	case *p4.Entity_ValueSetEntry:
		id = e.ValueSetEntry.GetValueSetId()
	case *p4.Entity_RegisterEntry:
		id = e.RegisterEntry.GetRegisterId()
	case *p4.Entity_DigestEntry:
		id = e.DigestEntry.GetDigestId()
	case *p4.Entity_PacketReplicationEngineEntry:
		r := e.PacketReplicationEngineEntry
		return 0, r.GetMulticastGroupEntry().GetMulticastGroupId() != 0 || r.GetCloneSessionEntry().GetSessionId() != 0
	}
	return id, id != 0
}

// permit refuses what is outside of a role's scope.
func (c *roleConfig) permit(e *p4.Entity) error {
	id, _ := entityID(e)
	switch {
	case c.owns(id):
		return nil
	case id == 0 && e.GetPacketReplicationEngineEntry() != nil:
		return fail(codes.PermissionDenied, "the replication engine belongs to roles without a configuration")
	}
	return fail(codes.PermissionDenied, "id %#x is not in the scope of the role", id)
}
