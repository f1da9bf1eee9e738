package p4rtserver

import (
	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

// One-shot programming of selectors: P4Runtime specification, section 9.2.3.

// setKey is the entry that a set of actions came with.
type setKey struct {
	table uint32
	entry string // its matchKey
}

// actionSet is a set of actions and the group that stands for it.
type actionSet struct {
	sent    *p4.ActionProfileActionSet // with canonical values
	group   uint32
	members []engine.GroupMember
}

// addSet makes the group of a set that comes with an entry. Nothing is left of it after an
// error.
func (p *pipeline) addSet(f *profileState, key setKey, in *p4.ActionProfileActionSet) (*actionSet, error) {
	if !f.info.GetWithSelector() {
		return nil, fail(codes.InvalidArgument, "a set of actions needs an action profile with a selector")
	}
	if f.members > 0 || len(f.groups) > 0 {
		return nil, fail(codes.InvalidArgument, "the profile is programmed by members and groups, and not by sets of actions")
	}
	if err := checkModes(in); err != nil {
		return nil, err
	}
	set := &actionSet{sent: &p4.ActionProfileActionSet{ActionSelectionMode: in.GetActionSelectionMode(), SizeSemantics: in.GetSizeSemantics()}}
	if err := p.addActions(f, set, in.GetActionProfileActions()); err != nil {
		f.undo(set)
		return nil, err
	}
	size, before := f.sizeOf(set), int64(0)
	if old := f.sets[key]; old != nil {
		before = f.sizeOf(old)
	}
	err := f.reserve(size, before)
	if limit := int64(f.info.GetMaxGroupSize()); limit > 0 && size > limit {
		err = fail(codes.InvalidArgument, "the set has size %d, and max_group_size is %d", size, limit)
	}
	if err == nil {
		set.group = f.fresh(func(id uint32) bool { _, taken := f.engine.Group(id); return taken })
		add := f.engine.AddGroup
		if in.GetActionSelectionMode() == p4.ActionProfileActionSet_RANDOM {
			add = f.engine.AddRandomGroup
		}
		err = add(set.group, set.members)
	}
	if err != nil {
		set.group = 0
		f.undo(set)
		return nil, err
	}
	f.grow(size)
	return set, nil
}

// checkModes refuses modes that a later version may have.
func checkModes(in *p4.ActionProfileActionSet) error {
	if m := in.GetActionSelectionMode(); p4.ActionProfileActionSet_ActionSelectionMode_name[int32(m)] == "" {
		return fail(codes.InvalidArgument, "action_selection_mode %s", m)
	}
	if m := in.GetSizeSemantics(); p4.ActionProfileActionSet_SizeSemantics_name[int32(m)] == "" {
		return fail(codes.InvalidArgument, "size_semantics %s", m)
	}
	return nil
}

// sizeOf is what a set counts as, by its own semantics or the profile's.
func (f *profileState) sizeOf(s *actionSet) int64 {
	switch s.sent.GetSizeSemantics() {
	case p4.ActionProfileActionSet_SUM_OF_MEMBERS:
		return int64(len(s.members))
	case p4.ActionProfileActionSet_SUM_OF_WEIGHTS:
		return sumOfWeights(s.members)
	}
	return f.size(s.members)
}

// addActions makes a member of every action.
func (p *pipeline) addActions(f *profileState, set *actionSet, in []*p4.ActionProfileAction) error {
	for i, a := range in {
		w, err := f.weight(a.GetWeight())
		member := engine.GroupMember{Weight: w}
		if err == nil {
			err = f.watch(&member, a.GetWatchPort(), a.GetWatch()) //nolint:staticcheck // deprecated and still in use
		}
		if err != nil {
			return within(err, "action %d of the set", i)
		}
		name, params, err := p.schema.callIn(f.actions, a.GetAction(), p4config.ActionRef_DEFAULT_ONLY)
		if err != nil {
			return within(err, "action %d of the set", i)
		}
		member.ID = f.fresh(func(id uint32) bool { _, taken := f.engine.Member(id); return taken })
		if err := f.engine.AddMember(member.ID, name, params); err != nil {
			return within(err, "action %d of the set", i)
		}
		set.members = append(set.members, member)
		sent := &p4.ActionProfileAction{
			Action: p.schema.callOut(f.actions, name, params), Weight: a.GetWeight(), WatchKind: a.GetWatchKind(),
		}
		if len(a.GetWatchPort()) > 0 {
			sent.WatchKind = &p4.ActionProfileAction_WatchPort{WatchPort: canonical(a.GetWatchPort())}
		}
		set.sent.ActionProfileActions = append(set.sent.ActionProfileActions, sent)
	}
	return nil
}

// fresh is a number that is not taken.
func (f *profileState) fresh(taken func(uint32) bool) uint32 {
	for {
		if f.last++; f.last != 0 && !taken(f.last) {
			return f.last
		}
	}
}

// undo removes the group and the members of a set that no entry names. Errors are not
// possible: nothing else can name them.
func (f *profileState) undo(set *actionSet) {
	if set.group != 0 {
		_ = f.engine.DeleteGroup(set.group)
		f.grow(-f.sizeOf(set))
	}
	for _, m := range set.members {
		_ = f.engine.DeleteMember(m.ID)
	}
}

// keepSet makes a set, or nil, that of an entry, and removes the one that it had.
func (f *profileState) keepSet(key setKey, set *actionSet) {
	old := f.sets[key]
	if old == nil && set == nil {
		return
	}
	remember(f.sw, f.sets, key)
	delete(f.sets, key)
	if set != nil {
		f.sets[key] = set
	}
	if old != nil {
		f.undo(old)
	}
}
