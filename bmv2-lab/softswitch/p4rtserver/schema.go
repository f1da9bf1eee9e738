package p4rtserver

import (
	"fmt"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	"google.golang.org/grpc/codes"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

// schema is a P4Info bound to the switch that runs its program: P4Info's ids lead to the
// engine's objects. It is immutable.
type schema struct {
	info *p4config.P4Info

	tables    map[uint32]*table
	removed   map[uint32]string // names of tables and profiles that the program no longer has
	actions   map[uint32]*action
	profiles  map[uint32]*profile
	counters  map[uint32]*engine.Counter
	meters    map[uint32]*meter
	registers map[uint32]*register
	valueSets map[uint32]*valueSet
	digests   map[uint32]*digest
	byDigest  map[string]*digest // by name
	names     map[string]*names  // by the URI of the translation
	// The ids in the order of the P4Info, for reads of everything.
	tableOrder, profileOrder, counterOrder, meterOrder, registerOrder, valueSetOrder []uint32

	packetIn, packetOut *packetHeader // nil if the program has none
}

// table is a table as both sides know it.
type table struct {
	key
	id      uint32
	info    *p4config.Table
	engine  *engine.Table
	actions map[uint32]*p4config.ActionRef
	profile *profile            // nil: entries have actions of their own
	meter   *p4config.MeterSpec // of the direct meter, nil without one
	counter bool                // has a direct counter
	idle    bool                // supports idle timeouts
}

// key is what entries of a table, or members of a value set, match. Fields are in the
// engine's order.
type key struct {
	fields  []field
	byField map[uint32]int
}

type field struct {
	id    uint32
	name  string
	kind  engine.MatchKind
	width int // bits, as P4Info says

	translated bool   // its width is not the program's
	names      *names // of values that are strings to the controller; nil for numbers
}

// valueIn checks and translates a value of the field.
func (f field) valueIn(b []byte) ([]byte, error) {
	if f.names != nil {
		return f.names.in(b)
	}
	return unsigned(b, f.width)
}

// valueOut translates a value back.
func (f field) valueOut(b []byte) []byte {
	if f.names != nil {
		return f.names.out(b)
	}
	return canonical(b)
}

type action struct {
	id      uint32
	name    string
	params  []field // kind unused
	byParam map[uint32]int
}

// bind ties a P4Info to a switch. An error says where the two do not agree.
func bind(info *p4config.P4Info, sw *engine.Switch) (*schema, error) {
	s := &schema{
		info:   info,
		tables: map[uint32]*table{}, removed: map[uint32]string{}, actions: map[uint32]*action{}, profiles: map[uint32]*profile{},
		counters: map[uint32]*engine.Counter{}, meters: map[uint32]*meter{}, registers: map[uint32]*register{},
		valueSets: map[uint32]*valueSet{}, digests: map[uint32]*digest{}, byDigest: map[string]*digest{},
		names: map[string]*names{},
	}
	for _, step := range []func(*engine.Switch) error{
		s.bindActions, s.bindProfiles, s.bindTables, s.bindCounters, s.bindMeters, s.bindRegisters,
		s.bindValueSets, s.bindDigests, s.bindPackets,
	} {
		if err := step(sw); err != nil {
			return nil, within(err, "P4Info")
		}
	}
	return s, nil
}

// disagree is the error of a P4Info that was not made from the same program as the JSON.
func disagree(format string, args ...any) error {
	return fail(codes.InvalidArgument, "%s; was it compiled together with the device configuration?", fmt.Sprintf(format, args...))
}

// preamble checks an object's id and returns both parts of its identity.
func preamble(kind string, p *p4config.Preamble) (uint32, string, error) {
	if p.GetId() == 0 || p.GetName() == "" {
		return 0, "", fail(codes.InvalidArgument, "a %s has no id or no name", kind)
	}
	return p.GetId(), p.GetName(), nil
}

func (s *schema) bindActions(*engine.Switch) error {
	for _, a := range s.info.GetActions() {
		id, name, err := preamble("action", a.GetPreamble())
		if err != nil {
			return err
		}
		if s.actions[id] != nil {
			return fail(codes.InvalidArgument, "action %q: id %#x is taken", name, id)
		}
		act := &action{id: id, name: name, byParam: map[uint32]int{}}
		for i, p := range a.GetParams() {
			f := field{id: p.GetId(), name: p.GetName(), translated: p.GetTypeName() != nil, names: s.namesOf(p.GetTypeName())}
			if f.names == nil {
				if f.width, err = checkWidth(p.GetBitwidth()); err != nil {
					return within(err, "action %q: parameter %q", name, p.GetName())
				}
			}
			act.params = append(act.params, f)
			act.byParam[p.GetId()] = i
		}
		s.actions[id] = act
	}
	return nil
}

func (s *schema) bindCounters(sw *engine.Switch) error {
	for _, c := range s.info.GetCounters() {
		id, name, err := preamble("counter", c.GetPreamble())
		if err != nil {
			return err
		}
		ec, ok := sw.Counter(name)
		if !ok {
			return disagree("the program has no counter %q", name)
		}
		s.counters[id] = ec
		s.counterOrder = append(s.counterOrder, id)
	}
	return nil
}
