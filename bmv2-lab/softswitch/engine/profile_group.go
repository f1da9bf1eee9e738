package engine

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// BMv2's groups have no weights: P4Runtime's server for it makes copies of a member, as many
// as its largest weight in any group, and puts as many of them as the weight into each group.
// The hash counts through a group in the order of the numbers that its copies have there: the
// lowest that were free when they were made. To choose as it does, copies get numbers here
// in the same way.

// maxChosen bounds the elements of all groups of a profile, each member counted by its weight.
const maxChosen = 1 << 20

// takeCopy reserves the lowest free number.
func (p *Profile) takeCopy() int {
	for p.lowest < len(p.copies) && p.copies[p.lowest] {
		p.lowest++
	}
	if p.lowest == len(p.copies) {
		p.copies = append(p.copies, false)
	}
	p.copies[p.lowest] = true
	return p.lowest
}

func (p *Profile) freeCopies(list []int) {
	for _, n := range list {
		p.copies[n] = false
		p.lowest = min(p.lowest, n)
	}
}

// claimCopies undoes freeCopies.
func (p *Profile) claimCopies(list []int) {
	for _, n := range list {
		p.copies[n] = true
	}
}

// group finds a group; the caller holds p.mu.
func (p *Profile) group(id uint32) (*group, error) {
	g, ok := p.groups[id]
	if !ok {
		return nil, p.errorf("group %d: %w", id, ErrNotFound)
	}
	return g, nil
}

// AddGroup adds a group, which may be empty: a hit on it runs nothing. ErrExists, ErrFull,
// ErrInvalid, ErrNotFound (a member).
func (p *Profile) AddGroup(id uint32, members []GroupMember) error {
	return p.addGroup(&group{id: id}, members)
}

// AddRandomGroup adds a group that chooses by chance and not by the selector's hash.
func (p *Profile) AddRandomGroup(id uint32, members []GroupMember) error {
	return p.addGroup(&group{id: id, random: true}, members)
}

func (p *Profile) addGroup(g *group, members []GroupMember) error {
	id := g.id
	if !p.HasSelector() {
		return p.errorf("%w: groups need a selector", ErrInvalid)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, dup := p.groups[id]; dup {
		return p.errorf("group %d: %w", id, ErrExists)
	}
	g.list.Store(&[]*member{})
	if err := p.setMembers(g, members); err != nil {
		return err
	}
	p.groups[id] = g
	p.sw.Undo(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.groups, id)
	})
	return nil
}

// ModifyGroup replaces a group's members: ErrNotFound (the group or a member), ErrFull,
// ErrInvalid.
func (p *Profile) ModifyGroup(id uint32, members []GroupMember) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	g, err := p.group(id)
	if err != nil {
		return err
	}
	return p.setMembers(g, members)
}

// DeleteGroup removes a group: ErrNotFound, or ErrInUse if an entry names it.
func (p *Profile) DeleteGroup(id uint32) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	g, err := p.group(id)
	if err != nil {
		return err
	}
	if g.uses > 0 {
		return p.errorf("group %d: %w", id, ErrInUse)
	}
	if err := p.setMembers(g, nil); err != nil {
		return err
	}
	delete(p.groups, id)
	p.sw.Undo(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.groups[id] = g
	})
	return nil
}

// Group returns a group, its members by id, and whether there is one.
func (p *Profile) Group(id uint32) (ProfileGroup, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	g, ok := p.groups[id]
	if !ok {
		return ProfileGroup{}, false
	}
	return ProfileGroup{id, slices.Clone(g.members)}, true
}

// Groups lists the groups in the order of their ids.
func (p *Profile) Groups() []ProfileGroup {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []ProfileGroup
	for _, g := range p.groups {
		list = append(list, ProfileGroup{g.id, slices.Clone(g.members)})
	}
	slices.SortFunc(list, func(a, b ProfileGroup) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// checkGroup checks the members that a group is to have, and sorts them.
func (p *Profile) checkGroup(g *group, in []GroupMember) ([]GroupMember, error) {
	list := slices.Clone(in)
	slices.SortFunc(list, func(a, b GroupMember) int { return cmp.Compare(a.ID, b.ID) })
	total := p.chosen - sumOfWeights(g.members)
	for i, m := range list {
		switch {
		case m.Weight <= 0:
			return nil, p.errorf("group %d: %w: member %d has weight %d", g.id, ErrInvalid, m.ID, m.Weight)
		case i > 0 && list[i-1].ID == m.ID:
			return nil, p.errorf("group %d: %w: member %d is there twice", g.id, ErrInvalid, m.ID)
		case m.Weight > maxChosen-total:
			return nil, p.errorf("group %d: %w: all weights sum up to more than %d", g.id, ErrFull, maxChosen)
		}
		total += m.Weight
		if _, err := p.member(m.ID); err != nil {
			return nil, fmt.Errorf("group %d: %w", g.id, err)
		}
	}
	return list, nil
}

// setMembers replaces a group's members. The caller holds p.mu.
func (p *Profile) setMembers(g *group, in []GroupMember) error {
	list, err := p.checkGroup(g, in)
	if err != nil {
		return err
	}
	before, after := map[uint32]int{}, map[uint32]int{}
	for _, m := range g.members {
		before[m.ID] = m.Weight
	}
	for _, m := range list {
		after[m.ID] = m.Weight
	}
	touched := maps.Clone(before)
	maps.Copy(touched, after)
	ids := slices.Sorted(maps.Keys(touched))
	if p.sw.undoing() {
		p.sw.Undo(p.restorer(g, ids))
	}
	for _, id := range ids {
		m := p.members[id]
		for len(m.copies) < after[id] {
			m.copies = append(m.copies, p.takeCopy())
		}
		m.reweigh(before[id], -1)
		m.reweigh(after[id], 1)
	}
	p.choose(g, list)
	for _, id := range ids {
		p.dropCopies(p.members[id])
	}
	return nil
}

// choose gives a group its members, whose copies have their numbers, and what a hash chooses
// from.
func (p *Profile) choose(g *group, members []GroupMember) {
	p.chosen += sumOfWeights(members) - sumOfWeights(g.members)
	g.members = members
	g.list.Store(p.choices(members))
}

func sumOfWeights(members []GroupMember) (n int) {
	for _, m := range members {
		n += m.Weight
	}
	return n
}

// follow makes the groups choose by the state that ports have now.
func (p *Profile) follow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, g := range p.groups {
		if slices.ContainsFunc(g.members, func(m GroupMember) bool { return m.Watched }) {
			g.list.Store(p.choices(g.members))
		}
	}
}

// restorer is what gives a group back the members that it has now, and those with the ids the
// numbers of their copies. The caller holds p.mu.
func (p *Profile) restorer(g *group, ids []uint32) func() {
	type numbers struct {
		copies  []int
		weights map[int]int
	}
	members := g.members
	saved := map[*member]numbers{}
	for _, id := range ids {
		m := p.members[id]
		saved[m] = numbers{slices.Clone(m.copies), maps.Clone(m.weights)}
	}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for m := range saved {
			p.freeCopies(m.copies)
		}
		for m, had := range saved {
			p.claimCopies(had.copies)
			m.copies, m.weights = had.copies, had.weights
		}
		p.choose(g, members)
	}
}

// reweigh counts a weight that a member has in a group.
func (m *member) reweigh(weight, by int) {
	if weight == 0 {
		return
	}
	if m.weights[weight] += by; m.weights[weight] == 0 {
		delete(m.weights, weight)
	}
}

// dropCopies frees the copies that no group needs any more.
func (p *Profile) dropCopies(m *member) {
	need := 1
	for w := range m.weights {
		need = max(need, w)
	}
	p.freeCopies(m.copies[need:])
	m.copies = m.copies[:need]
}

// choices is what a hash chooses from: the copies in the order of their numbers, without those
// of members whose port is down.
func (p *Profile) choices(list []GroupMember) *[]*member {
	type choice struct {
		copy   int
		member *member
	}
	var all []choice
	down := p.sw.portsDown()
	for _, gm := range list {
		if gm.Watched && down[gm.Watch] {
			continue
		}
		m := p.members[gm.ID]
		for _, c := range m.copies[:gm.Weight] {
			all = append(all, choice{c, m})
		}
	}
	slices.SortFunc(all, func(a, b choice) int { return cmp.Compare(a.copy, b.copy) })
	out := make([]*member, len(all))
	for i, c := range all {
		out[i] = c.member
	}
	return &out
}
