package p4rtserver

import (
	"math"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

// Action profiles and selectors: P4Runtime specification, section 9.2. Members of a group may
// have different actions, and the hit of a group that is empty, or all of whose members watch
// ports that are down, runs none.

// profile is an action profile as both sides know it.
type profile struct {
	id     uint32
	info   *p4config.ActionProfile
	engine *engine.Profile
	// actions are those that members may have: every table that uses the profile has them.
	// Nil if there is no such table.
	actions map[uint32]*p4config.ActionRef
}

func (s *schema) bindProfiles(sw *engine.Switch) error {
	for _, a := range s.info.GetActionProfiles() {
		id, name, err := preamble("action profile", a.GetPreamble())
		if err != nil {
			return err
		}
		ep, ok := sw.Profile(name)
		if !ok && len(a.GetTableIds()) == 0 { // nothing uses it
			s.removed[id] = name
			continue
		}
		if !ok {
			return disagree("the program has no action profile %q", name)
		}
		if a.GetWithSelector() != ep.HasSelector() {
			return disagree("action profile %q: with_selector is %t, and %t in the program", name, a.GetWithSelector(), ep.HasSelector())
		}
		s.profiles[id] = &profile{id: id, info: a, engine: ep}
		s.profileOrder = append(s.profileOrder, id)
	}
	return nil
}

// join leaves a profile the actions that one more table has.
func (f *profile) join(actions map[uint32]*p4config.ActionRef) {
	both := map[uint32]*p4config.ActionRef{}
	for id, ref := range actions {
		if old, ok := f.actions[id]; f.actions == nil || ok {
			both[id] = ref
			if ok && old.GetScope() == p4config.ActionRef_DEFAULT_ONLY {
				both[id] = old
			}
		}
	}
	f.actions = both
}

// weight checks a weight and returns the engine's.
func (f *profile) weight(w int32) (int, error) {
	limit := int32(math.MaxInt32)
	if m := f.info.GetSumOfMembers().GetMaxMemberWeight(); m > 0 {
		limit = m
	}
	switch {
	case f.info.GetWeightsDisallowed() && w != 0:
		return 0, fail(codes.InvalidArgument, "weight %d: the profile's weights are not the controller's to set", w)
	case f.info.GetWeightsDisallowed():
		return 1, nil
	case w <= 0 || w > limit:
		return 0, fail(codes.InvalidArgument, "weight %d is not between 1 and %d", w, limit)
	}
	return int(w), nil
}

// size is what members with these weights count as, by the profile's semantics of size.
func (f *profile) size(members []engine.GroupMember) int64 {
	if f.info.GetSumOfMembers() != nil {
		return int64(len(members))
	}
	return sumOfWeights(members)
}

func sumOfWeights(members []engine.GroupMember) (n int64) {
	for _, m := range members {
		n += int64(m.Weight)
	}
	return n
}

// profileState is what the server keeps of an action profile. Either the client programs it by
// members and groups, or by sets of actions that come with table entries, which are members
// and groups with numbers of the server's choice (specification, section 9.2.3).
type profileState struct {
	*profile
	sw      *engine.Switch
	hasPort func(uint32) bool
	members int // that the client has inserted
	groups  map[uint32]*p4.ActionProfileGroup
	sets    map[setKey]*actionSet
	load    int64  // the sizes of all groups and sets
	last    uint32 // number that was given to a set's member or group
}

// newProfileStates makes the states of all profiles, which are empty.
func newProfileStates(s *schema, sw *engine.Switch, hasPort func(uint32) bool) map[uint32]*profileState {
	all := make(map[uint32]*profileState, len(s.profiles))
	for id, f := range s.profiles {
		all[id] = &profileState{profile: f, sw: sw, hasPort: hasPort, groups: map[uint32]*p4.ActionProfileGroup{}, sets: map[setKey]*actionSet{}}
	}
	return all
}

// reserve checks that a group or set of a size has room in place of what counted as before.
func (f *profileState) reserve(size, before int64) error {
	limit := f.info.GetSize()
	if limit > 0 && f.load-before+size > limit {
		return fail(codes.ResourceExhausted, "all groups together would have size %d, and the profile's is %d", f.load-before+size, limit)
	}
	return nil
}

func (p *pipeline) findProfile(id uint32) (*profileState, error) {
	if id == 0 {
		return nil, fail(codes.InvalidArgument, "action profile id is not set")
	}
	f := p.profiles[id]
	if name, ok := p.schema.removed[id]; ok {
		return nil, fail(codes.NotFound, "action profile %q: no table uses it, and the program has it no longer", name)
	}
	if f == nil {
		return nil, fail(codes.NotFound, "no action profile has id %#x", id)
	}
	return f, nil
}

// selectProfiles lists the profiles that a read of members or groups means; number is the id of
// the one that it asks for, or 0.
func (p *pipeline) selectProfiles(id, number uint32) ([]*profileState, error) {
	if id != 0 {
		f, err := p.findProfile(id)
		return []*profileState{f}, err
	}
	if number != 0 {
		return nil, fail(codes.InvalidArgument, "id %d is of no use without an action profile", number)
	}
	var all []*profileState
	for _, id := range p.schema.profileOrder {
		all = append(all, p.profiles[id])
	}
	return all, nil
}

// watch makes a member of a group depend on a port: that of watch_port, or of watch, which is
// its form before version 1.3.
func (f *profileState) watch(m *engine.GroupMember, port []byte, old int32) (err error) {
	switch {
	case len(port) > 0:
		if m.Watch, err = portIn(port); err != nil {
			return &failure{codes.InvalidArgument, within(err, "watch_port")}
		}
	case old < 0:
		return fail(codes.InvalidArgument, "watch %d is negative", old)
	case old > 0:
		m.Watch = uint32(old)
	default:
		return nil
	}
	if !f.hasPort(m.Watch) {
		return fail(codes.InvalidArgument, "watch_port: the switch has no port %d", m.Watch)
	}
	m.Watched = true
	return nil
}

// grow changes what all groups and sets count as.
func (f *profileState) grow(by int64) {
	recall(f.sw, &f.load)
	f.load += by
}
