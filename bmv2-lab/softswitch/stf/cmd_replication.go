package stf

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

// replicationState is BMv2's packet replication engine as its CLI shows it: nodes with
// handles from 0 on, of which groups are made, and mirroring sessions to a port or to a group.
// A target knows replicas only, so every change is brought to it as the new replicas.
type replicationState struct {
	nodes    map[uint64]*mcNode // by handle
	groups   map[uint16][]uint64
	sessions map[uint16]mirror
}

type mcNode struct {
	rid        uint16
	ports      []uint32 // ascending
	group      uint16
	associated bool
}

// mirror is where a mirroring session sends copies.
type mirror struct {
	port    uint32
	group   uint16
	toGroup bool
}

const maxID = math.MaxUint16

// groupReplicas are a group's replicas in BMv2's order: nodes as they were associated, each
// with its ports ascending.
func (r *replicationState) groupReplicas(group uint16) []engine.Replica {
	var out []engine.Replica
	for _, h := range r.groups[group] {
		for _, p := range r.nodes[h].ports {
			out = append(out, engine.Replica{Port: p, Instance: r.nodes[h].rid})
		}
	}
	return out
}

// pushGroup brings a group, and the sessions that go to it, to the target.
func (x *run) pushGroup(group uint16) error {
	if err := x.target.SetMulticast(group, x.pre.groupReplicas(group)); err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(x.pre.sessions)) {
		if m := x.pre.sessions[id]; m.toGroup && m.group == group {
			if err := x.pushSession(id); err != nil {
				return err
			}
		}
	}
	return nil
}

func (x *run) pushSession(id uint16) error {
	m := x.pre.sessions[id]
	if m.toGroup {
		return x.target.SetClone(id, x.pre.groupReplicas(m.group))
	}
	return x.target.SetClone(id, []engine.Replica{{Port: m.port}})
}

func (x *run) group(id uint16) error {
	if _, ok := x.pre.groups[id]; !ok {
		return fmt.Errorf("there is no multicast group %d", id)
	}
	return nil
}

func (x *run) node(handle uint64) (*mcNode, error) {
	n, ok := x.pre.nodes[handle]
	if !ok {
		return nil, fmt.Errorf("there is no multicast node with handle %d", handle)
	}
	return n, nil
}

// mirroringAdd is mirroring_add SESSION PORT and mirroring_add_mc SESSION GROUP.
type mirroringAdd struct {
	session uint16
	to      mirror
}

func parseMirroringAdd(s *scanner) command {
	return &mirroringAdd{parseSession(s), mirror{port: parsePort(s)}}
}

func parseMirroringAddGroup(s *scanner) command {
	return &mirroringAdd{parseSession(s), mirror{group: parseGroup(s), toGroup: true}}
}

func parseSession(s *scanner) uint16 { return uint16(s.number("the session", maxID)) }

func parseGroup(s *scanner) uint16 { return uint16(s.number("the group", maxID)) }

func (c *mirroringAdd) run(x *run) error {
	if x.pre.sessions == nil {
		x.pre.sessions = map[uint16]mirror{}
	}
	x.pre.sessions[c.session] = c.to
	return x.pushSession(c.session)
}

// mirroringDelete is mirroring_delete SESSION.
type mirroringDelete struct{ session uint16 }

func parseMirroringDelete(s *scanner) command { return &mirroringDelete{parseSession(s)} }

func (c *mirroringDelete) run(x *run) error {
	delete(x.pre.sessions, c.session)
	return x.target.DeleteClone(c.session)
}

// mirroringGet prints a session: mirroring_get SESSION.
type mirroringGet struct{ session uint16 }

func parseMirroringGet(s *scanner) command { return &mirroringGet{parseSession(s)} }

func (c *mirroringGet) run(x *run) error {
	m, ok := x.pre.sessions[c.session]
	switch {
	case !ok:
		return fmt.Errorf("there is no mirroring session %d", c.session)
	case m.toGroup:
		x.print("mirroring session %d: group %d", c.session, m.group)
	default:
		x.print("mirroring session %d: port %d", c.session, m.port)
	}
	return nil
}

// groupCreate is mc_mgrp_create GROUP. One that exists stays, as in BMv2.
type groupCreate struct{ group uint16 }

func parseGroupCreate(s *scanner) command { return &groupCreate{parseGroup(s)} }

func (c *groupCreate) run(x *run) error {
	if x.pre.groups == nil {
		x.pre.groups = map[uint16][]uint64{}
	}
	if _, ok := x.pre.groups[c.group]; !ok {
		x.pre.groups[c.group] = nil
	}
	return x.pushGroup(c.group)
}

// groupDestroy is mc_mgrp_destroy GROUP.
type groupDestroy struct{ group uint16 }

func parseGroupDestroy(s *scanner) command { return &groupDestroy{parseGroup(s)} }

func (c *groupDestroy) run(x *run) error {
	if err := x.group(c.group); err != nil {
		return err
	}
	for _, h := range x.pre.groups[c.group] {
		x.pre.nodes[h].associated = false
	}
	x.pre.groups[c.group] = nil
	if err := x.pushGroup(c.group); err != nil {
		return err
	}
	delete(x.pre.groups, c.group)
	return x.target.DeleteMulticast(c.group)
}

// nodeCreate is mc_node_create RID PORT…; the node gets the lowest handle that is free.
type nodeCreate struct {
	rid   uint16
	ports []uint32
}

func parseNodeCreate(s *scanner) command {
	return &nodeCreate{uint16(s.number("the replication id", maxID)), parseNodePorts(s)}
}

func parseNodePorts(s *scanner) []uint32 {
	var out []uint32
	for s.more() {
		p := parsePort(s)
		if slices.Contains(out, p) {
			s.fail("port %d is there twice", p)
		}
		out = append(out, p)
	}
	slices.Sort(out)
	return out
}

func (c *nodeCreate) run(x *run) error {
	if x.pre.nodes == nil {
		x.pre.nodes = map[uint64]*mcNode{}
	}
	handle := uint64(0)
	for x.pre.nodes[handle] != nil {
		handle++
	}
	x.pre.nodes[handle] = &mcNode{rid: c.rid, ports: c.ports}
	return nil
}

// nodeUpdate is mc_node_update HANDLE PORT….
type nodeUpdate struct {
	handle uint64
	ports  []uint32
}

func parseHandle(s *scanner) uint64 { return s.number("the node's handle", math.MaxInt32) }

func parseNodeUpdate(s *scanner) command { return &nodeUpdate{parseHandle(s), parseNodePorts(s)} }

func (c *nodeUpdate) run(x *run) error {
	n, err := x.node(c.handle)
	if err != nil {
		return err
	}
	n.ports = c.ports
	if n.associated {
		return x.pushGroup(n.group)
	}
	return nil
}

// nodeAssociate is mc_node_associate GROUP HANDLE.
type nodeAssociate struct {
	group  uint16
	handle uint64
}

func parseNodeAssociate(s *scanner) command { return &nodeAssociate{parseGroup(s), parseHandle(s)} }

func (c *nodeAssociate) run(x *run) error {
	if err := x.group(c.group); err != nil {
		return err
	}
	n, err := x.node(c.handle)
	if err != nil {
		return err
	}
	if n.associated {
		return fmt.Errorf("node %d is in group %d already", c.handle, n.group)
	}
	n.group, n.associated = c.group, true
	x.pre.groups[c.group] = append(x.pre.groups[c.group], c.handle)
	return x.pushGroup(c.group)
}

// nodeDissociate is mc_node_dissociate GROUP HANDLE.
type nodeDissociate nodeAssociate

func parseNodeDissociate(s *scanner) command { return &nodeDissociate{parseGroup(s), parseHandle(s)} }

func (c *nodeDissociate) run(x *run) error {
	n, err := x.node(c.handle)
	if err != nil {
		return err
	}
	if !n.associated || n.group != c.group {
		return fmt.Errorf("node %d is not in group %d", c.handle, c.group)
	}
	return x.dissociate(n, c.handle)
}

func (x *run) dissociate(n *mcNode, handle uint64) error {
	n.associated = false
	x.pre.groups[n.group] = slices.DeleteFunc(x.pre.groups[n.group], func(h uint64) bool { return h == handle })
	return x.pushGroup(n.group)
}

// nodeDestroy is mc_node_destroy HANDLE.
type nodeDestroy struct{ handle uint64 }

func parseNodeDestroy(s *scanner) command { return &nodeDestroy{parseHandle(s)} }

func (c *nodeDestroy) run(x *run) error {
	n, err := x.node(c.handle)
	if err != nil {
		return err
	}
	if n.associated {
		if err := x.dissociate(n, c.handle); err != nil {
			return err
		}
	}
	delete(x.pre.nodes, c.handle)
	return nil
}

// replicationDump prints the groups: mc_dump.
type replicationDump struct{}

func parseReplicationDump(*scanner) command { return replicationDump{} }

func (replicationDump) run(x *run) error {
	for _, g := range slices.Sorted(maps.Keys(x.pre.groups)) {
		x.print("multicast group %d", g)
		for _, h := range x.pre.groups[g] {
			x.print("  node %d: replication id %d, ports %v", h, x.pre.nodes[h].rid, x.pre.nodes[h].ports)
		}
	}
	return nil
}
