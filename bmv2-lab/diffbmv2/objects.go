package main

import (
	"slices"

	p4config "github.com/p4lang/p4runtime/go/p4/config/v1"
	p4 "github.com/p4lang/p4runtime/go/p4/v1"
)

// Groups, sessions, members and groups of members have small numbers, which programs and entries
// hit by chance.
const objects = 4

// replication makes multicast groups and clone sessions. A port is in a group once: P4Runtime
// does not say in which order two copies leave by the same port.
func (g *generator) replication(ports []uint32) []setup {
	var out []setup
	add := func(e *p4.PacketReplicationEngineEntry) {
		out = append(out, setup{p4.Update_INSERT, &p4.Entity{Entity: &p4.Entity_PacketReplicationEngineEntry{PacketReplicationEngineEntry: e}}})
	}
	for id := uint32(1); id <= objects; id++ {
		add(&p4.PacketReplicationEngineEntry{Type: &p4.PacketReplicationEngineEntry_MulticastGroupEntry{
			MulticastGroupEntry: &p4.MulticastGroupEntry{MulticastGroupId: id, Replicas: g.replicas(ports, len(ports))}}})
	}
	for _, id := range g.sessions() {
		add(&p4.PacketReplicationEngineEntry{Type: &p4.PacketReplicationEngineEntry_CloneSessionEntry{
			CloneSessionEntry: &p4.CloneSessionEntry{SessionId: id, Replicas: g.replicas(ports, 2)}}})
	}
	return out
}

// sessions are small numbers and the program's constants.
func (g *generator) sessions() []uint32 {
	out := []uint32{1, 2, 3, 4, 5}
	for _, c := range g.consts {
		const limit = 1 << 15
		if c.IsUint64() && c.Uint64() > 0 && c.Uint64() < limit && len(out) < 40 && !slices.Contains(out, uint32(c.Uint64())) {
			out = append(out, uint32(c.Uint64()))
		}
	}
	return out
}

// replicas are copies to some ports, each with an instance of its own.
func (g *generator) replicas(ports []uint32, limit int) []*p4.Replica {
	var out []*p4.Replica
	order := g.rng.Perm(len(ports))
	for _, i := range order[:1+g.rng.IntN(limit)] {
		out = append(out, &p4.Replica{PortKind: &p4.Replica_EgressPort{EgressPort: ports[i]}, Instance: uint32(1 + g.rng.IntN(3))})
	}
	return out
}

// profile makes members, and groups of them if there is a selector.
func (g *generator) profile(p *p4config.ActionProfile, ports []uint32) []setup {
	var refs []*p4config.ActionRef
	for _, t := range g.info.GetTables() {
		if t.GetImplementationId() == p.GetPreamble().GetId() {
			refs = t.GetActionRefs()
		}
	}
	var out []setup
	for id := uint32(1); id <= objects; id++ {
		a := g.action(refs, p4config.ActionRef_DEFAULT_ONLY, ports)
		if a == nil {
			return nil
		}
		m := &p4.ActionProfileMember{ActionProfileId: p.GetPreamble().GetId(), MemberId: id, Action: a}
		out = append(out, setup{p4.Update_INSERT, &p4.Entity{Entity: &p4.Entity_ActionProfileMember{ActionProfileMember: m}}})
	}
	if !p.GetWithSelector() {
		return out
	}
	for id := uint32(1); id <= objects; id++ {
		group := &p4.ActionProfileGroup{ActionProfileId: p.GetPreamble().GetId(), GroupId: id, MaxSize: objects}
		for m := uint32(1); m <= objects; m++ {
			if m == 1 || g.rng.IntN(2) == 0 {
				group.Members = append(group.Members, &p4.ActionProfileGroup_Member{MemberId: m, Weight: 1})
			}
		}
		out = append(out, setup{p4.Update_INSERT, &p4.Entity{Entity: &p4.Entity_ActionProfileGroup{ActionProfileGroup: group}}})
	}
	return out
}

// indirect chooses a member or a group.
func (g *generator) indirect(profile uint32) *p4.TableAction {
	id := uint32(1 + g.rng.IntN(objects))
	for _, p := range g.info.GetActionProfiles() {
		if p.GetPreamble().GetId() == profile && p.GetWithSelector() && g.rng.IntN(2) == 0 {
			return &p4.TableAction{Type: &p4.TableAction_ActionProfileGroupId{ActionProfileGroupId: id}}
		}
	}
	return &p4.TableAction{Type: &p4.TableAction_ActionProfileMemberId{ActionProfileMemberId: id}}
}

// meter fills a cell's buckets once: with rates of zero the clock has no part in the colours.
func (g *generator) meter(m *p4config.Meter) setup {
	burst := int64(g.rng.IntN(200))
	e := &p4.MeterEntry{MeterId: m.GetPreamble().GetId(), Index: &p4.Index{Index: int64(g.rng.IntN(int(max(1, min(m.GetSize(), objects)))))},
		Config: &p4.MeterConfig{Cburst: burst, Pburst: burst + int64(g.rng.IntN(200))}}
	return setup{p4.Update_MODIFY, &p4.Entity{Entity: &p4.Entity_MeterEntry{MeterEntry: e}}}
}
