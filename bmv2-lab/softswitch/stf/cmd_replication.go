package stf

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

// replicationState is BMv2's packet replication engine as its CLI shows it: nodes with
// handles from 0 on, of which groups are made, and mirroring sessions to a port or to a group.
// A target knows replicas only, so every change is brought to it as the new replicas.
type replicationState struct {
	nodes    map[uint64]*mcNode // by handle
	groups   map[uint16][]uint64
	lags     map[uint16][]uint32 // the ports of each link aggregation group, ascending
	sessions map[uint16]mirror
}

type mcNode struct {
	rid        uint16
	members    mcMembers
	group      uint16
	associated bool
}

// mcMembers are where a node sends copies, both ascending.
type mcMembers struct {
	ports []uint32
	lags  []uint16
}

// mirror is where a mirroring session sends copies.
type mirror struct {
	port    uint32
	group   uint16
	toGroup bool
}

const maxID = math.MaxUint16

// groupReplicas are a group's replicas in BMv2's order: nodes as they were associated, each
// with its ports ascending, and then a port of each link aggregation group.
func (r *replicationState) groupReplicas(group uint16) []engine.Replica {
	var out []engine.Replica
	for _, h := range r.groups[group] {
		n := r.nodes[h]
		for _, p := range n.members.ports {
			out = append(out, engine.Replica{Port: p, Instance: n.rid})
		}
		for _, lag := range n.members.lags {
			if ports := r.lags[lag]; len(ports) > 0 {
				out = append(out, engine.Replica{Port: ports[lagHash%len(ports)], Instance: n.rid})
			}
		}
	}
	return out
}

// lagHash chooses the port of a link aggregation group: BMv2 has the same hash for all packets.
const lagHash = 0xff

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

func parseGroup(s *scanner) uint16 { return uint16(s.number("the group", maxID)) }

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

// nodeCreate is mc_node_create RID PORT… [| LAG…]; the node gets the lowest handle that is free.
type nodeCreate struct {
	rid     uint16
	members mcMembers
}

func parseNodeCreate(s *scanner) command {
	return &nodeCreate{uint16(s.number("the replication id", maxID)), parseMembers(s)}
}

func parseMembers(s *scanner) (m mcMembers) {
	m.ports = parseSet(s, "port", parsePort)
	if s.accept("|") {
		m.lags = parseSet(s, "lag", parseLag)
	}
	return m
}

// parseSet reads the numbers up to a bar or the end of the line.
func parseSet[T uint16 | uint32](s *scanner, what string, one func(*scanner) T) (out []T) {
	for s.more() && !strings.HasPrefix(s.rest(), "|") {
		n := one(s)
		if slices.Contains(out, n) {
			s.fail("%s %d is there twice", what, n)
		}
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// maxLAG is BMv2's.
const maxLAG = 255

func parseLag(s *scanner) uint16 { return uint16(s.number("the lag", maxLAG)) }

func (c *nodeCreate) run(x *run) error {
	if x.pre.nodes == nil {
		x.pre.nodes = map[uint64]*mcNode{}
	}
	handle := uint64(0)
	for x.pre.nodes[handle] != nil {
		handle++
	}
	x.pre.nodes[handle] = &mcNode{rid: c.rid, members: c.members}
	return nil
}

// nodeUpdate is mc_node_update HANDLE PORT… [| LAG…].
type nodeUpdate struct {
	handle  uint64
	members mcMembers
}

func parseHandle(s *scanner) uint64 { return s.number("the node's handle", math.MaxInt32) }

func parseNodeUpdate(s *scanner) command { return &nodeUpdate{parseHandle(s), parseMembers(s)} }

func (c *nodeUpdate) run(x *run) error {
	n, err := x.node(c.handle)
	if err != nil {
		return err
	}
	n.members = c.members
	if n.associated {
		return x.pushGroup(n.group)
	}
	return nil
}

// lagMembership is mc_set_lag_membership LAG PORT….
type lagMembership struct {
	lag   uint16
	ports []uint32
}

func parseLagMembership(s *scanner) command {
	return &lagMembership{parseLag(s), parseSet(s, "port", parsePort)}
}

func (c *lagMembership) run(x *run) error {
	if x.pre.lags == nil {
		x.pre.lags = map[uint16][]uint32{}
	}
	x.pre.lags[c.lag] = c.ports
	for _, group := range slices.Sorted(maps.Keys(x.pre.groups)) {
		for _, h := range x.pre.groups[group] {
			if !slices.Contains(x.pre.nodes[h].members.lags, c.lag) {
				continue
			}
			if err := x.pushGroup(group); err != nil {
				return err
			}
			break
		}
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
			n := x.pre.nodes[h]
			x.print("  node %d: replication id %d, ports %v, lags %v", h, n.rid, n.members.ports, n.members.lags)
		}
	}
	for _, lag := range slices.Sorted(maps.Keys(x.pre.lags)) {
		x.print("lag %d: ports %v", lag, x.pre.lags[lag])
	}
	return nil
}
