package p4rtserver

import (
	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// readChunk bounds one response of a Read, in bytes; gRPC clients take 4 MiB by default.
const readChunk = 512 << 10

// entities gathers what a Read found.
type entities struct{ list []*p4.Entity }

func (e *entities) add(x *p4.Entity) { e.list = append(e.list, x) }

// Read answers a batch of requests with the state between two writes (P4Runtime
// specification, section 13). The answer is gathered before it is sent: a slow client must
// not hold up writes.
func (s *Server) Read(req *p4.ReadRequest, stream p4.P4Runtime_ReadServer) error {
	if req.GetDeviceId() != s.cfg.DeviceID {
		return fail(codes.NotFound, "no device %d; this is device %d", req.GetDeviceId(), s.cfg.DeviceID)
	}
	role, err := s.arbiter.scope(req.GetRole())
	if err != nil {
		return err
	}
	found, errs, err := s.gather(req, role)
	if err != nil {
		return err
	}
	for len(found.list) > 0 {
		n, size := 0, 0
		for n < len(found.list) && (n == 0 || size < readChunk) {
			size += proto.Size(found.list[n])
			n++
		}
		if err := stream.Send(&p4.ReadResponse{Entities: found.list[:n]}); err != nil {
			return err
		}
		found.list = found.list[n:]
	}
	return batchStatus("read", errs)
}

func (s *Server) gather(req *p4.ReadRequest, role *roleConfig) (*entities, []error, error) {
	s.state.RLock()
	defer s.state.RUnlock()
	p := s.current
	if p == nil {
		return nil, nil, fail(codes.FailedPrecondition, "read: no forwarding pipeline is set")
	}
	found, errs := &entities{}, make([]error, len(req.GetEntities()))
	for i, e := range req.GetEntities() {
		mark := len(found.list)
		if errs[i] = s.readFor(role, p, e, found); errs[i] != nil {
			found.list = found.list[:mark]
		}
	}
	return found, errs, nil
}

// readFor answers one request with what is in a role's scope.
func (s *Server) readFor(role *roleConfig, p *pipeline, e *p4.Entity, out *entities) error {
	if role == nil {
		return s.read(p, e, out)
	}
	if _, one := entityID(e); one {
		if err := role.permit(e); err != nil {
			return err
		}
	}
	all := &entities{}
	if err := s.read(p, e, all); err != nil {
		return err
	}
	for _, x := range all.list {
		if role.permit(x) == nil {
			out.add(x)
		}
	}
	return nil
}

// read answers one request. Called with state.
func (s *Server) read(p *pipeline, e *p4.Entity, out *entities) error {
	switch e := e.GetEntity().(type) {
	case *p4.Entity_TableEntry:
		return p.readTable(s.deps.Dataplane.Micros(), e.TableEntry, out)
	case *p4.Entity_ActionProfileMember:
		return p.readMember(e.ActionProfileMember, out)
	case *p4.Entity_ActionProfileGroup:
		return p.readProfileGroup(e.ActionProfileGroup, out)
	case *p4.Entity_CounterEntry:
		return p.readCounter(e.CounterEntry, out)
	case *p4.Entity_DirectCounterEntry:
		return p.readDirectCounter(e.DirectCounterEntry, out)
	case *p4.Entity_MeterEntry:
		return p.readMeter(e.MeterEntry, out)
	case *p4.Entity_DirectMeterEntry:
		return p.readDirectMeter(e.DirectMeterEntry, out)
	case *p4.Entity_RegisterEntry:
		return p.readRegister(e.RegisterEntry, out)
	case *p4.Entity_ValueSetEntry:
		return p.readValueSet(e.ValueSetEntry, out)
	case *p4.Entity_PacketReplicationEngineEntry:
		return p.readReplication(e.PacketReplicationEngineEntry, out)
	case *p4.Entity_DigestEntry:
		return p.readDigest(e.DigestEntry, out)
	case *p4.Entity_ExternEntry:
		if e.ExternEntry.GetExternTypeId() == 0 {
			return nil // all of no extern types
		}
	case nil:
		return fail(codes.InvalidArgument, "read without an entity")
	}
	return fail(codes.Unimplemented, "%T is not supported", e.GetEntity())
}
