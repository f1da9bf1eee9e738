package correlate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// Config are the bounds of a Correlator.
type Config struct {
	Memory  time.Duration // for how long the addresses of ended pods, and silent conversations, stay known; longer than these linger
	MaxLegs int           // conversations that are held to be joined across address translation

	MaxEdges int // pairs of a client and a service's port that are counted
}

// DefaultConfig remembers addresses for as long as conversations linger.
func DefaultConfig() Config {
	return Config{Memory: 6 * time.Minute, MaxLegs: 1 << 16, MaxEdges: 1 << 16}
}

// Validate names the first field that cannot be.
func (c Config) Validate() error {
	if c.Memory <= 0 {
		return errors.New("correlate: Memory must be positive")
	}
	if c.MaxLegs <= 0 {
		return errors.New("correlate: MaxLegs must be positive")
	}
	if c.MaxEdges <= 0 {
		return errors.New("correlate: MaxEdges must be positive")
	}
	return nil
}

// Deps are what a Correlator needs of others.
type Deps struct {
	Sink       Sink
	Source     Source
	Now        func() time.Time // nil is time.Now
	Registerer prometheus.Registerer

	// Steady is for how long the clock has not stepped; nil is for ever.
	Steady func() time.Duration
}

// forEver is Deps.Steady of a clock that does not step.
func forEver() time.Duration { return math.MaxInt64 }

// Sink takes conversations with their identities, and attachments.
type Sink interface {
	Record(changes ...inventory.Change)
}

// Source tells what is so now and what changes.
type Source interface {
	Subscribe() (inventory.Lister, Feed)
}

// Feed is a stream of updates.
type Feed interface {
	Next(ctx context.Context) ([]inventory.Update, error)
	Close()
}

// Correlator keeps an index of the inventory and gives conversations their identities.
type Correlator struct {
	cfg   Config
	deps  Deps
	ready chan struct{} // closed when the index holds the state that Run began with

	mu          sync.Mutex // guards all below
	index       *index
	attachments *attachments
	memory      memory
	stitcher    *stitcher
	cables      *cables
	edges       *edges
	balances    []balance // of one conversation; memory that is used again

	unresolved prometheus.Counter
}

// New gives a Correlator that does nothing until Run.
func New(cfg Config, deps Deps) (*Correlator, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Steady == nil {
		deps.Steady = forEver
	}
	c := &Correlator{cfg: cfg, deps: deps, ready: make(chan struct{}), index: newIndex(), memory: newRecent[known](cfg.Memory),
		unresolved: prometheus.NewCounter(prometheus.CounterOpts{Name: "fabricscope_correlate_unresolved_total",
			Help: "Ends of conversations that could not be identified, by publication."})}
	c.attachments = newAttachments(c.index)
	metrics := newStitchMetrics()
	c.stitcher = newStitcher(cfg.MaxLegs, metrics)
	cableMetrics := newCableMetrics()
	c.cables = newCables(cfg.Memory, cableMetrics)
	edgeMetrics := newEdgeMetrics()
	c.edges = newEdges(cfg.MaxEdges, cfg.Memory, deps.Steady, edgeMetrics)
	if deps.Registerer != nil {
		if err := metrics.register(deps.Registerer); err != nil {
			return nil, err
		}
		if err := cableMetrics.register(deps.Registerer); err != nil {
			return nil, err
		}
		if err := registerAll(deps.Registerer, edgeMetrics.edges, edgeMetrics.refused); err != nil {
			return nil, err
		}
		if err := deps.Registerer.Register(c.unresolved); err != nil {
			return nil, fmt.Errorf("correlate: register metrics: %w", err)
		}
	}
	return c, nil
}

// Run follows the inventory until ctx ends.
func (c *Correlator) Run(ctx context.Context) error {
	view, feed := c.deps.Source.Subscribe()
	defer feed.Close()
	c.load(view)
	close(c.ready)
	for {
		updates, err := feed.Next(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("correlate: follow the inventory: %w", err)
		}
		c.follow(updates)
	}
}

// load takes the state that the store has, so that what an earlier run attached is neither
// said again nor forgotten, and ends stay who they were.
func (c *Correlator) load(view inventory.Lister) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for e := range view.All(inventory.KindEdge) {
		c.edges.load(e.Fact.(flow.Edge))
	}
	for e := range view.All(inventory.KindLink) {
		c.cables.link(e.Fact.Ref(), e)
	}
	for e := range view.All(inventory.KindConversation) {
		conv := e.Fact.(flow.Conversation)
		c.memory.put(conv.ID, knownOf(&conv, 0))
		c.cables.load(&conv)
		c.edges.known(&conv)
	}
	for e := range view.All(inventory.KindAttachment) {
		c.attachments.load(e.Fact.(inventory.Attachment))
	}
	var changes []inventory.Change
	kinds := []inventory.Kind{inventory.KindCluster, inventory.KindPort, inventory.KindEntrance, inventory.KindLink, inventory.KindEndpoint, inventory.KindNode,
		inventory.KindService, inventory.KindMember, inventory.KindPod}
	for _, k := range kinds {
		for e := range view.All(k) {
			c.index.update(e.Fact.Ref(), e)
		}
	}
	c.loadLegs(view)
	for e := range view.All(inventory.KindPod) {
		changes = append(changes, c.attachments.pod(e.Fact.Ref(), e.Event)...)
	}
	// A pod that ended between two runs leaves its attachments behind.
	for r, known := range c.attachments.known {
		if _, lives := c.index.pods[r]; !lives && len(known) > 0 {
			changes = append(changes, c.attachments.pod(r, time.Time{})...)
		}
	}
	c.record(changes)
}

// loadLegs lets the stitcher go on with the newest conversations of an earlier run.
func (c *Correlator) loadLegs(view inventory.Lister) {
	var legs []*leg
	for e := range view.All(inventory.KindConversation) {
		conv := e.Fact.(flow.Conversation)
		if l := c.index.newLeg(&conv); l != nil {
			legs = append(legs, l)
		}
	}
	slices.SortFunc(legs, func(a, b *leg) int { return a.conversation.Last.Compare(b.conversation.Last) })
	c.stitcher.load(legs, c.deps.Now())
}

func (c *Correlator) follow(updates []inventory.Update) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var changes []inventory.Change
	for _, u := range updates {
		c.index.update(u.Ref, u.Entry)
		changes = append(changes, c.attachments.update(u.Ref, u.Entry)...)
		if u.Ref.Kind == inventory.KindLink {
			changes = append(changes, c.cables.link(u.Ref, u.Entry)...)
		}
	}
	now := c.deps.Now()
	c.index.forget(now.Add(-c.cfg.Memory))
	c.stitcher.forget(now.Add(-c.cfg.Memory))
	c.record(changes)
}

func (c *Correlator) record(changes []inventory.Change) {
	if len(changes) > 0 {
		c.deps.Sink.Record(changes...)
	}
}

// Record passes changes on to the sink, conversations with their path, their identities, who
// is behind an address translation, and which cables on their way lose packets. Conversations that
// others shed light on go along.
func (c *Correlator) Record(changes ...inventory.Change) {
	<-c.ready
	c.mu.Lock()
	defer c.mu.Unlock()
	out, now := make([]inventory.Change, 0, len(changes)), c.deps.Now()
	c.memory.turn(now)
	for _, ch := range changes {
		switch f := ch.Fact.(type) {
		case flow.Conversation:
			out = append(out, c.complete(&f, now)...)
			c.stitcher.take(f.ID, c.index.newLeg(&f), now)
			ch.Fact = f
		case inventory.Accounting:
			c.cables.account(f)
		}
		out = append(out, ch)
	}
	losses := c.cables.judge(now)
	for i := range out {
		if conv, ok := out[i].Fact.(flow.Conversation); ok {
			conv.Legs = c.stitcher.joined(conv.ID)
			c.cables.name(conv.ForwardSegments)
			c.cables.name(conv.ReverseSegments)
			out[i].Fact = conv
			c.edges.take(&conv)
		}
	}
	out = append(out, losses...)
	for _, conv := range c.stitcher.takeChanged() {
		c.edges.take(&conv)
		out = append(out, inventory.Became(conv, conv.Last))
	}
	out = append(out, c.edges.look(now)...)
	c.record(out)
}

// complete fills in what a conversation does not know by itself, and gives the attachments that
// it proves.
func (c *Correlator) complete(conv *flow.Conversation, now time.Time) []inventory.Change {
	there, back := c.index.path(conv.ForwardHops), c.index.path(conv.ReverseHops)
	conv.Forward, conv.Reverse = there.entered(), back.entered()
	attached := c.identify(conv, &there, &back)
	if conv.Protocol != flow.ARP { // which switches answer themselves
		there.leave(&conv.Server.Identity)
		back.leave(&conv.Client.Identity)
		conv.ForwardSegments, c.balances = c.index.segments(there, conv.Server.Identity.Switch, conv.Unsure, c.balances[:0])
		reverse := len(c.balances)
		conv.ReverseSegments, c.balances = c.index.segments(back, conv.Client.Identity.Switch, conv.Unsure, c.balances)
		c.cables.count(conv, c.balances, reverse, now)
	}
	conv.ForwardHops, conv.ReverseHops = there.hops, back.hops
	for _, id := range []*flow.Identity{&conv.Client.Identity, &conv.Server.Identity} {
		if id.Pod == "" && id.Node == "" && id.Service == "" {
			c.unresolved.Inc()
		}
	}
	return attached
}

// identify says who the ends are. While nothing is known otherwise the last answer stands.
func (c *Correlator) identify(conv *flow.Conversation, there, back *path) []inventory.Change {
	client := side{party: party{address: conv.Client.Address, port: conv.Client.Port, protocol: conv.Protocol}, from: conv.First, to: conv.Last}
	server := side{party: party{address: conv.Server.Address, port: conv.Server.Port, protocol: conv.Protocol}, from: conv.First, to: conv.Last, server: true}
	evidence(&client, &server, there, back)
	before, _ := c.memory.get(conv.ID)
	asked := question{client: client.party, server: server.party,
		clientVersion: c.index.touched[client.address], serverVersion: c.index.touched[server.address],
		version: c.index.version, hops: [2]int{len(there.hops), len(back.hops)}}.hash(c.memory.seed)
	if before.answers(asked) {
		conv.Client.Identity, conv.Server.Identity = before.client.Value(), before.server.Value()
		return nil
	}
	attached := slices.Concat(c.sightings(client, there), c.sightings(server, back))
	clientBefore, serverBefore := before.ends(conv)
	clientNow, serverNow, final := c.index.resolveBoth(client, server)
	conv.Client.Identity = better(clientBefore, clientNow, c.index.remembers(client.address, clientBefore))
	conv.Server.Identity = better(serverBefore, serverNow, c.index.remembers(server.address, serverBefore))
	if !final {
		asked = 0
	}
	c.memory.put(conv.ID, knownOf(conv, asked))
	return attached
}

// better keeps what was known of an end when its pod has left its service since, or has gone so long ago that it is not remembered
// any more. While it is remembered, another answer knows more: of who got an address is often heard after its first packets.
func better(before, now flow.Identity, remembered bool) flow.Identity {
	switch {
	case before.PodUID == "":
		return now
	case now.PodUID == "":
		return before
	case now.PodUID == before.PodUID:
		if now.Service == "" {
			now.Service = before.Service
		}
		if now.Switch == "" {
			now.Switch, now.Port = before.Switch, before.Port
		}
		return now
	case remembered:
		return now
	}
	return before
}

// sightings are the attachments that a conversation proves of the side that the packets of a path
// came from: the own address of a pod entered the fabric at the first hop, in a way that is its cluster's.
func (c *Correlator) sightings(s side, p *path) []inventory.Change {
	var changes []inventory.Change
	for i := range p.hops {
		h := &p.hops[i]
		if !p.edge(i) {
			continue
		}
		at := place{h.Switch, h.Port, h.Number}
		seen := side{party: party{address: s.address}, entered: []place{at}}
		if h.Outer.Kind != flow.Native {
			seen.tunnel = tunnelEnd{address: h.Outer.Src, vni: h.Outer.VNI, kind: h.Outer.Kind}
		}
		spans, shown := c.index.narrow(c.index.byAddress[s.address], seen)
		for _, span := range spans {
			if !shown || !span.to.IsZero() || span.from.After(h.Last.Add(slack)) {
				continue
			}
			if h.Outer.Kind == flow.Native && !c.index.nodeIsAt(span, at) {
				continue // an address alone may be anybody's
			}
			changes = append(changes, c.attachments.saw(span.Ref(), at, h.First, h.Last)...)
		}
	}
	return changes
}
