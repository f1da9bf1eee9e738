package stf

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// profileState is an action profile as BMv2's CLI shows it: members and groups have handles,
// the lowest free numbers from 0.
type profileState struct {
	members map[uint32]string   // what they run, by handle
	groups  map[uint32][]uint32 // members, by handle
}

// A handle h is the id h+1 to the target, where 0 is none.
func idOf(handle uint32) uint32 { return handle + 1 }

func handleOf(id uint32) uint32 { return id - 1 }

// lowestFree is the handle that a new object gets.
func lowestFree[V any](taken map[uint32]V) uint32 {
	h := uint32(0)
	for {
		if _, ok := taken[h]; !ok {
			return h
		}
		h++
	}
}

// profileRef names a profile, or a table that uses it.
type profileRef struct {
	name    string
	byTable bool
}

// ofProfile and ofTable read the name before the rest of a command.
func ofProfile(parse func(*scanner, profileRef) command) func(*scanner) command {
	return func(s *scanner) command { return parse(s, profileRef{s.word("an action profile"), false}) }
}

func ofTable(parse func(*scanner, profileRef) command) func(*scanner) command {
	return func(s *scanner) command { return parse(s, profileRef{s.word("a table"), true}) }
}

// resolve finds the profile and its state.
func (r profileRef) resolve(x *run) (*profile, *profileState, error) {
	var p *profile
	if r.byTable {
		t, err := x.schema.table(r.name)
		if err != nil {
			return nil, nil, err
		}
		if p = t.profile; p == nil {
			return nil, nil, fmt.Errorf("table %s has no action profile", t.name)
		}
	} else {
		var err error
		if p, err = x.schema.profile(r.name); err != nil {
			return nil, nil, err
		}
	}
	st := x.profiles[p.name]
	if st == nil {
		st = &profileState{map[uint32]string{}, map[uint32][]uint32{}}
		x.profiles[p.name] = st
	}
	return p, st, nil
}

// memberAction is an action with its arguments in their order.
type memberAction struct {
	name string
	args []string
}

func (a memberAction) resolve(x *run, p *profile) (string, [][]byte, error) {
	act, err := x.schema.action(p.table, a.name)
	if err != nil {
		return "", nil, err
	}
	if len(a.args) != len(act.params) {
		return "", nil, fmt.Errorf("action %s has %d parameters, and there are %d values", act.name, len(act.params), len(a.args))
	}
	params := make([][]byte, len(a.args))
	for i, v := range a.args {
		if params[i], err = parseNumber(v, act.params[i].Width); err != nil {
			return "", nil, fmt.Errorf("action %s: parameter %s: %w", act.name, act.params[i].Name, err)
		}
	}
	return act.name, params, nil
}

func parseFields(s *scanner) []string {
	s.accept("=>")
	var out []string
	for s.more() {
		out = append(out, s.field("a value"))
	}
	return out
}

// memberCreate is act_prof_create_member PROFILE ACTION VALUE….
type memberCreate struct {
	profile profileRef
	action  memberAction
}

func parseMemberCreate(s *scanner, r profileRef) command {
	return &memberCreate{r, memberAction{s.word("an action"), parseFields(s)}}
}

func (c *memberCreate) run(x *run) error {
	p, st, err := c.profile.resolve(x)
	if err != nil {
		return err
	}
	name, params, err := c.action.resolve(x, p)
	if err != nil {
		return err
	}
	h := lowestFree(st.members)
	if err := x.target.AddMember(p.name, idOf(h), name, params); err != nil {
		return err
	}
	st.members[h] = memberRuns(name, params)
	return nil
}

func memberRuns(action string, params [][]byte) string {
	text := action
	for _, v := range params {
		text += fmt.Sprintf(" %#x", v)
	}
	return text
}

func parseObjectHandle(s *scanner, what string) uint32 {
	return uint32(s.number("the "+what+"'s handle", math.MaxInt32))
}

// memberModify is act_prof_modify_member PROFILE ACTION HANDLE VALUE….
type memberModify struct {
	profile profileRef
	handle  uint32
	action  memberAction
}

func parseMemberModify(s *scanner, r profileRef) command {
	c := &memberModify{profile: r}
	c.action.name = s.word("an action")
	c.handle = parseObjectHandle(s, "member")
	c.action.args = parseFields(s)
	return c
}

func (c *memberModify) run(x *run) error {
	p, st, err := c.profile.resolve(x)
	if err != nil {
		return err
	}
	name, params, err := c.action.resolve(x, p)
	if err != nil {
		return err
	}
	if err := st.has("member", c.handle); err != nil {
		return err
	}
	if err := x.target.ModifyMember(p.name, idOf(c.handle), name, params); err != nil {
		return err
	}
	st.members[c.handle] = memberRuns(name, params)
	return nil
}

// has makes sure that there is such a member or group.
func (st *profileState) has(what string, handle uint32) error {
	ok := false
	if what == "member" {
		_, ok = st.members[handle]
	} else {
		_, ok = st.groups[handle]
	}
	if !ok {
		return fmt.Errorf("there is no %s with handle %d", what, handle)
	}
	return nil
}

// memberDelete is act_prof_delete_member PROFILE HANDLE.
type memberDelete struct {
	profile profileRef
	handle  uint32
}

func parseMemberDelete(s *scanner, r profileRef) command {
	return &memberDelete{r, parseObjectHandle(s, "member")}
}

func (c *memberDelete) run(x *run) error {
	p, st, err := c.profile.resolve(x)
	if err != nil {
		return err
	}
	if err := st.has("member", c.handle); err != nil {
		return err
	}
	if err := x.target.DeleteMember(p.name, idOf(c.handle)); err != nil {
		return err
	}
	delete(st.members, c.handle)
	return nil
}

// profileDump prints members and groups: act_prof_dump PROFILE.
type profileDump struct{ profile profileRef }

func parseProfileDump(_ *scanner, r profileRef) command { return &profileDump{r} }

func (c *profileDump) run(x *run) error {
	p, st, err := c.profile.resolve(x)
	if err != nil {
		return err
	}
	x.print("action profile %s: %d members, %d groups", p.name, len(st.members), len(st.groups))
	for _, h := range slices.Sorted(maps.Keys(st.members)) {
		x.print("  member %d: %s", h, st.members[h])
	}
	for _, h := range slices.Sorted(maps.Keys(st.groups)) {
		x.print("  group %d: members %v", h, st.groups[h])
	}
	return nil
}
