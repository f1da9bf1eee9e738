package p4rtserver

import (
	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
)

// Action specification: P4Runtime specification, section 9.1.2.

// actionIn translates an action of a table; scope is the one that it must not be limited to.
func (p *pipeline) actionIn(t *table, a *p4.TableAction, forbidden p4config.ActionRef_Scope) (string, [][]byte, error) {
	if t.indirect {
		return "", nil, fail(codes.Unimplemented, "tables with an action profile are not supported")
	}
	direct, ok := a.GetType().(*p4.TableAction_Action)
	if !ok {
		return "", nil, fail(codes.InvalidArgument, "%T: the table takes actions of its own", a.GetType())
	}
	id := direct.Action.GetActionId()
	ref := t.actions[id]
	if ref == nil {
		return "", nil, fail(codes.InvalidArgument, "the table has no action with id %#x", id)
	}
	act := p.schema.actions[id]
	if ref.GetScope() == forbidden {
		return "", nil, fail(codes.PermissionDenied, "action %q: its scope in the table is %s", act.name, forbidden)
	}
	params := make([][]byte, len(act.params))
	for _, in := range direct.Action.GetParams() {
		i, ok := act.byParam[in.GetParamId()]
		if !ok {
			return "", nil, fail(codes.InvalidArgument, "action %q: no parameter has id %d", act.name, in.GetParamId())
		}
		if params[i] != nil {
			return "", nil, fail(codes.InvalidArgument, "action %q: parameter %q is there twice", act.name, act.params[i].name)
		}
		v, err := unsigned(in.GetValue(), act.params[i].width)
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

// actionOut translates back; nil if the P4Info does not list the action for the table.
func (p *pipeline) actionOut(t *table, name string, params [][]byte) *p4.TableAction {
	for id := range t.actions {
		act := p.schema.actions[id]
		if act.name != name || len(params) != len(act.params) {
			continue
		}
		out := &p4.Action{ActionId: id}
		for i, v := range params {
			out.Params = append(out.Params, &p4.Action_Param{ParamId: act.params[i].id, Value: canonical(v)})
		}
		return &p4.TableAction{Type: &p4.TableAction_Action{Action: out}}
	}
	return nil
}
