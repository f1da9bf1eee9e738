package p4rtserver

import (
	"context"

	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
)

// Write makes a batch of updates, one after the other (P4Runtime specification, section 12).
// An update that fails changes nothing.
func (s *Server) Write(ctx context.Context, req *p4.WriteRequest) (*p4.WriteResponse, error) {
	s.state.Lock()
	defer s.state.Unlock()
	role, err := s.arbiter.check(req.GetDeviceId(), req.GetRole(), req.GetElectionId())
	if err != nil {
		return nil, err
	}
	if s.current == nil {
		return nil, fail(codes.FailedPrecondition, "write: no forwarding pipeline is set")
	}
	var errs []error
	switch a := req.GetAtomicity(); a {
	case p4.WriteRequest_CONTINUE_ON_ERROR:
		errs = s.eachAlone(role, req.GetUpdates())
	case p4.WriteRequest_ROLLBACK_ON_ERROR:
		errs = s.allOrNone(role, req.GetUpdates())
	case p4.WriteRequest_DATAPLANE_ATOMIC:
		err = s.deps.Dataplane.Between(ctx, func() error {
			errs = s.allOrNone(role, req.GetUpdates())
			return nil
		})
	default:
		err = fail(codes.InvalidArgument, "write: atomicity %s", a)
	}
	if err != nil {
		return nil, unavailable("write", err)
	}
	for _, err := range errs {
		s.metrics.updates.WithLabelValues(codeOf(err).String()).Inc()
	}
	if err := batchStatus("write", errs); err != nil {
		return nil, err
	}
	return &p4.WriteResponse{}, nil
}

// eachAlone makes every update whether or not others fail. Called with state.
func (s *Server) eachAlone(role *roleConfig, updates []*p4.Update) []error {
	sw, errs := s.current.sw, make([]error, len(updates))
	for i, u := range updates {
		sw.Begin()
		if errs[i] = s.update(s.current, role, u); errs[i] != nil {
			sw.Rollback()
		}
		sw.Commit()
	}
	return errs
}

// allOrNone makes all updates, or none if one fails. Called with state.
func (s *Server) allOrNone(role *roleConfig, updates []*p4.Update) []error {
	sw, errs := s.current.sw, make([]error, len(updates))
	sw.Begin()
	defer sw.Commit()
	for i, u := range updates {
		err := s.update(s.current, role, u)
		if err == nil {
			continue
		}
		sw.Rollback()
		for j := range errs {
			errs[j] = fail(codes.Aborted, "not made, because update %d failed", i)
		}
		errs[i] = err
		break
	}
	return errs
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
