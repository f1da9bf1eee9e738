package p4rtserver

import (
	"context"

	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
)

// Write makes a batch of updates, one after the other, each whether or not others fail
// (P4Runtime specification, section 12).
func (s *Server) Write(_ context.Context, req *p4.WriteRequest) (*p4.WriteResponse, error) {
	s.state.Lock()
	defer s.state.Unlock()
	role, err := s.arbiter.check(req.GetDeviceId(), req.GetRole(), req.GetElectionId())
	if err != nil {
		return nil, err
	}
	if s.current == nil {
		return nil, fail(codes.FailedPrecondition, "write: no forwarding pipeline is set")
	}
	if a := req.GetAtomicity(); a != p4.WriteRequest_CONTINUE_ON_ERROR {
		return nil, fail(codes.Unimplemented, "write: atomicity %s is not supported", a)
	}
	errs := make([]error, len(req.GetUpdates()))
	for i, u := range req.GetUpdates() {
		errs[i] = s.update(s.current, role, u)
		s.metrics.updates.WithLabelValues(codeOf(errs[i]).String()).Inc()
	}
	if err := batchStatus("write", errs); err != nil {
		return nil, err
	}
	return &p4.WriteResponse{}, nil
}

// update makes one update. Called with state.
func (s *Server) update(p *pipeline, role *roleConfig, u *p4.Update) error {
	op := u.GetType()
	if op != p4.Update_INSERT && op != p4.Update_MODIFY && op != p4.Update_DELETE {
		return fail(codes.InvalidArgument, "update of type %s", op)
	}
	if u.GetEntity().GetEntity() == nil {
		return fail(codes.InvalidArgument, "update without an entity")
	}
	if err := role.permit(u.GetEntity()); err != nil {
		return err
	}
	switch e := u.GetEntity().GetEntity().(type) {
	case *p4.Entity_TableEntry:
		return p.writeTable(op, e.TableEntry)
	case *p4.Entity_ActionProfileMember:
		return p.writeMember(op, e.ActionProfileMember)
	case *p4.Entity_ActionProfileGroup:
		return p.writeProfileGroup(op, e.ActionProfileGroup)
	case *p4.Entity_CounterEntry:
		return p.writeCounter(op, e.CounterEntry)
	case *p4.Entity_DirectCounterEntry:
		return p.writeDirectCounter(op, e.DirectCounterEntry)
	case *p4.Entity_MeterEntry:
		return p.writeMeter(op, e.MeterEntry)
	case *p4.Entity_DirectMeterEntry:
		return p.writeDirectMeter(op, e.DirectMeterEntry)
	case *p4.Entity_RegisterEntry:
		return p.writeRegister(op, e.RegisterEntry)
	case *p4.Entity_ValueSetEntry:
		return p.writeValueSet(op, e.ValueSetEntry)
	case *p4.Entity_PacketReplicationEngineEntry:
		return p.writeReplication(op, e.PacketReplicationEngineEntry)
	case *p4.Entity_DigestEntry:
		return p.writeDigest(s.digester, op, e.DigestEntry)
	}
	return fail(codes.Unimplemented, "%T is not supported", u.GetEntity().GetEntity())
}
