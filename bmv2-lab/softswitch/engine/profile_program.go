package engine

import (
	"slices"
	"sync/atomic"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/bmjson"
)

// profileProgram is what the program fixes about an action profile.
type profileProgram struct {
	src    *bmjson.Profile
	index  int // of the profile in the program
	hash   calcFn
	tables []*tableProgram // whose entries name its members
}

// profiles compiles the action profiles of a pipeline.
func (c *compiler) profiles(p *bmjson.Pipeline) []*profileProgram {
	var list []*profileProgram
	for i := range p.Profiles {
		s := &p.Profiles[i]
		pp := &profileProgram{src: s, index: len(c.prog.profiles)}
		if s.Selector {
			pp.hash = c.calcOf(s.Algo, s.Input, false, s.At)
			c.statement()
		}
		list = append(list, pp)
		c.prog.profiles = append(c.prog.profiles, pp)
	}
	return list
}

// join makes a table one of those whose entries name the profile's members.
func (pp *profileProgram) join(tp *tableProgram) {
	tp.profile, tp.ordinal = pp, len(pp.tables)
	pp.tables = append(pp.tables, tp)
	tp.empty = tp.noAction()
	if tp.byHit {
		tp.empty.next = tp.hit
	}
}

// slot finds a table's action by name. Tables that share a profile have actions of the same
// names, but not the same ones: p4c copies them.
func (tp *tableProgram) slot(name string) int {
	return slices.IndexFunc(tp.actions, func(a *action) bool { return a.name == name })
}

// indirect is the member or the group that an entry names.
type indirect struct {
	member *member
	group  *group
}

// memberAction is what a member runs, by table: the way on depends on that.
type memberAction struct {
	name      string
	params    []uint64
	hit, miss []*actionData
}

// memberAction prepares an action for all tables, each of which has it.
func (pp *profileProgram) memberAction(name string, params []uint64) *memberAction {
	m := &memberAction{name: name, params: params}
	for _, tp := range pp.tables {
		slot := tp.slot(name)
		m.hit = append(m.hit, tp.data(slot, params, false))
		m.miss = append(m.miss, tp.data(slot, params, true))
	}
	return m
}

// choose yields what an entry of a table with an action profile runs for a packet.
func (tp *tableProgram) choose(p *packet, d *actionData, miss bool) *actionData {
	if d.via == nil {
		return d
	}
	m := d.via.member
	if g := d.via.group; g != nil {
		list := *g.list.Load()
		if len(list) == 0 {
			return tp.empty
		}
		if g.random {
			m = list[p.sw.rand.IntN(len(list))]
		} else { // BMv2 keeps 32 bits of the hash
			m = list[uint64(uint32(tp.profile.hash(p)))%uint64(len(list))]
		}
	}
	if miss {
		return m.act.Load().miss[tp.ordinal]
	}
	return m.act.Load().hit[tp.ordinal]
}

// member is a member of an action profile.
type member struct {
	id  uint32
	act atomic.Pointer[memberAction]

	// Guarded by Profile.mu. Copies are BMv2's members that stand for this one: as many as
	// its largest weight in a group, but at least one.
	copies  []int
	weights map[int]int // by weight: in how many groups it has it
	uses    int         // entries
}

// group is a group of members.
type group struct {
	id     uint32
	random bool
	list   atomic.Pointer[[]*member] // what the hash, or chance, chooses from

	// Guarded by Profile.mu.
	members []GroupMember // by id
	uses    int           // entries
}
