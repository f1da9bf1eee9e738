package p4rtserver

import (
	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

// writeMember makes one update of a profile's members (specification, section 9.2.1).
func (p *pipeline) writeMember(op p4.Update_Type, m *p4.ActionProfileMember) error {
	f, err := p.findProfile(m.GetActionProfileId())
	if err != nil {
		return err
	}
	return within(p.updateMember(f, op, m), "action profile %q: member %d", f.engine.Name(), m.GetMemberId())
}

func (p *pipeline) updateMember(f *profileState, op p4.Update_Type, m *p4.ActionProfileMember) error {
	if m.GetMemberId() == 0 {
		return fail(codes.InvalidArgument, "member id is not set")
	}
	if err := f.byHand(); err != nil {
		return err
	}
	if op == p4.Update_DELETE {
		if err := f.engine.DeleteMember(m.GetMemberId()); err != nil {
			return err
		}
		recall(f.sw, &f.members)
		f.members--
		return nil
	}
	if m.GetAction() == nil {
		return fail(codes.InvalidArgument, "the member has no action")
	}
	name, params, err := p.schema.callIn(f.actions, m.GetAction(), p4config.ActionRef_DEFAULT_ONLY)
	if err != nil {
		return err
	}
	if op == p4.Update_MODIFY {
		return f.engine.ModifyMember(m.GetMemberId(), name, params)
	}
	if _, dup := f.engine.Member(m.GetMemberId()); !dup && f.info.GetSize() > 0 && int64(f.members) >= f.info.GetSize() {
		return fail(codes.ResourceExhausted, "the profile has its %d members", f.members)
	}
	if err := f.engine.AddMember(m.GetMemberId(), name, params); err != nil {
		return err
	}
	recall(f.sw, &f.members)
	f.members++
	return nil
}

// byHand refuses members and groups in a profile that is programmed by sets of actions.
func (f *profileState) byHand() error {
	if len(f.sets) > 0 {
		return fail(codes.InvalidArgument, "the profile is programmed by sets of actions, and not by members and groups")
	}
	return nil
}

func (p *pipeline) readMember(m *p4.ActionProfileMember, out entities) error {
	profiles, err := p.selectProfiles(m.GetActionProfileId(), m.GetMemberId())
	if err != nil {
		return err
	}
	for _, f := range profiles {
		for _, em := range f.engineMembers(m.GetMemberId()) {
			out.add(&p4.Entity{Entity: &p4.Entity_ActionProfileMember{ActionProfileMember: &p4.ActionProfileMember{
				ActionProfileId: f.id, MemberId: em.ID, Action: p.schema.callOut(f.actions, em.Action, em.Params),
			}}})
		}
	}
	return nil
}

// engineMembers are the client's members, one or all: not those of sets.
func (f *profileState) engineMembers(id uint32) []engine.ProfileMember {
	if f.members == 0 {
		return nil
	}
	if id == 0 {
		return f.engine.Members()
	}
	if m, ok := f.engine.Member(id); ok {
		return []engine.ProfileMember{m}
	}
	return nil
}
