package p4rtserver

import (
	"bytes"
	"context"

	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

// reconcile commits a pipeline and keeps the state: entries, counters, registers, replication
// and digest settings. The same program keeps its running switch; into another one everything
// is copied by id between two packets, and what has no place there is an error that leaves
// the old one running. Called with state.
func (s *Server) reconcile(ctx context.Context, config *p4.ForwardingPipelineConfig) error {
	old := s.running.Load()
	next, err := s.build(config)
	if err != nil {
		return err
	}
	if old == nil {
		return s.commit(ctx, next, nil)
	}
	if bytes.Equal(config.GetP4DeviceConfig(), old.config.GetP4DeviceConfig()) && proto.Equal(config.GetP4Info(), old.config.GetP4Info()) {
		old.config = proto.Clone(config).(*p4.ForwardingPipelineConfig)
		s.current = old
		return nil
	}
	return s.commit(ctx, next, func() error {
		if err := s.carry(old, next); err != nil {
			return &failure{codes.InvalidArgument, within(err, "the state cannot be preserved")}
		}
		return nil
	})
}

// carry copies one pipeline's state into another.
func (s *Server) carry(old, next *pipeline) error {
	for _, id := range old.schema.tableOrder {
		t := old.schema.tables[id]
		if err := carryTable(old, next, t); err != nil {
			return within(err, "table %q", t.engine.Name())
		}
	}
	if err := carryArrays(old, next); err != nil {
		return err
	}
	for _, g := range old.groups {
		if err := next.writeGroup(p4.Update_INSERT, g); err != nil {
			return within(err, "multicast group %d", g.GetMulticastGroupId())
		}
	}
	for _, c := range old.sessions {
		if err := next.writeSession(p4.Update_INSERT, c); err != nil {
			return within(err, "clone session %d", c.GetSessionId())
		}
	}
	for id, c := range old.digests {
		if err := next.writeDigest(s.digester, p4.Update_INSERT, &p4.DigestEntry{DigestId: id, Config: c}); err != nil {
			return err
		}
	}
	return nil
}

func carryTable(old, next *pipeline, t *table) error {
	filter := &p4.TableEntry{TableId: t.id}
	if t.counter {
		filter.CounterData = &p4.CounterData{}
	}
	for e := range t.engine.Entries() {
		if e.Const {
			continue
		}
		out := old.entryOut(t, 0, filter, e)
		out.IsConst = false
		err := next.writeTable(p4.Update_INSERT, out)
		if codeOf(err) == codes.AlreadyExists { // an initial entry of the new program
			err = next.writeTable(p4.Update_MODIFY, out)
		}
		if err != nil {
			return err
		}
	}
	d, ok := t.engine.Default()
	if !ok || t.info.GetConstDefaultActionId() != 0 {
		return nil
	}
	filter.IsDefaultAction = true
	out := old.entryOut(t, 0, filter, d)
	if out.GetAction() == nil {
		return nil
	}
	return next.writeTable(p4.Update_MODIFY, out)
}

// carryArrays copies the counters and registers that both pipelines have.
func carryArrays(old, next *pipeline) error {
	for id, c := range old.schema.counters {
		to := next.schema.counters[id]
		if to == nil {
			continue
		}
		cells := make([]engine.CounterData, min(c.Size(), to.Size()))
		for i, d := range cells[:c.ReadRange(0, cells)] {
			if d == (engine.CounterData{}) {
				continue
			}
			if err := to.Write(i, d); err != nil {
				return within(err, "counter %q", c.Name())
			}
		}
	}
	for id, r := range old.schema.registers {
		to := next.schema.registers[id]
		if to == nil {
			continue
		}
		for i := range min(r.engine.Size(), to.engine.Size()) {
			v, err := r.engine.Read(i)
			if err != nil {
				return within(err, "register %q", r.engine.Name())
			}
			if bitLen(v) == 0 {
				continue
			}
			if err := to.engine.Write(i, v); err != nil {
				return within(err, "register %q", r.engine.Name())
			}
		}
	}
	return nil
}
