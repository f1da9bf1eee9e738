package kube

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// gap is the time for which it may not be known what happened in a cluster. Whoever has one holds the
// lock of the cluster's health.
//
// It begins when the API was last heard, and is recorded as soon as that it is silent is known. When
// a watch then goes on from where it broke off, nothing was missed: the gap is taken back, and only what was
// known at that time still has it. When everything has to be listed again, it ends with that.
type gap struct {
	cluster string
	sink    Sink
	closed  prometheus.Counter

	known bool // the cluster was synced once, so that there is something to miss
	open  bool
	since time.Time
	loss  bool // a watch could not go on
}

// resume takes over what was left when the cluster was last watched, until since. After that nothing was heard.
func (g *gap) resume(since, now time.Time) {
	view := g.sink.Now()
	if e, ok := view.Get(inventory.Gap{Cluster: g.cluster}.Ref()); ok {
		g.known, g.open, g.loss, g.since = true, true, true, e.Fact.(inventory.Gap).Since
		return
	}
	e, ok := view.Get(inventory.Cluster{Name: g.cluster}.Ref())
	if !ok || e.Fact.(inventory.Cluster).State != synced {
		return
	}
	g.known = true
	if since.After(now) { // the clock was set back
		since = now
	}
	g.begin(since, "the cluster was not watched")
	g.loss = true
}

// begin opens the gap, unless it is open or there was nothing before that could be missed.
func (g *gap) begin(since time.Time, why string) {
	if g.open || !g.known {
		return
	}
	g.open, g.since = true, since.UTC()
	g.sink.Record(inventory.Became(inventory.Gap{Cluster: g.cluster, Since: g.since, Why: why}, g.since))
}

// lost notes that a watch could not go on from where it broke off.
func (g *gap) lost() { g.loss = true }

// end notes that everything is known again.
func (g *gap) end(now time.Time) {
	if g.open {
		at := g.since
		if g.loss {
			at = now
			if !at.After(g.since) { // the clock was set back: that there was a gap is all that can be said
				at = g.since.Add(1)
			}
			g.closed.Inc()
		}
		g.sink.Record(inventory.Ended(inventory.Gap{Cluster: g.cluster}.Ref(), at))
	}
	g.known, g.open, g.loss = true, false, false
}
