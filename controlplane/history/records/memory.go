package records

import (
	"bytes"
	"context"
	"slices"
	"time"
)

// memory are records that are in no segment, batch by batch, as the log has them: that is a small part of what they would
// take as values, and nothing for the garbage collector to follow.
type memory struct {
	batches []packed
	records int
}

// packed is a batch. The tables of its payload go on from those before it in the memory.
type packed struct {
	payload  []byte
	from, to time.Time // its earliest and its latest record
}

// add takes in a batch, with its payload, which it copies.
func (m *memory) add(payload []byte, batch []Record) {
	p := packed{bytes.Clone(payload), batch[0].Time, batch[0].Time}
	for i := range batch {
		if t := batch[i].Time; t.Before(p.from) {
			p.from = t
		} else if t.After(p.to) {
			p.to = t
		}
	}
	m.batches, m.records = append(m.batches, p), m.records+len(batch)
}

// span gives the earliest and the latest time.
func (m *memory) span() (from, to time.Time) {
	from, to = m.batches[0].from, m.batches[0].to
	for _, p := range m.batches {
		if p.from.Before(from) {
			from = p.from
		}
		if p.to.After(to) {
			to = p.to
		}
	}
	return from, to
}

// scanMemory gives the records of some batches that are meant, the first of which begins its tables.
func scanMemory(ctx context.Context, batches []packed, q *Query, each func(*Record) error) error {
	d := newBatchDecoder(nil)
	d.one = true
	for _, p := range batches {
		_, n, err := d.open(p.payload)
		if err != nil {
			return err
		}
		if !q.during(p.from, p.to) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		for range n {
			var r Record
			d.record(&r)
			if r.Conversation = string(d.conversation); !q.matches(&r) {
				continue
			}
			r.Forward.Hops, r.Reverse.Hops = slices.Clone(r.Forward.Hops), slices.Clone(r.Reverse.Hops)
			if err := each(&r); err != nil {
				return err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		if err := d.end(); err != nil {
			return err
		}
	}
	return nil
}
