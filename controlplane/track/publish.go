package track

import (
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
	b.due = min(b.joiner.changed.len(), b.t.cfg.MaxPublish)
	m := b.t.metrics
	for _, a := range b.switches {
		for _, f := range a.accounting(b.t.deps.PortName) {
			b.pending = append(b.pending, inventory.Became(f, now))
			m.accounting(&f)
		}
		m.ledger(a)
		m.clockError.WithLabelValues(a.name).Set(a.clock.bound.Seconds())
	}
	m.joiner(b.joiner)
}

// batch gives what is to be published next. It may grow until it is taken.
func (b *books) batch() []inventory.Change {
	if n := min(b.due, batchSize-len(b.pending)); n > 0 {
		b.due -= n
		b.conversations(n)
	}
	return b.pending
}

// conversations adds n of those that changed to what is pending.
func (b *books) conversations(n int) {
	for _, c := range b.joiner.take(n) {
		c.Opaque = c.Tuple().Opaque(b.t.cfg.WireGuardPorts)
		b.pending = append(b.pending, inventory.Became(c, c.Last))
	}
}

// finish publishes everything that is left.
func (b *books) finish(out chan<- []inventory.Change) {
	b.publish(time.Now())
	for b.due = b.joiner.changed.len(); len(b.batch()) > 0; b.pending = nil {
		out <- b.pending
	}
}
