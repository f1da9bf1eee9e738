package fabric

import (
	"net/netip"
	"slices"
	"time"
)

// neighbour is a host that a switch learned.
type neighbour struct {
	addr  netip.Addr
	mac   mac
	port  uint32
	check time.Time // when to ask whether it lives
	asked int       // questions since it was last heard
}

// neighbours are those of one switch.
type neighbours struct {
	probe, retry time.Duration
	tries, limit int
	byAddr       map[netip.Addr]*neighbour
}

func newNeighbours(c Config) *neighbours {
	return &neighbours{probe: c.NeighbourProbe, retry: c.NeighbourRetry, tries: c.NeighbourTries,
		limit: c.MaxNeighbours, byAddr: map[netip.Addr]*neighbour{}}
}

// learn takes that addr was heard. old is what was known of it before; full says that there
// is no room.
func (n *neighbours) learn(addr netip.Addr, m mac, port uint32, now time.Time) (old *neighbour, full bool) {
	if known, ok := n.byAddr[addr]; ok {
		c := *known
		old = &c
	} else if len(n.byAddr) >= n.limit {
		return nil, true
	}
	n.byAddr[addr] = &neighbour{addr: addr, mac: m, port: port, check: now.Add(n.probe)}
	return old, false
}

// bundled gives the port of a neighbour that is heard at another port of its LAG: it did not move. Ports with the same peer
// in the configuration are a LAG. The neighbour moves when it says so by itself (RFC 5227, section 2.3), as a bond does that fails
// over, when it was asked at its port and has not answered, and when that is down.
func (n *node) bundled(a arp, port uint32) (uint32, bool) {
	h := n.neighbours.byAddr[a.sender]
	if h == nil || h.port == port || h.mac != a.senderMAC || a.sender == a.target || h.asked > 0 && !a.reply || n.isDown(h.port) {
		return 0, false
	}
	peer := n.ports[h.port].Peer
	return h.port, peer != "" && peer == n.ports[port].Peer
}

// recheck makes every neighbour due: nothing could be heard for a while.
func (n *neighbours) recheck(now time.Time) {
	for _, h := range n.byAddr {
		h.check, h.asked = now, 0
	}
}

// recheckAt makes the neighbours behind a port due.
func (n *neighbours) recheckAt(port uint32, now time.Time) {
	for _, h := range n.byAddr {
		if h.port == port {
			h.check, h.asked = now, 0
		}
	}
}

// due gives the neighbours to ask now, and those that are gone because they did not answer;
// in a stable order.
func (n *neighbours) due(now time.Time) (ask, gone []neighbour) {
	for addr, h := range n.byAddr {
		if now.Before(h.check) {
			continue
		}
		if h.asked >= n.tries {
			gone = append(gone, *h)
			delete(n.byAddr, addr)
			continue
		}
		h.asked++
		h.check = now.Add(n.retry)
		ask = append(ask, *h)
	}
	byAddr := func(a, b neighbour) int { return a.addr.Compare(b.addr) }
	slices.SortFunc(ask, byAddr)
	slices.SortFunc(gone, byAddr)
	return ask, gone
}

// port gives where addr was learned.
func (n *neighbours) port(addr netip.Addr) (uint32, bool) {
	h, ok := n.byAddr[addr]
	if !ok {
		return 0, false
	}
	return h.port, true
}

// gleans limits the questions for unknown addresses.
type gleans struct {
	interval time.Duration
	limit    int
	next     map[netip.Addr]time.Time // when the address may be asked for again
}

// allow says whether to ask for addr now.
func (g *gleans) allow(addr netip.Addr, now time.Time) (ok, full bool) {
	if t, asked := g.next[addr]; asked && now.Before(t) {
		return false, false
	} else if !asked && len(g.next) >= g.limit {
		return false, true
	}
	g.next[addr] = now.Add(g.interval)
	return true, false
}

// sweep forgets addresses that nobody asked for in the last interval.
func (g *gleans) sweep(now time.Time) {
	for a, t := range g.next {
		if !now.Before(t) {
			delete(g.next, a)
		}
	}
}
