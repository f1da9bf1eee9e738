package correlate

import (
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// How often an edge is recorded while only its counters change, when it is new and when it has been there for an hour, and
// how long after its last packet it is kept.
const (
	edgeInterval = 10 * time.Second
	edgeSlowest  = time.Minute
	edgeLinger   = time.Hour
)

// edges add up who asks which service for what, by what changes in conversations.
type edges struct {
	most    int // edges
	byKey   map[edgeKey]*edge
	parts   recent[part]
	looked  time.Time
	steady  func() time.Duration // see Deps
	metrics *edgeMetrics
}

func newEdges(most int, span time.Duration, steady func() time.Duration, m *edgeMetrics) *edges {
	return &edges{most: most, steady: steady, byKey: map[edgeKey]*edge{}, parts: newRecent[part](span), metrics: m}
}

// load takes an edge as it was recorded last.
func (t *edges) load(f flow.Edge) {
	e := edgeFrom(f)
	t.byKey[e.key] = e
}

// known takes a conversation as it was recorded last: its edge has it already.
func (t *edges) known(conv *flow.Conversation) {
	k, ok := edgeOf(conv)
	if e := t.byKey[k]; ok && e != nil {
		t.parts.put(conv.ID, partOf(conv, e))
	}
}

// take adds what is new of a conversation to its edge. Where it turns out to be another's, it is moved.
func (t *edges) take(conv *flow.Conversation) {
	before, again := t.parts.get(conv.ID)
	k, ok := edgeOf(conv)
	if !ok && !again {
		return
	}
	if again {
		before.add(^uint64(0))
		before.edge.dirty = true
	}
	e := t.at(k, conv, ok)
	if e == nil {
		t.parts.forget(conv.ID)
		return
	}
	p := partOf(conv, e)
	p.add(1)
	e.dirty = true
	e.last = max(e.last, conv.Last.UnixNano())
	if p.refused && !before.refused || p.unanswered && !before.unanswered {
		e.told = 0 // somebody waits for that
	}
	t.parts.put(conv.ID, p)
}

// at gives an edge, nil where there is none, or no room.
func (t *edges) at(k edgeKey, conv *flow.Conversation, ok bool) *edge {
	if !ok {
		return nil
	}
	e := t.byKey[k]
	switch {
	case e != nil:
	case len(t.byKey) >= t.most:
		t.metrics.refused.Inc()
	default:
		e = &edge{key: k, first: conv.First.UnixNano()}
		t.byKey[k] = e
	}
	return e
}

// look gives, at most once a second, the edges that changed, each after its pause, and the ends of those that
// were silent for long.
func (t *edges) look(now time.Time) []inventory.Change {
	t.parts.turn(now)
	if now.Sub(t.looked) < time.Second {
		return nil
	}
	t.looked = now
	var changes []inventory.Change
	settled := t.steady() >= edgeLinger // else the times of edges may be of the clock as it was
	for k, e := range t.byKey {
		if e.told > now.UnixNano() {
			e.told = now.UnixNano() // the clock stepped back
		}
		switch {
		case settled && e.last < now.Add(-edgeLinger).UnixNano() && !e.dirty:
			delete(t.byKey, k)
			changes = append(changes, inventory.Ended(e.fact().Ref(), now))
		case e.dirty && now.UnixNano()-e.told >= int64(e.pause(now)):
			e.dirty, e.told = false, now.UnixNano()
			changes = append(changes, inventory.Became(e.fact(), now))
		}
	}
	slices.SortFunc(changes, func(a, b inventory.Change) int { return strings.Compare(a.Ref.ID, b.Ref.ID) })
	t.metrics.edges.Set(float64(len(t.byKey)))
	return changes
}

// edgeMetrics count edges.
type edgeMetrics struct {
	edges   prometheus.Gauge
	refused prometheus.Counter
}

func newEdgeMetrics() *edgeMetrics {
	return &edgeMetrics{
		edges: prometheus.NewGauge(prometheus.GaugeOpts{Name: "fabricscope_correlate_edges",
			Help: "Edges between clients and services that are kept."}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{Name: "fabricscope_correlate_edges_refused_total",
			Help: "Publications of conversations that are in no edge because there are too many edges."}),
	}
}
