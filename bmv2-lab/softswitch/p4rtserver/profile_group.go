package p4rtserver

import (
	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

// writeProfileGroup makes one update of a selector's groups (specification, section 9.2.2).
func (p *pipeline) writeProfileGroup(op p4.Update_Type, g *p4.ActionProfileGroup) error {
	f, err := p.findProfile(g.GetActionProfileId())
	if err != nil {
		return err
	}
	return within(f.updateGroup(op, g), "action profile %q: group %d", f.engine.Name(), g.GetGroupId())
}

func (f *profileState) updateGroup(op p4.Update_Type, g *p4.ActionProfileGroup) error {
	id := g.GetGroupId()
	switch {
	case !f.info.GetWithSelector():
		return fail(codes.InvalidArgument, "the profile has no selector, and no groups")
	case id == 0:
		return fail(codes.InvalidArgument, "group id is not set")
	}
	if err := f.byHand(); err != nil {
		return err
	}
	old := f.groups[id]
	if err := checkExists(op, old != nil); err != nil {
		return err
	}
	before := f.groupSize(old)
	if op == p4.Update_DELETE {
		if err := f.engine.DeleteGroup(id); err != nil {
			return err
		}
		remember(f.sw, f.groups, id)
		delete(f.groups, id)
		f.grow(-before)
		return nil
	}
	members, err := f.groupIn(g)
	if err != nil {
		return err
	}
	if old != nil && old.GetMaxSize() != g.GetMaxSize() {
		return fail(codes.InvalidArgument, "max_size %d: it was %d and cannot be changed", g.GetMaxSize(), old.GetMaxSize())
	}
	if err := f.reserve(f.size(members), before); err != nil {
		return err
	}
	if old == nil {
		err = f.engine.AddGroup(id, members)
	} else {
		err = f.engine.ModifyGroup(id, members)
	}
	if err != nil {
		return err
	}
	g = proto.Clone(g).(*p4.ActionProfileGroup)
	for _, m := range g.GetMembers() {
		if k, ok := m.GetWatchKind().(*p4.ActionProfileGroup_Member_WatchPort); ok && len(k.WatchPort) > 0 {
			k.WatchPort = canonical(k.WatchPort)
		}
	}
	remember(f.sw, f.groups, id)
	f.groups[id] = g
	f.grow(f.size(members) - before)
	return nil
}

// groupSize is what a group that was accepted counts as; 0 for nil.
func (f *profileState) groupSize(g *p4.ActionProfileGroup) int64 {
	var members []engine.GroupMember
	for _, m := range g.GetMembers() {
		w, _ := f.weight(m.GetWeight())
		members = append(members, engine.GroupMember{ID: m.GetMemberId(), Weight: w})
	}
	return f.size(members)
}

func (f *profileState) groupIn(g *p4.ActionProfileGroup) ([]engine.GroupMember, error) {
	var members []engine.GroupMember
	for _, m := range g.GetMembers() {
		w, err := f.weight(m.GetWeight())
		member := engine.GroupMember{ID: m.GetMemberId(), Weight: w}
		if err == nil {
			err = f.watch(&member, m.GetWatchPort(), m.GetWatch()) //nolint:staticcheck // deprecated and still in use
		}
		if err != nil {
			return nil, within(err, "member %d", m.GetMemberId())
		}
		members = append(members, member)
	}
	// A client may leave max_size out also where the P4Info limits it: "the static
	// max_group_size value will be used" (p4runtime.proto).
	size, limit, static := f.size(members), g.GetMaxSize(), f.info.GetMaxGroupSize()
	switch {
	case limit < 0 || static > 0 && limit > static:
		return nil, fail(codes.InvalidArgument, "max_size %d is not between 0 and max_group_size %d", limit, static)
	case limit == 0:
		limit = static
	}
	if limit > 0 && size > int64(limit) {
		return nil, fail(codes.ResourceExhausted, "size %d is more than max_size %d", size, limit)
	}
	return members, nil
}

func (p *pipeline) readProfileGroup(g *p4.ActionProfileGroup, out entities) error {
	profiles, err := p.selectProfiles(g.GetActionProfileId(), g.GetGroupId())
	if err != nil {
		return err
	}
	for _, f := range profiles {
		for _, id := range selected(g.GetGroupId(), f.groups) {
			out.add(&p4.Entity{Entity: &p4.Entity_ActionProfileGroup{ActionProfileGroup: f.groups[id]}})
		}
	}
	return nil
}
