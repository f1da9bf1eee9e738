package engine

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
)

// Switch is one running instance of a program.
type Switch struct {
	prog *Program
	opt  Options
	std  *stdFields // those of the program that it reads

	tables    []*Table
	counters  []*Counter // by index in the program; direct ones are nil
	meters    []*Meter   // the same
	valueSets []*ValueSet
	profiles  []*Profile
	registers []*Register
	cells     []cells // of the registers
	rows      []cells // of registers side by side; see Program.places
	lookups   []lookup

	replication atomic.Pointer[replication]
	control     sync.Mutex                      // guards writes of replication
	journal     atomic.Pointer[journal]         // nil: changes are not taken back
	down        atomic.Pointer[map[uint32]bool] // ports; nil: none are. It is not changed

	state sync.Mutex // held while packets run; guards counters, registers and what follows
	stats Stats
	now   uint64
	rand  *rand.Rand
	free  *packet
	work  []*packet // packets of this frame that wait for ingress

	passes int     // that the frame may still take
	queues *queues // nil if there is one a port
}

// Stats counts what a program did that nothing else shows.
type Stats struct {
	// Runaways are packets dropped because an action did not end.
	Runaways uint64
	// Assertions are packets dropped by assert or assume, where BMv2 would stop.
	Assertions uint64
	// NoQueue are copies dropped because their priority is not below Options.Queues.
	NoQueue uint64
	// PassLimit are packets that were resubmitted, recirculated or copied too often: they, or
	// their copies, are dropped.
	PassLimit uint64
}

// New makes a switch with the program's constant entries and everything else empty.
func New(p *Program, opt Options) *Switch {
	if opt.DropPort == 0 {
		opt.DropPort = 511
	}
	opt.Queues = min(max(opt.Queues, 1), MaxQueues)
	if opt.Trace != nil {
		if traced, err := p.traced(); err != nil {
			opt.Trace("no trace of steps: " + err.Error())
		} else {
			p = traced
		}
	}
	s := &Switch{prog: p, opt: opt, rand: rand.New(rand.NewPCG(opt.Seed, opt.Seed))}
	s.replication.Store(&replication{})
	s.counters = make([]*Counter, len(p.src.Counters))
	for i, c := range p.src.Counters {
		if !c.Direct {
			s.counters[i] = &Counter{sw: s, name: c.Name, cells: make([]CounterData, c.Size)}
		}
	}
	s.meters = make([]*Meter, len(p.src.Meters))
	for i, m := range p.src.Meters {
		if !m.Direct {
			s.meters[i] = &Meter{sw: s, name: m.Name, rates: m.Rates, cells: make([]meterCell, m.Size)}
			if m.Bytes {
				s.meters[i].unit = MeterBytes
			}
		}
	}
	for _, v := range p.valueSets {
		s.valueSets = append(s.valueSets, newValueSet(s, v))
	}
	for _, pp := range p.profiles {
		s.profiles = append(s.profiles, newProfile(s, pp))
	}
	s.makeRegisters()
	if opt.Queues > 1 {
		s.queues = newQueues(opt.Queues)
	}
	for _, tp := range p.tables {
		t := newTable(s, tp)
		s.tables = append(s.tables, t)
		if err := t.declare(); err != nil {
			panic(fmt.Sprintf("entries that Compile accepted: %v", err))
		}
	}
	s.std = &p.std
	if p.flat != nil {
		s.std = &p.flat.std
		s.makeLookups()
	}
	return s
}

// Stats returns the counts since the switch was made.
func (s *Switch) Stats() Stats {
	s.state.Lock()
	defer s.state.Unlock()
	return s.stats
}

func find[T interface{ Name() string }](list []T, name string) (T, bool) {
	i := slices.IndexFunc(list, func(x T) bool { return x.Name() == name })
	if i < 0 {
		var none T
		return none, false
	}
	return list[i], true
}

// Tables lists the tables in the program's order, those that the compiler made included.
func (s *Switch) Tables() []*Table { return slices.Clone(s.tables) }

// Table finds a table by its P4 name.
func (s *Switch) Table(name string) (*Table, bool) { return find(s.tables, name) }

// Counters lists the indirect counters.
func (s *Switch) Counters() []*Counter {
	return slices.DeleteFunc(slices.Clone(s.counters), func(c *Counter) bool { return c == nil })
}

// Counter finds an indirect counter by its P4 name.
func (s *Switch) Counter(name string) (*Counter, bool) { return find(s.Counters(), name) }

// Meters lists the indirect meters.
func (s *Switch) Meters() []*Meter {
	return slices.DeleteFunc(slices.Clone(s.meters), func(m *Meter) bool { return m == nil })
}

// Meter finds an indirect meter by its P4 name.
func (s *Switch) Meter(name string) (*Meter, bool) { return find(s.Meters(), name) }

// ValueSets lists the parser value sets.
func (s *Switch) ValueSets() []*ValueSet { return slices.Clone(s.valueSets) }

// ValueSet finds a parser value set by its P4 name.
func (s *Switch) ValueSet(name string) (*ValueSet, bool) { return find(s.valueSets, name) }

// Profiles lists the action profiles and selectors.
func (s *Switch) Profiles() []*Profile { return slices.Clone(s.profiles) }

// Profile finds an action profile or selector by its P4 name.
func (s *Switch) Profile(name string) (*Profile, bool) { return find(s.profiles, name) }

// Registers lists the registers.
func (s *Switch) Registers() []*Register { return slices.Clone(s.registers) }

// Register finds a register by its P4 name.
func (s *Switch) Register(name string) (*Register, bool) { return find(s.registers, name) }

// replication is an immutable snapshot of multicast groups and clone sessions.
type replication struct {
	groups map[uint16][]Replica
	clones map[uint16]CloneSession
}

// edit replaces the snapshot by a changed copy.
func (s *Switch) edit(change func(r *replication) error) error {
	s.control.Lock()
	defer s.control.Unlock()
	old := s.replication.Load()
	r := &replication{maps.Clone(old.groups), maps.Clone(old.clones)}
	if r.groups == nil {
		r.groups = map[uint16][]Replica{}
	}
	if r.clones == nil {
		r.clones = map[uint16]CloneSession{}
	}
	if err := change(r); err != nil {
		return err
	}
	s.replication.Store(r)
	s.Undo(func() { s.replication.Store(old) })
	return nil
}

// SetMulticast creates or replaces a multicast group (1..65535): ErrInvalid.
func (s *Switch) SetMulticast(group uint16, replicas []Replica) error {
	if group == 0 {
		return fmt.Errorf("%w: multicast group 0", ErrInvalid)
	}
	return s.edit(func(r *replication) error {
		r.groups[group] = cloneReplicas(replicas)
		return nil
	})
}

// DeleteMulticast removes a multicast group: ErrNotFound if there is none.
func (s *Switch) DeleteMulticast(group uint16) error {
	return s.edit(func(r *replication) error {
		if _, ok := r.groups[group]; !ok {
			return fmt.Errorf("multicast group %d: %w", group, ErrNotFound)
		}
		delete(r.groups, group)
		return nil
	})
}

// Multicast returns a group's replicas and whether the group exists.
func (s *Switch) Multicast(group uint16) ([]Replica, bool) {
	r, ok := s.replication.Load().groups[group]
	return cloneReplicas(r), ok
}

// MulticastGroups lists the groups in ascending order.
func (s *Switch) MulticastGroups() []uint16 { return sortedKeys(s.replication.Load().groups) }

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// SetCloneSession creates or replaces a clone session (1..32767): ErrInvalid.
func (s *Switch) SetCloneSession(id uint16, session CloneSession) error {
	if id == 0 || id > maxCloneSession {
		return fmt.Errorf("%w: clone session %d is not from 1 to %d", ErrInvalid, id, maxCloneSession)
	}
	session.Replicas = cloneReplicas(session.Replicas)
	return s.edit(func(r *replication) error {
		r.clones[id] = session
		return nil
	})
}

// DeleteCloneSession removes a clone session: ErrNotFound if there is none.
func (s *Switch) DeleteCloneSession(id uint16) error {
	return s.edit(func(r *replication) error {
		if _, ok := r.clones[id]; !ok {
			return fmt.Errorf("clone session %d: %w", id, ErrNotFound)
		}
		delete(r.clones, id)
		return nil
	})
}

// CloneSession returns a session and whether it exists.
func (s *Switch) CloneSession(id uint16) (CloneSession, bool) {
	c, ok := s.replication.Load().clones[id]
	c.Replicas = cloneReplicas(c.Replicas)
	return c, ok
}

// CloneSessions lists the sessions in ascending order.
func (s *Switch) CloneSessions() []uint16 { return sortedKeys(s.replication.Load().clones) }

// HeaderTypes lists the fields of every type of header and metadata. A field of variable length
// has width 0.
func (s *Switch) HeaderTypes() [][]FieldInfo {
	var list [][]FieldInfo
	for _, t := range s.prog.src.HeaderTypes {
		var fields []FieldInfo
		for _, f := range t.Fields {
			fields = append(fields, FieldInfo{Name: f.Name, Width: f.Width})
		}
		list = append(list, fields)
	}
	return list
}

// Digests lists the names of the digests, in the order of the JSON.
func (s *Switch) Digests() []string {
	var list []string
	for i := range s.prog.digests {
		list = append(list, s.prog.digests[i].name)
	}
	return list
}

// DigestFields describes the fields of the digest with this name (P4's type name).
func (s *Switch) DigestFields(name string) ([]FieldInfo, bool) {
	for i := range s.prog.digests {
		if s.prog.digests[i].name == name {
			return slices.Clone(s.prog.digests[i].fields), true
		}
	}
	return nil, false
}
