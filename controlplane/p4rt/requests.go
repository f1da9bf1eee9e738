package p4rt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	p4v1 "github.com/p4lang/p4runtime/go/p4/v1"
)

// Counter is one cell of an indirect counter.
type Counter struct {
	Index   int64
	Packets uint64
	Bytes   uint64
}

// Apply writes updates in order, in batches. Updates that the switch refuses are in a
// *WriteError; the others of their batch are applied, and later batches are not sent.
func (s *Session) Apply(ctx context.Context, updates []Update) error {
	all := make([]*p4v1.Update, 0, len(updates))
	for _, u := range updates {
		e, err := s.program.Encode(u.Entry)
		if err != nil {
			return fmt.Errorf("switch %s: write: %w", s.cfg.Name, err)
		}
		all = append(all, &p4v1.Update{
			Type:   map[Op]p4v1.Update_Type{Insert: p4v1.Update_INSERT, Modify: p4v1.Update_MODIFY, Delete: p4v1.Update_DELETE}[u.Op],
			Entity: &p4v1.Entity{Entity: &p4v1.Entity_TableEntry{TableEntry: e}},
		})
	}
	for len(all) > 0 {
		n := min(len(all), s.cfg.WriteBatch)
		if err := s.write(ctx, all[:n]); err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}

// Reconcile reads tables back and writes what differs from want (see Diff). It gives the
// updates that it wrote.
func (s *Session) Reconcile(ctx context.Context, tables []string, want []Entry) ([]Update, error) {
	have, err := s.Entries(ctx, tables...)
	if err != nil {
		return nil, err
	}
	updates := Diff(tables, have, want)
	return updates, s.Apply(ctx, updates)
}

// Entries reads all entries of tables, but for constant and default ones.
func (s *Session) Entries(ctx context.Context, tables ...string) ([]Entry, error) {
	var entities []*p4v1.Entity
	for _, name := range tables {
		t, ok := s.program.tables[name]
		if !ok {
			return nil, fmt.Errorf("switch %s: read table %s: %w", s.cfg.Name, name, ErrUnknownName)
		}
		entities = append(entities, &p4v1.Entity{Entity: &p4v1.Entity_TableEntry{TableEntry: &p4v1.TableEntry{TableId: t.id}}})
	}
	var entries []Entry
	err := s.read(ctx, entities, func(e *p4v1.Entity) error {
		te := e.GetTableEntry()
		if te == nil || te.GetIsDefaultAction() || te.GetIsConst() {
			return nil
		}
		entry, err := s.program.Decode(te)
		if err == nil {
			entries = append(entries, entry)
		}
		return err
	})
	return entries, err
}

// Counters reads cells of an indirect counter: those at indices, or all of them.
func (s *Session) Counters(ctx context.Context, name string, indices ...int64) ([]Counter, error) {
	id, err := s.program.counter(name)
	if err != nil {
		return nil, fmt.Errorf("switch %s: read: %w", s.cfg.Name, err)
	}
	entities := make([]*p4v1.Entity, 0, max(1, len(indices)))
	for _, i := range indices {
		entities = append(entities, &p4v1.Entity{Entity: &p4v1.Entity_CounterEntry{
			CounterEntry: &p4v1.CounterEntry{CounterId: id, Index: &p4v1.Index{Index: i}}}})
	}
	if len(indices) == 0 {
		entities = append(entities, &p4v1.Entity{Entity: &p4v1.Entity_CounterEntry{CounterEntry: &p4v1.CounterEntry{CounterId: id}}})
	}
	var cells []Counter
	err = s.read(ctx, entities, func(e *p4v1.Entity) error {
		if c := e.GetCounterEntry(); c != nil {
			cells = append(cells, Counter{c.GetIndex().GetIndex(), uint64(c.GetData().GetPacketCount()), uint64(c.GetData().GetByteCount())})
		}
		return nil
	})
	return cells, err
}

// SetMulticast makes a multicast group replicate to ports, once to each.
func (s *Session) SetMulticast(ctx context.Context, group uint32, ports []uint32) error {
	g := &p4v1.MulticastGroupEntry{MulticastGroupId: group}
	for _, p := range ports {
		g.Replicas = append(g.Replicas, &p4v1.Replica{PortKind: &p4v1.Replica_EgressPort{EgressPort: p}, Instance: 1})
	}
	return s.insertOrModify(ctx, multicastEntity(g))
}

// DeleteMulticast removes a multicast group.
func (s *Session) DeleteMulticast(ctx context.Context, group uint32) error {
	e := multicastEntity(&p4v1.MulticastGroupEntry{MulticastGroupId: group})
	return s.write(ctx, []*p4v1.Update{{Type: p4v1.Update_DELETE, Entity: e}})
}

func multicastEntity(g *p4v1.MulticastGroupEntry) *p4v1.Entity {
	return &p4v1.Entity{Entity: &p4v1.Entity_PacketReplicationEngineEntry{
		PacketReplicationEngineEntry: &p4v1.PacketReplicationEngineEntry{
			Type: &p4v1.PacketReplicationEngineEntry_MulticastGroupEntry{MulticastGroupEntry: g}}}}
}

// SendPacket queues a packet-out. It does not wait: ErrQueueFull says that the packet was
// dropped. There is no word from the switch about packets that it could not send.
func (s *Session) SendPacket(p PacketOut) error {
	c, err := s.connected(true)
	if err != nil {
		return err
	}
	out, err := s.program.encodePacketOut(p)
	if err != nil {
		return fmt.Errorf("switch %s: packet-out: %w", s.cfg.Name, err)
	}
	select {
	case c.out <- &p4v1.StreamMessageRequest{Update: &p4v1.StreamMessageRequest_Packet{Packet: out}}:
		return nil
	default:
		s.metrics.drops.WithLabelValues(s.cfg.Name, "out", "packet-out").Inc()
		return fmt.Errorf("switch %s: packet-out: %w", s.cfg.Name, ErrQueueFull)
	}
}

// write sends one Write request.
func (s *Session) write(ctx context.Context, updates []*p4v1.Update) error {
	c, err := s.connected(true)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.RPCTimeout)
	defer cancel()
	start := time.Now()
	_, err = c.client.Write(ctx, &p4v1.WriteRequest{
		DeviceId: s.cfg.DeviceID, Role: s.cfg.Role, ElectionId: c.election.Load(), Updates: updates,
	})
	s.metrics.write.WithLabelValues(s.cfg.Name).Observe(time.Since(start).Seconds())
	if err == nil {
		s.metrics.updates.WithLabelValues(s.cfg.Name, "ok").Add(float64(len(updates)))
		return nil
	}
	err = s.writeError(updates, err)
	failed := len(updates)
	if refused := (*WriteError)(nil); errors.As(err, &refused) {
		failed = len(refused.Failed)
		s.metrics.updates.WithLabelValues(s.cfg.Name, "ok").Add(float64(len(updates) - failed))
	}
	s.metrics.updates.WithLabelValues(s.cfg.Name, "refused").Add(float64(failed))
	return err
}

// read sends one Read request and gives every entity of the answer to visit.
func (s *Session) read(ctx context.Context, entities []*p4v1.Entity, visit func(*p4v1.Entity) error) error {
	c, err := s.connected(false)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.RPCTimeout)
	defer cancel()
	stream, err := c.client.Read(ctx, &p4v1.ReadRequest{DeviceId: s.cfg.DeviceID, Role: s.cfg.Role, Entities: entities})
	if err != nil {
		return fmt.Errorf("switch %s: read: %w", s.cfg.Name, err)
	}
	for {
		rsp, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("switch %s: read: %w", s.cfg.Name, err)
		}
		for _, e := range rsp.GetEntities() {
			if err := visit(e); err != nil {
				return fmt.Errorf("switch %s: read: %w", s.cfg.Name, err)
			}
		}
	}
}
