package p4rtserver

import (
	"math"

	p4 "github.com/p4lang/p4runtime/go/p4/v1"
	"google.golang.org/grpc/codes"

	"github.com/fabricscope/fabricscope/bmv2-lab/softswitch/engine"
)

// counterChunk is how many cells are copied between two packets.
const counterChunk = 4096

func counterOut(d engine.CounterData) *p4.CounterData {
	return &p4.CounterData{
		PacketCount: int64(min(d.Packets, math.MaxInt64)), ByteCount: int64(min(d.Bytes, math.MaxInt64)),
	}
}

func counterIn(d *p4.CounterData) (engine.CounterData, error) {
	if d.GetPacketCount() < 0 || d.GetByteCount() < 0 {
		return engine.CounterData{}, fail(codes.InvalidArgument, "a counter cannot be negative")
	}
	return engine.CounterData{Packets: uint64(d.GetPacketCount()), Bytes: uint64(d.GetByteCount())}, nil
}

func (p *pipeline) findCounter(id uint32) (*engine.Counter, error) {
	if id == 0 {
		return nil, fail(codes.InvalidArgument, "counter id is not set")
	}
	c := p.schema.counters[id]
	if c == nil {
		return nil, fail(codes.NotFound, "no counter has id %#x", id)
	}
	return c, nil
}

func (p *pipeline) writeCounter(op p4.Update_Type, e *p4.CounterEntry) error {
	c, err := p.findCounter(e.GetCounterId())
	if err != nil {
		return err
	}
	if op != p4.Update_MODIFY {
		return fail(codes.InvalidArgument, "counter %q: %s: counters can only be modified", c.Name(), op)
	}
	i, err := index(e.GetIndex(), c.Size())
	if err != nil {
		return within(err, "counter %q", c.Name())
	}
	if e.GetData() == nil {
		return nil
	}
	d, err := counterIn(e.GetData())
	if err != nil {
		return within(err, "counter %q", c.Name())
	}
	if i >= 0 {
		return within(c.Write(i, d), "counter %q", c.Name())
	}
	for i := range c.Size() {
		if err := c.Write(i, d); err != nil {
			return within(err, "counter %q", c.Name())
		}
	}
	return nil
}

func (p *pipeline) readCounter(e *p4.CounterEntry, out entities) error {
	if e.GetCounterId() == 0 {
		for _, id := range p.schema.counterOrder {
			p.readCounterRange(id, 0, p.schema.counters[id].Size(), out)
		}
		return nil
	}
	c, err := p.findCounter(e.GetCounterId())
	if err != nil {
		return err
	}
	i, err := index(e.GetIndex(), c.Size())
	switch {
	case err != nil:
		return within(err, "counter %q", c.Name())
	case i < 0:
		p.readCounterRange(e.GetCounterId(), 0, c.Size(), out)
	default:
		p.readCounterRange(e.GetCounterId(), i, i+1, out)
	}
	return nil
}

func (p *pipeline) readCounterRange(id uint32, first, end int, out entities) {
	c := p.schema.counters[id]
	cells := make([]engine.CounterData, min(counterChunk, end-first))
	for at := first; at < end; {
		n := c.ReadRange(at, cells[:min(len(cells), end-at)])
		if n == 0 {
			return
		}
		for i, d := range cells[:n] {
			out.add(&p4.Entity{Entity: &p4.Entity_CounterEntry{CounterEntry: &p4.CounterEntry{
				CounterId: id, Index: &p4.Index{Index: int64(at + i)}, Data: counterOut(d),
			}}})
		}
		at += n
	}
}
