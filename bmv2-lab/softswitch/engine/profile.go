package engine

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
)

// Profile is the control-plane handle of an action profile, or an action selector. Its
// methods may be called at any time by any goroutine.
type Profile struct {
	prog *profileProgram
	sw   *Switch

	mu      sync.Mutex // guards what follows; it is taken after a table's
	members map[uint32]*member
	groups  map[uint32]*group
	copies  []bool // by BMv2's number of a member: it is taken
	lowest  int    // all numbers below are
	chosen  int    // the weights of all groups' members together
}

// ProfileMember is a member of an action profile.
type ProfileMember struct {
	ID     uint32
	Action string
	Params [][]byte
}

// ProfileGroup is a group of members.
type ProfileGroup struct {
	ID      uint32
	Members []GroupMember
}

// GroupMember is a member's part in a group: it is chosen Weight times as often as a member
// of weight 1.
type GroupMember struct {
	ID     uint32
	Weight int // 1 or more
	// Watched members are chosen only while port Watch is up. If all members of a group are
	// left out, a hit on it runs nothing, as if it were empty.
	Watched bool
	Watch   uint32
}

func newProfile(sw *Switch, pp *profileProgram) *Profile {
	return &Profile{prog: pp, sw: sw, members: map[uint32]*member{}, groups: map[uint32]*group{}}
}

// Name is the profile's P4 name.
func (p *Profile) Name() string { return p.prog.src.Name }

// Size is the number that the program declares, or 0: of members, in a profile without a
// selector. What it means in one with a selector is in the P4Info, and not checked here.
func (p *Profile) Size() int { return p.prog.src.Size }

// HasSelector says whether the profile can have groups.
func (p *Profile) HasSelector() bool { return p.prog.src.Selector }

// Actions describes the actions that members may have: those that every table has which uses
// the profile.
func (p *Profile) Actions() []ActionInfo {
	if len(p.prog.tables) == 0 {
		return nil
	}
	first := &Table{prog: p.prog.tables[0], sw: p.sw}
	return slices.DeleteFunc(first.Actions(), func(a ActionInfo) bool {
		return slices.ContainsFunc(p.prog.tables, func(tp *tableProgram) bool { return tp.slot(a.Name) < 0 })
	})
}

func (p *Profile) errorf(format string, args ...any) error {
	return fmt.Errorf("action profile "+p.Name()+": "+format, args...)
}

// action checks a member's action.
func (p *Profile) action(name string, params [][]byte) (*memberAction, error) {
	var words []uint64
	for _, tp := range p.prog.tables {
		d, err := (&Table{prog: tp, sw: p.sw}).actionData(name, params, false)
		if err != nil {
			return nil, p.errorf("%w", err)
		}
		words = d.params
	}
	if len(p.prog.tables) == 0 {
		return nil, p.errorf("%w: no table uses it", ErrInvalid)
	}
	return p.prog.memberAction(name, words), nil
}

// AddMember adds a member: ErrExists, ErrFull, ErrInvalid.
func (p *Profile) AddMember(id uint32, action string, params [][]byte) error {
	act, err := p.action(action, params)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, dup := p.members[id]; dup {
		return p.errorf("member %d: %w", id, ErrExists)
	}
	if size := p.Size(); size > 0 && !p.HasSelector() && len(p.members) >= size {
		return p.errorf("%w (%d members)", ErrFull, size)
	}
	m := &member{id: id, copies: []int{p.takeCopy()}, weights: map[int]int{}}
	m.act.Store(act)
	p.members[id] = m
	p.sw.Undo(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.dropMember(m)
	})
	return nil
}

// dropMember takes a member out that nothing uses. The caller holds p.mu.
func (p *Profile) dropMember(m *member) {
	p.freeCopies(m.copies)
	delete(p.members, m.id)
}

// member finds a member; the caller holds p.mu.
func (p *Profile) member(id uint32) (*member, error) {
	m, ok := p.members[id]
	if !ok {
		return nil, p.errorf("member %d: %w", id, ErrNotFound)
	}
	return m, nil
}

// ModifyMember gives a member another action, wherever it is used: ErrNotFound, ErrInvalid.
func (p *Profile) ModifyMember(id uint32, action string, params [][]byte) error {
	act, err := p.action(action, params)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	m, err := p.member(id)
	if err != nil {
		return err
	}
	old := m.act.Swap(act)
	p.sw.Undo(func() { m.act.Store(old) })
	return nil
}

// DeleteMember removes a member: ErrNotFound, or ErrInUse if an entry or a group names it.
func (p *Profile) DeleteMember(id uint32) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	m, err := p.member(id)
	if err != nil {
		return err
	}
	if m.uses > 0 || len(m.weights) > 0 {
		return p.errorf("member %d: %w", id, ErrInUse)
	}
	p.dropMember(m)
	p.sw.Undo(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.claimCopies(m.copies)
		p.members[id] = m
	})
	return nil
}

// Member returns a member and whether there is one.
func (p *Profile) Member(id uint32) (ProfileMember, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m, ok := p.members[id]
	if !ok {
		return ProfileMember{}, false
	}
	return m.export(), true
}

// Members lists the members in the order of their ids.
func (p *Profile) Members() []ProfileMember {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []ProfileMember
	for _, m := range p.members {
		list = append(list, m.export())
	}
	slices.SortFunc(list, func(a, b ProfileMember) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

func (m *member) export() ProfileMember {
	name, params := exportAction(m.act.Load().hit[0])
	return ProfileMember{m.id, name, params}
}

// hold finds the member or group that an entry names, and counts the entry.
func (p *Profile) hold(e *Entry) (*indirect, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.Indirect == IndirectMember {
		m, err := p.member(e.Member)
		if err != nil {
			return nil, err
		}
		m.uses++
		return &indirect{member: m}, nil
	}
	g, err := p.group(e.Group)
	if err != nil {
		return nil, err
	}
	g.uses++
	return &indirect{group: g}, nil
}

// release undoes hold.
func (p *Profile) release(via *indirect) { p.use(via, -1) }

// retain undoes release.
func (p *Profile) retain(via *indirect) { p.use(via, 1) }

func (p *Profile) use(via *indirect, by int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if via.member != nil {
		via.member.uses += by
	} else {
		via.group.uses += by
	}
}
