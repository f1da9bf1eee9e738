package conformance

import p4 "github.com/p4lang/p4runtime/go/p4/v1"

func (t *Target) writeMember(kind p4.Update_Type, profile string, m *p4.ActionProfileMember) error {
	var err error
	if m.ActionProfileId, err = named(t.schema.profiles, "action profile", profile); err != nil {
		return err
	}
	return t.device.Write(t.ctx, kind, &p4.Entity{Entity: &p4.Entity_ActionProfileMember{ActionProfileMember: m}})
}

func (t *Target) writeGroup(kind p4.Update_Type, profile string, g *p4.ActionProfileGroup) error {
	var err error
	if g.ActionProfileId, err = named(t.schema.profiles, "action profile", profile); err != nil {
		return err
	}
	return t.device.Write(t.ctx, kind, &p4.Entity{Entity: &p4.Entity_ActionProfileGroup{ActionProfileGroup: g}})
}

func (t *Target) memberAction(kind p4.Update_Type, profile string, id uint32, action string, params [][]byte) error {
	a, err := t.action(action, params)
	if err != nil {
		return err
	}
	return t.writeMember(kind, profile, &p4.ActionProfileMember{MemberId: id, Action: a})
}

// AddMember is stf.Profiles's.
func (t *Target) AddMember(profile string, id uint32, action string, params [][]byte) error {
	return t.memberAction(p4.Update_INSERT, profile, id, action, params)
}

// ModifyMember is stf.Profiles's.
func (t *Target) ModifyMember(profile string, id uint32, action string, params [][]byte) error {
	return t.memberAction(p4.Update_MODIFY, profile, id, action, params)
}

// DeleteMember is stf.Profiles's.
func (t *Target) DeleteMember(profile string, id uint32) error {
	return t.writeMember(p4.Update_DELETE, profile, &p4.ActionProfileMember{MemberId: id})
}

// maxGroupSize is a bound that simple_switch_grpc wants to know of a group.
const maxGroupSize = 16

// AddGroup is stf.Profiles's.
func (t *Target) AddGroup(profile string, id uint32) error {
	return t.writeGroup(p4.Update_INSERT, profile, &p4.ActionProfileGroup{GroupId: id, MaxSize: maxGroupSize})
}

// ModifyGroup is stf.Profiles's.
func (t *Target) ModifyGroup(profile string, id uint32, members []uint32) error {
	g := &p4.ActionProfileGroup{GroupId: id, MaxSize: maxGroupSize}
	for _, m := range members {
		g.Members = append(g.Members, &p4.ActionProfileGroup_Member{MemberId: m, Weight: 1})
	}
	return t.writeGroup(p4.Update_MODIFY, profile, g)
}

// DeleteGroup is stf.Profiles's.
func (t *Target) DeleteGroup(profile string, id uint32) error {
	return t.writeGroup(p4.Update_DELETE, profile, &p4.ActionProfileGroup{GroupId: id})
}
