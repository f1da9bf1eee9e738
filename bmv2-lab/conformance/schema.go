package conformance

import (
	"fmt"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

// schema leads from names of the P4Info to what they name.
type schema struct {
	tables      map[string]*p4config.Table
	actions     map[string]*p4config.Action
	actionNames map[uint32]string
	counters    map[string]uint32
	meters      map[string]uint32
	profiles    map[string]uint32
	valueSets   map[string]*p4config.ValueSet
	digests     map[uint32]*p4config.Digest
	packetIn    *p4config.ControllerPacketMetadata
	packetOut   *p4config.ControllerPacketMetadata
}

func newSchema(info *p4config.P4Info) *schema {
	s := &schema{tables: map[string]*p4config.Table{}, actions: map[string]*p4config.Action{}, actionNames: map[uint32]string{},
		counters: map[string]uint32{},
		meters:   map[string]uint32{}, profiles: map[string]uint32{}, valueSets: map[string]*p4config.ValueSet{}, digests: map[uint32]*p4config.Digest{}}
	for _, t := range info.GetTables() {
		s.tables[t.GetPreamble().GetName()] = t
	}
	for _, a := range info.GetActions() {
		s.actions[a.GetPreamble().GetName()] = a
		s.actionNames[a.GetPreamble().GetId()] = a.GetPreamble().GetName()
	}
	for _, c := range info.GetCounters() {
		s.counters[c.GetPreamble().GetName()] = c.GetPreamble().GetId()
	}
	for _, m := range info.GetMeters() {
		s.meters[m.GetPreamble().GetName()] = m.GetPreamble().GetId()
	}
	for _, p := range info.GetActionProfiles() {
		s.profiles[p.GetPreamble().GetName()] = p.GetPreamble().GetId()
	}
	for _, v := range info.GetValueSets() {
		s.valueSets[v.GetPreamble().GetName()] = v
	}
	for _, d := range info.GetDigests() {
		s.digests[d.GetPreamble().GetId()] = d
	}
	for _, m := range info.GetControllerPacketMetadata() {
		switch m.GetPreamble().GetName() {
		case "packet_in":
			s.packetIn = m
		case "packet_out":
			s.packetOut = m
		}
	}
	return s
}

// named finds an object by its full name.
func named[T any](list map[string]T, what, name string) (T, error) {
	x, ok := list[name]
	if !ok {
		return x, fmt.Errorf("the P4Info has no %s %q: %w", what, name, engine.ErrNotFound)
	}
	return x, nil
}
