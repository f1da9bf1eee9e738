package track

import (
	"slices"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// batchSize is how many conversations are published at once: few enough to be made between two
// messages of reports.
const batchSize = 256

// publish lets what changed up to now be published, and the accounting of all ports. Of the
// conversations there may be more than anybody can take; those that do not come in this interval
// are the first of the next, as they are then.
func (b *books) publish(now time.Time) {
	b.t.metrics.publications.Inc()
	b.due = min(b.joiner.changed.len(), b.t.cfg.MaxPublish)
	m := b.t.metrics
	for _, a := range b.switches {
		for _, f := range a.accounting(b.t.deps.PortName) {
			b.pending = append(b.pending, inventory.Became(f, now))
			m.accounting(&f)
		}
		m.ledger(a)
		if a.clock.probed {
			m.clockError.WithLabelValues(a.name).Set(a.clock.error(now).Seconds())
			m.clockZero.WithLabelValues(a.name).Set(float64(a.clock.epoch.UnixMicro()) / 1e6)
		}
		b.pending = append(b.pending, inventory.Became(a.flowCache(now), now))
		a.dirty = true
	}
	m.joiner(b.joiner)
	m.queued.Set(float64(len(b.t.inbox)))
	b.balance(now)
	b.next = nil
}

// batch is what is published in one go, and stored whole or not at all.
type batch struct {
	number  uint32
	changes []inventory.Change
}

// batch gives what is to be published next. It may grow until it is taken.
func (b *books) batch() batch {
	if n := min(b.due, batchSize-len(b.pending)); n > 0 {
		b.due -= n
		b.conversations(n)
		b.balance(time.Now())
		b.next = nil
	}
	if b.next == nil {
		b.next = slices.Concat(b.pending, b.ledgers)
	}
	return batch{b.number, b.next}
}

// sent says that the batch was taken.
func (b *books) sent() {
	b.pending, b.ledgers, b.next = nil, nil, nil
	b.number++
	b.joiner.batch = b.number
}

// conversations adds n of those that changed to what is pending.
func (b *books) conversations(n int) {
	for _, c := range b.joiner.take(n) {
		c.Opaque = c.Tuple().Opaque(b.t.cfg.WireGuardPorts)
		b.pending = append(b.pending, inventory.Became(c, c.Last))
	}
}

// balance says how far the records go with what is pending.
func (b *books) balance(now time.Time) {
	for _, a := range b.switches {
		if a.dirty && a.identity.name != 0 {
			a.dirty = false
			l := b.state(a)
			b.ledgers = slices.DeleteFunc(b.ledgers, func(c inventory.Change) bool { return c.Ref == l.Ref() })
			b.ledgers = append(b.ledgers, inventory.Became(l, now))
		}
	}
}

// finish publishes everything that is left.
func (b *books) finish(out chan<- batch) {
	b.publish(time.Now())
	b.due = b.joiner.changed.len()
	for next := b.batch(); len(next.changes) > 0; next = b.batch() {
		out <- next
		b.sent()
	}
}
