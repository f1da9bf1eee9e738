package p4rtserver

import (
	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
)

// Read answers a batch of requests with the state between two writes (P4Runtime
// specification, section 13). The answer is put together before it is sent: a slow client must
// not hold up writes.
func (s *Server) Read(req *p4.ReadRequest, stream p4.P4Runtime_ReadServer) error {
	if req.GetDeviceId() != s.cfg.DeviceID {
		return fail(codes.NotFound, "no device %d; this is device %d", req.GetDeviceId(), s.cfg.DeviceID)
	}
	role, err := s.arbiter.scope(req.GetRole())
	if err != nil {
		return err
	}
	found := &answer{room: &s.answers}
	defer found.giveUp()
	errs, err := s.gather(req, role, found)
	if err != nil {
		return err
	}
	if err := s.deliver(stream, found); err != nil {
		return err
	}
	return batchStatus("read", errs)
}

// gather puts an answer together; the errors are those of the requests, one each.
func (s *Server) gather(req *p4.ReadRequest, role *roleConfig, found *answer) ([]error, error) {
	s.state.RLock()
	defer s.state.RUnlock()
	if s.current == nil {
		return nil, fail(codes.FailedPrecondition, "read: no forwarding pipeline is set")
	}
	errs := make([]error, len(req.GetEntities()))
	for i, e := range req.GetEntities() {
		errs[i] = s.readFor(role, s.current, e, found)
	}
	if err := found.finish(); err != nil {
		s.metrics.readsRefused.WithLabelValues("memory").Inc()
		return nil, err
	}
	return errs, nil
}

// readFor answers one request with what is in a role's scope.
func (s *Server) readFor(role *roleConfig, p *pipeline, e *p4.Entity, out entities) error {
	if role == nil {
		return s.read(p, e, out)
	}
	if _, one := entityID(e); one {
		if err := role.permit(e); err != nil {
			return err
		}
	}
	return s.read(p, e, scoped{role, out})
}

// entities takes what a request selects.
type entities interface{ add(*p4.Entity) }

// entityList keeps the entities.
type entityList []*p4.Entity

func (l *entityList) add(x *p4.Entity) { *l = append(*l, x) }

// scoped lets pass what is in a role's scope.
type scoped struct {
	role *roleConfig
	to   entities
}

func (s scoped) add(x *p4.Entity) {
	if s.role.permit(x) == nil {
		s.to.add(x)
	}
}

// read answers one request. Called with state.
func (s *Server) read(p *pipeline, e *p4.Entity, out entities) error {
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
