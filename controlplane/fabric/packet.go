package fabric

import (
	"errors"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/p4rt"
	"github.com/fabricscope/fabricscope/p4src"
)

// packetIn handles a frame that a switch sent up.
func (l *loop) packetIn(n *node, p p4rt.PacketIn) {
	port := uint32(p.Field(p4src.PacketInIngressPort).Uint64())
	if _, ok := n.ports[port]; !ok {
		l.metrics.frames.WithLabelValues(n.cfg.Name, "any", "unknown-port").Inc()
		return
	}
	reason := p4src.PuntReason(p.Field(p4src.PacketInReason).Uint64())
	if reason == p4src.PuntLLDP {
		l.metrics.frames.WithLabelValues(n.cfg.Name, "lldp", l.lldp(n, port, p.Payload, p.Received)).Inc()
		return
	}
	if !l.cfg.Enabled || n.client == nil {
		return
	}
	switch reason {
	case p4src.PuntARP:
		l.metrics.frames.WithLabelValues(n.cfg.Name, "arp", l.arp(n, port, p.Payload, p.Received)).Inc()
	case p4src.PuntGlean:
		l.metrics.frames.WithLabelValues(n.cfg.Name, "glean", l.glean(n, p.Payload, p.Received)).Inc()
	case p4src.PuntGateway:
		l.metrics.frames.WithLabelValues(n.cfg.Name, "gateway", l.gateway(n, port, p.Payload)).Inc()
	case p4src.PuntExpired:
		l.metrics.frames.WithLabelValues(n.cfg.Name, "expired", l.expired(n, port, p.Payload)).Inc()
	}
}

// lldp learns a link. It says what became of the frame, as do the others.
func (l *loop) lldp(n *node, port uint32, frame []byte, now time.Time) string {
	a, err := decodeLLDP(frame)
	if errors.Is(err, errForeignLLDP) {
		return "foreign"
	}
	if err != nil {
		return "malformed"
	}
	from, ok := l.nodes[a.sw]
	number := uint32(0)
	if ok {
		number = from.numberOf[a.port]
	}
	if number == 0 {
		return "foreign"
	}
	sender, at := from.ref(number), n.ref(port)
	if sender == at {
		return "own"
	}
	if n.isDown(port) || from.isDown(number) {
		return "port-down" // it was under way when the port went down
	}
	if a.ttl == 0 {
		// The sender is going away (IEEE 802.1AB, 6.6.1).
		if s, ok := l.links.seen[at]; ok {
			s.expires = now
		}
		return "shutdown"
	}
	ended, began := l.links.learn(sender, at, a.ttl, now)
	if ended != nil {
		l.deps.Sink.Record(inventory.Ended(ended.Ref(), now))
	}
	if began {
		l.routesDirty = true
		l.deps.Log.Info("link found", "from", sender.String(), "to", at.String())
		l.deps.Sink.Record(inventory.Became(inventory.Link{A: sender, B: at}, now))
	}
	return "learned"
}

// arp learns the sender and answers where it should.
func (l *loop) arp(n *node, port uint32, frame []byte, now time.Time) string {
	a, err := decodeARP(frame)
	if err != nil {
		return "malformed"
	}
	v := judge(a, port, n.gateways[port], n.neighbours.port)
	if v.why == "conflict" {
		l.deps.Log.Warn("a host claims the gateway's address", "switch", n.cfg.Name, "port", n.ports[port].Name,
			"address", a.sender.String(), "mac", a.senderMAC.String())
	}
	if v.learn && !l.learn(n, a, port, now) {
		return "full"
	}
	if !v.answer {
		return v.why
	}
	reply, err := arp{reply: true, sender: a.target, senderMAC: n.mac, target: a.sender, targetMAC: a.senderMAC}.encode(n.mac, a.senderMAC)
	if err != nil {
		return "malformed"
	}
	l.send(n, port, reply, "arp")
	return v.why
}

// learn takes the sender as a neighbour.
func (l *loop) learn(n *node, a arp, port uint32, now time.Time) bool {
	if at, ok := n.bundled(a, port); ok {
		port = at
	}
	old, full := n.neighbours.learn(a.sender, a.senderMAC, port, now)
	if full {
		l.metrics.drops.WithLabelValues(n.cfg.Name, "neighbour").Inc()
		return false
	}
	if old != nil && old.mac == a.senderMAC && old.port == port {
		return true
	}
	n.dirty = true
	delete(n.gleans.next, a.sender)
	if old != nil && old.port != port {
		l.deps.Sink.Record(inventory.Ended(n.endpoint(*old).Ref(), now))
	}
	fact := n.endpoint(neighbour{addr: a.sender, mac: a.senderMAC, port: port})
	l.deps.Sink.Record(inventory.Became(fact, now))
	return true
}

// glean asks all ports of a subnet who has the address that a packet is for. The packet is
// lost; whoever sent it sends it again.
func (l *loop) glean(n *node, frame []byte, now time.Time) string {
	dst, ok := destination(frame)
	if !ok {
		return "malformed"
	}
	g, ok := n.gatewayFor(dst)
	if !ok || dst == g.Address.Addr() {
		return "foreign"
	}
	if _, known := n.neighbours.port(dst); known {
		return "known"
	}
	ask, full := n.gleans.allow(dst, now)
	if full {
		l.metrics.drops.WithLabelValues(n.cfg.Name, "glean").Inc()
		return "full"
	}
	if !ask {
		return "limited"
	}
	q, err := arp{sender: g.Address.Addr(), senderMAC: n.mac, target: dst}.encode(n.mac, broadcastMAC)
	if err != nil {
		return "malformed"
	}
	for _, port := range g.Ports {
		l.send(n, port, q, "arp")
	}
	return "asked"
}

// gateway answers a ping to one of the switch's own addresses.
func (l *loop) gateway(n *node, port uint32, frame []byte) string {
	for _, g := range n.cfg.Gateways {
		if reply, ok := echoReply(frame, n.mac, g.Address.Addr()); ok {
			l.send(n, port, reply, "icmp")
			return "answered"
		}
	}
	return "unanswered"
}

// expired tells the sender of a packet that its TTL ended here. The answer goes back the way
// that the packet came: whoever sent it to this switch knows the way to the sender.
func (l *loop) expired(n *node, port uint32, frame []byte) string {
	from, ok := n.ownAddress(port)
	if !ok {
		return "no-address"
	}
	answer, ok := timeExceeded(frame, n.mac, from)
	if !ok {
		return "unanswered"
	}
	l.send(n, port, answer, "icmp")
	return "answered"
}

// age asks neighbours that were silent, and lets go of those that stay silent.
func (l *loop) age(n *node, now time.Time) {
	ask, gone := n.neighbours.due(now)
	for _, h := range ask {
		g, ok := n.gatewayFor(h.addr)
		if !ok {
			continue
		}
		q, err := arp{sender: g.Address.Addr(), senderMAC: n.mac, target: h.addr}.encode(n.mac, h.mac)
		if err == nil {
			l.send(n, h.port, q, "arp")
		}
	}
	for _, h := range gone {
		n.dirty = true
		l.deps.Log.Info("neighbour gone", "switch", n.cfg.Name, "port", n.ports[h.port].Name, "address", h.addr.String())
		l.deps.Sink.Record(inventory.Ended(n.endpoint(h).Ref(), now))
	}
}
