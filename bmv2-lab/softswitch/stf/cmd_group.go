package stf

import (
	"fmt"
	"slices"
)

// groupMake is act_prof_create_group PROFILE.
type groupMake struct{ profile profileRef }

func parseGroupOfMembers(_ *scanner, r profileRef) command { return &groupMake{r} }

func (c *groupMake) run(x *run) error {
	p, st, err := c.profile.resolve(x)
	if err != nil {
		return err
	}
	if !p.selector {
		return fmt.Errorf("action profile %s has no selector, and so no groups", p.name)
	}
	h := lowestFree(st.groups)
	if err := x.target.AddGroup(p.name, idOf(h)); err != nil {
		return err
	}
	st.groups[h] = nil
	return nil
}

// groupDelete is act_prof_delete_group PROFILE HANDLE.
type groupDelete struct {
	profile profileRef
	handle  uint32
}

func parseGroupOfMembersDelete(s *scanner, r profileRef) command {
	return &groupDelete{r, parseObjectHandle(s, "group")}
}

func (c *groupDelete) run(x *run) error {
	p, st, err := c.profile.resolve(x)
	if err != nil {
		return err
	}
	if err := st.has("group", c.handle); err != nil {
		return err
	}
	if err := x.target.DeleteGroup(p.name, idOf(c.handle)); err != nil {
		return err
	}
	delete(st.groups, c.handle)
	return nil
}

// membership is act_prof_add_member_to_group PROFILE MEMBER GROUP, and its opposite.
type membership struct {
	profile       profileRef
	member, group uint32
	leave         bool
}

func parseMemberJoin(s *scanner, r profileRef) command {
	return &membership{r, parseObjectHandle(s, "member"), parseObjectHandle(s, "group"), false}
}

func parseMemberLeave(s *scanner, r profileRef) command {
	return &membership{r, parseObjectHandle(s, "member"), parseObjectHandle(s, "group"), true}
}

func (c *membership) run(x *run) error {
	p, st, err := c.profile.resolve(x)
	if err != nil {
		return err
	}
	if err := st.has("member", c.member); err != nil {
		return err
	}
	if err := st.has("group", c.group); err != nil {
		return err
	}
	list := slices.Clone(st.groups[c.group])
	at := slices.Index(list, c.member)
	switch {
	case c.leave && at < 0:
		return fmt.Errorf("member %d is not in group %d", c.member, c.group)
	case c.leave:
		list = slices.Delete(list, at, at+1)
	case at >= 0:
		return fmt.Errorf("member %d is in group %d already", c.member, c.group)
	default:
		list = append(list, c.member)
		slices.Sort(list)
	}
	ids := make([]uint32, len(list))
	for i, h := range list {
		ids[i] = idOf(h)
	}
	if err := x.target.ModifyGroup(p.name, idOf(c.group), ids); err != nil {
		return err
	}
	st.groups[c.group] = list
	return nil
}
