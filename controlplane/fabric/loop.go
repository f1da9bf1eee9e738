package fabric

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/p4rt"
)

// housekeeping is how often the loop looks for what is due.
const housekeeping = 100 * time.Millisecond

// batch is how many events the loop takes at most before it brings routes up to date.
const batch = 64

// loop owns the fabric's state.
type loop struct {
	*Fabric
	links       *links
	helloAt     time.Time // when to send LLDP next
	routesDirty bool
}

func newLoop(f *Fabric, now time.Time) *loop {
	l := &loop{Fabric: f, links: newLinks(f.cfg.LLDPHold), helloAt: now, routesDirty: true}
	l.restore(now)
	return l
}

func (l *loop) run(ctx context.Context) error {
	tick := time.NewTicker(housekeeping)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case fn := <-l.inbox:
			fn(l)
			for n := 1; n < batch && len(l.inbox) > 0; n++ {
				(<-l.inbox)(l)
			}
		case <-tick.C:
			l.keep(time.Now())
		}
		l.flush()
	}
}

// keep does what is due.
func (l *loop) keep(now time.Time) {
	for _, gone := range l.links.expire(now, func(sw string) bool { return l.nodes[sw].client != nil }) {
		l.routesDirty = true
		l.deps.Log.Warn("link lost", "from", gone.A.String(), "to", gone.B.String())
		l.deps.Sink.Record(inventory.Ended(gone.Ref(), now))
	}
	if !l.cfg.Enabled {
		return
	}
	if !now.Before(l.helloAt) {
		l.helloAt = now.Add(l.cfg.LLDPInterval)
		for _, name := range l.names() {
			l.hello(l.nodes[name])
		}
	}
	for _, name := range l.names() {
		n := l.nodes[name]
		n.gleans.sweep(now)
		if n.client != nil {
			l.age(n, now)
		}
	}
}

// flush computes what is out of date and hands it to the programmers.
func (l *loop) flush() {
	if l.routesDirty {
		l.routesDirty = false
		l.route()
	}
	for _, n := range l.nodes {
		// Before the first connection it is not known which numbers the switch uses.
		if !n.dirty || n.client == nil {
			continue
		}
		n.dirty = false
		l.metrics.neighbours.WithLabelValues(n.cfg.Name).Set(float64(len(n.neighbours.byAddr)))
		entries := tunnelEntries(l.cfg.VXLANPorts, l.cfg.GenevePorts)
		if l.cfg.Enabled {
			entries = append(entries, n.routes().entries(n.numbers)...)
		}
		n.programmer.wish(entries)
	}
}

// route computes every switch's next hops to every subnet.
func (l *loop) route() {
	l.metrics.computed.Inc()
	edges := l.links.edges()
	l.metrics.links.Set(float64(len(edges)))
	remote := map[string]map[netip.Prefix][]hop{}
	for _, name := range l.names() {
		remote[name] = map[netip.Prefix][]hop{}
	}
	for _, name := range l.names() {
		dest := l.nodes[name]
		if len(dest.cfg.Gateways) == 0 {
			continue
		}
		for from, next := range nextEdges(edges, name) {
			var hops []hop
			for _, e := range next {
				hops = append(hops, hop{e.port, l.nodes[e.to].mac})
			}
			for _, g := range dest.cfg.Gateways {
				remote[from][g.Address.Masked()] = hops
			}
		}
	}
	for name, n := range l.nodes {
		if !sameRoutes(n.remote, remote[name]) {
			n.remote, n.dirty = remote[name], true
		}
	}
}

func sameRoutes(a, b map[netip.Prefix][]hop) bool {
	if len(a) != len(b) {
		return false
	}
	for p, hops := range a {
		if !slices.Equal(hops, b[p]) {
			return false
		}
	}
	return true
}

func (l *loop) connected(ctx context.Context, n *node, c client, have []p4rt.Entry) {
	now := time.Now()
	n.client = c
	n.numbers.adopt(have)
	n.neighbours.recheck(now)
	n.dirty = true
	l.links.connected(n.cfg.Name, now)
	// Neighbours that said hello while this switch could not pass it on say it again.
	l.helloAt = now
	n.programmer.connect(ctx, c, have)
}

func (l *loop) disconnected(n *node) {
	n.client = nil
	n.programmer.disconnect()
}

// hello announces a switch out of all its ports.
func (l *loop) hello(n *node) {
	if n.client == nil {
		return
	}
	for _, p := range n.cfg.Ports {
		l.send(n, p.Number, n.hellos[p.Number], "lldp")
	}
}

// send sends a frame and counts it.
func (l *loop) send(n *node, port uint32, frame []byte, protocol string) {
	if err := n.send(port, frame); err != nil {
		l.metrics.drops.WithLabelValues(n.cfg.Name, protocol).Inc()
		return
	}
	l.metrics.frames.WithLabelValues(n.cfg.Name, protocol, "sent").Inc()
}

// restore takes over what was known before the daemon started, as far as the configuration
// still has it, and ends the rest.
func (l *loop) restore(now time.Time) {
	changes := l.restorePorts(now)
	if v := l.deps.Before; v != nil {
		for e := range v.All(inventory.KindLink) {
			if k, ok := e.Fact.(inventory.Link); ok && l.has(k.A) && l.has(k.B) {
				l.links.learn(k.A, k.B, l.cfg.LLDPHold, now)
				continue
			}
			changes = append(changes, inventory.Ended(e.Fact.Ref(), now))
		}
		for e := range v.All(inventory.KindEndpoint) {
			if p, ok := e.Fact.(inventory.Endpoint); !ok || !l.restoreNeighbour(p, now) {
				changes = append(changes, inventory.Ended(e.Fact.Ref(), now))
			}
		}
	}
	l.deps.Sink.Record(changes...)
}

func (l *loop) has(p inventory.PortRef) bool {
	n, ok := l.nodes[p.Switch]
	return ok && p.Number != 0 && n.numberOf[p.Port] == p.Number
}

func (l *loop) restoreNeighbour(p inventory.Endpoint, now time.Time) bool {
	m, ok := parseMAC(p.MAC)
	if !ok || !l.cfg.Enabled || !l.has(inventory.PortRef{Switch: p.Switch, Port: p.Port, Number: p.Number}) {
		return false
	}
	n := l.nodes[p.Switch]
	for _, g := range n.gateways[p.Number] {
		if isHost(g.Address, p.Address) && p.Address != g.Address.Addr() {
			_, full := n.neighbours.learn(p.Address, m, p.Number, now)
			return !full
		}
	}
	return false
}
