package p4rtserver

import (
	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

// Action specification: P4Runtime specification, section 9.1.2.

// actionIn translates what an entry runs. A set of actions becomes a group, which is to be
// kept with the entry or undone.
func (p *pipeline) actionIn(t *table, key string, a *p4.TableAction, e *engine.Entry) (set *actionSet, err error) {
	if t.profile == nil {
		e.Action, e.Params, err = p.directIn(t, a, p4config.ActionRef_DEFAULT_ONLY)
		return nil, err
	}
	f := p.profiles[t.profile.id]
	switch a := a.GetType().(type) {
	case *p4.TableAction_ActionProfileMemberId:
		e.Indirect, e.Member = engine.IndirectMember, a.ActionProfileMemberId
		return nil, f.nameable(e.Member, f.members)
	case *p4.TableAction_ActionProfileGroupId:
		if !f.info.GetWithSelector() {
			return nil, fail(codes.InvalidArgument, "the table's action profile has no selector, and no groups")
		}
		e.Indirect, e.Group = engine.IndirectGroup, a.ActionProfileGroupId
		return nil, f.nameable(e.Group, len(f.groups))
	case *p4.TableAction_ActionProfileActionSet:
		set, err = p.addSet(f, setKey{t.id, key}, a.ActionProfileActionSet)
		if err != nil {
			return nil, err
		}
		e.Indirect, e.Group = engine.IndirectGroup, set.group
		return set, nil
	}
	return nil, fail(codes.InvalidArgument, "%T: the table takes members, groups or sets of actions of its profile", a.GetType())
}

// nameable refuses numbers that the client has given to no member or group.
func (f *profileState) nameable(id uint32, count int) error {
	if id == 0 {
		return fail(codes.InvalidArgument, "the id of the member or group is 0")
	}
	if err := f.byHand(); err != nil {
		return err
	}
	if count == 0 {
		return fail(codes.NotFound, "action profile %q has no member or group %d", f.engine.Name(), id)
	}
	return nil
}

// directIn translates an action of a table; forbidden is the scope that it must not have.
func (p *pipeline) directIn(t *table, a *p4.TableAction, forbidden p4config.ActionRef_Scope) (string, [][]byte, error) {
	direct, ok := a.GetType().(*p4.TableAction_Action)
	if !ok {
		return "", nil, fail(codes.InvalidArgument, "%T: the table takes actions of its own", a.GetType())
	}
	return p.schema.callIn(t.actions, direct.Action, forbidden)
}

// callIn translates an action with its parameters. refs are the actions that are possible.
func (s *schema) callIn(refs map[uint32]*p4config.ActionRef, a *p4.Action, forbidden p4config.ActionRef_Scope) (string, [][]byte, error) {
	id := a.GetActionId()
	ref := refs[id]
	if ref == nil {
		return "", nil, fail(codes.InvalidArgument, "the table has no action with id %#x", id)
	}
	act := s.actions[id]
	if ref.GetScope() == forbidden {
		return "", nil, fail(codes.PermissionDenied, "action %q: its scope in the table is %s", act.name, forbidden)
	}
	params := make([][]byte, len(act.params))
	for _, in := range a.GetParams() {
		i, ok := act.byParam[in.GetParamId()]
		if !ok {
			return "", nil, fail(codes.InvalidArgument, "action %q: no parameter has id %d", act.name, in.GetParamId())
		}
		if params[i] != nil {
			return "", nil, fail(codes.InvalidArgument, "action %q: parameter %q is there twice", act.name, act.params[i].name)
		}
		v, err := act.params[i].valueIn(in.GetValue())
		if err != nil {
			return "", nil, within(err, "action %q: parameter %q", act.name, act.params[i].name)
		}
		params[i] = v
	}
	for i, v := range params {
		if v == nil {
			return "", nil, fail(codes.InvalidArgument, "action %q: parameter %q is missing", act.name, act.params[i].name)
		}
	}
	return act.name, params, nil
}

// actionOut translates back what an entry runs; nil if the P4Info does not list the action for
// the table.
func (p *pipeline) actionOut(t *table, key string, e engine.Entry) *p4.TableAction {
	switch e.Indirect {
	case engine.IndirectMember:
		return &p4.TableAction{Type: &p4.TableAction_ActionProfileMemberId{ActionProfileMemberId: e.Member}}
	case engine.IndirectGroup:
		if set := p.profiles[t.profile.id].sets[setKey{t.id, key}]; set != nil {
			return &p4.TableAction{Type: &p4.TableAction_ActionProfileActionSet{ActionProfileActionSet: set.sent}}
		}
		return &p4.TableAction{Type: &p4.TableAction_ActionProfileGroupId{ActionProfileGroupId: e.Group}}
	}
	call := p.schema.callOut(t.actions, e.Action, e.Params)
	if call == nil {
		return nil
	}
	return &p4.TableAction{Type: &p4.TableAction_Action{Action: call}}
}

// callOut translates an action back; nil if it is not one of refs.
func (s *schema) callOut(refs map[uint32]*p4config.ActionRef, name string, params [][]byte) *p4.Action {
	for id := range refs {
		act := s.actions[id]
		if act.name != name || len(params) != len(act.params) {
			continue
		}
		out := &p4.Action{ActionId: id}
		for i, v := range params {
			out.Params = append(out.Params, &p4.Action_Param{ParamId: act.params[i].id, Value: act.params[i].valueOut(v)})
		}
		return out
	}
	return nil
}
