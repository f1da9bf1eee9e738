package correlate

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// Config are the bounds of a Correlator.
type Config struct {
	Memory time.Duration // for how long the addresses of ended pods stay known
}

// DefaultConfig remembers addresses for as long as conversations linger.
func DefaultConfig() Config { return Config{Memory: 6 * time.Minute} }

// Validate names the first field that cannot be.
func (c Config) Validate() error {
	if c.Memory <= 0 {
		return errors.New("correlate: Memory must be positive")
	}
	return nil
}

// Deps are what a Correlator needs of others.
type Deps struct {
	Sink       Sink
	Source     Source
	Now        func() time.Time // nil is time.Now
	Registerer prometheus.Registerer
}

// Sink takes conversations with their identities, and attachments.
type Sink interface {
	Record(changes ...inventory.Change)
}

// Source tells what is so now and what changes.
type Source interface {
	Subscribe() (inventory.View, Feed)
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
	identities  map[string]identities // by conversation

	unresolved prometheus.Counter
}

// identities are those of a conversation's ends when they were last resolved.
type identities struct {
	address        netip.Addr // of client
	client, server flow.Identity
	last           time.Time
}

// New gives a Correlator that does nothing until Run.
func New(cfg Config, deps Deps) (*Correlator, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	c := &Correlator{cfg: cfg, deps: deps, ready: make(chan struct{}), index: newIndex(), identities: map[string]identities{},
		unresolved: prometheus.NewCounter(prometheus.CounterOpts{Name: "fabricscope_correlate_unresolved_total",
			Help: "Ends of conversations that could not be identified, by publication."})}
	c.attachments = newAttachments(c.index)
	if deps.Registerer != nil {
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
// said again nor forgotten.
func (c *Correlator) load(view inventory.View) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for e := range view.All(inventory.KindAttachment) {
		c.attachments.load(e.Fact.(inventory.Attachment))
	}
	var changes []inventory.Change
	kinds := []inventory.Kind{inventory.KindLink, inventory.KindEndpoint, inventory.KindNode,
		inventory.KindService, inventory.KindMember, inventory.KindPod}
	for _, k := range kinds {
		for e := range view.All(k) {
			c.index.update(e.Fact.Ref(), e)
		}
	}
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

func (c *Correlator) follow(updates []inventory.Update) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var changes []inventory.Change
	for _, u := range updates {
		c.index.update(u.Ref, u.Entry)
		changes = append(changes, c.attachments.update(u.Ref, u.Entry)...)
	}
	now := c.deps.Now()
	c.index.forget(now.Add(-c.cfg.Memory))
	for id, i := range c.identities {
		if now.Sub(i.last) > c.cfg.Memory {
			delete(c.identities, id)
		}
	}
	c.record(changes)
}

func (c *Correlator) record(changes []inventory.Change) {
	if len(changes) > 0 {
		c.deps.Sink.Record(changes...)
	}
}

// Record passes changes on to the sink, conversations with their path and identities.
func (c *Correlator) Record(changes ...inventory.Change) {
	<-c.ready
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]inventory.Change, 0, len(changes))
	for _, ch := range changes {
		if conv, ok := ch.Fact.(flow.Conversation); ok {
			out = append(out, c.sightings(&conv)...)
			c.identify(&conv)
			ch.Fact = conv
		}
		out = append(out, ch)
	}
	c.record(out)
}

// identify fills in what a conversation does not know by itself.
func (c *Correlator) identify(conv *flow.Conversation) {
	conv.ForwardHops = c.index.order(conv.ForwardHops)
	conv.ReverseHops = c.index.order(conv.ReverseHops)
	conv.Forward = c.index.entered(conv.ForwardHops)
	conv.Reverse = c.index.entered(conv.ReverseHops)

	client := side{address: conv.Client.Address, port: conv.Client.Port, protocol: conv.Protocol, from: conv.First, to: conv.Last}
	server := side{address: conv.Server.Address, port: conv.Server.Port, protocol: conv.Protocol, from: conv.First, to: conv.Last, server: true}
	if h, ok := outerSource(conv.ForwardHops); ok {
		client.node, server.node = h.Outer.Src, h.Outer.Dst
	} else if h, ok := outerSource(conv.ReverseHops); ok {
		client.node, server.node = h.Outer.Dst, h.Outer.Src
	}
	before := c.identities[conv.ID]
	if before.address != conv.Client.Address { // who began is known better by now
		before.client, before.server = before.server, before.client
	}
	conv.Client.Identity = better(before.client, c.index.resolve(client))
	conv.Server.Identity = better(before.server, c.index.resolve(server))
	if conv.Protocol != flow.ARP { // which switches answer themselves
		conv.ForwardSegments = c.index.segments(conv.ForwardHops, conv.Server.Identity.Switch)
		conv.ReverseSegments = c.index.segments(conv.ReverseHops, conv.Client.Identity.Switch)
	}
	c.identities[conv.ID] = identities{conv.Client.Address, conv.Client.Identity, conv.Server.Identity, c.deps.Now()}
	for _, id := range []flow.Identity{conv.Client.Identity, conv.Server.Identity} {
		if id.Pod == "" && id.Node == "" && id.Service == "" {
			c.unresolved.Inc()
		}
	}
}

// better keeps what was known of an end when its pod has gone or left its service since.
func better(before, now flow.Identity) flow.Identity {
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
	}
	return before
}

// sightings are the attachments that a conversation proves: the own address of a pod
// entered the fabric at the first hop of its direction.
func (c *Correlator) sightings(conv *flow.Conversation) []inventory.Change {
	var changes []inventory.Change
	see := func(end flow.End, hops []flow.Hop) {
		for _, h := range hops {
			if !c.index.edge(h) || h.Outer.Kind == flow.Native {
				continue
			}
			for _, p := range c.index.byAddress[end.Address] {
				node, known := c.index.nodeOf(h.Outer.Src)
				if known && (node.Cluster != p.Cluster || node.ID != p.Node) {
					continue
				}
				if p.to.IsZero() && !p.from.After(h.Last.Add(slack)) {
					changes = append(changes, c.attachments.saw(p.Ref(), place{h.Switch, h.Port, h.Number}, h.First)...)
				}
			}
		}
	}
	see(conv.Client, conv.ForwardHops)
	see(conv.Server, conv.ReverseHops)
	return changes
}
