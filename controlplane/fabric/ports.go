package fabric

import (
	"slices"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
	"github.com/fabricscope/fabricscope/controlplane/portstate"
)

// Why the state of a port is not known.
const (
	notAsked    = "the switch has not answered yet"
	noSuchPort  = "the switch does not tell of this port"
	saysUnknown = "the switch does not know it"
)

// portStatus is a port's fact, and since when it holds.
type portStatus struct {
	fact  inventory.Port
	event time.Time
}

// PortStates implements portstate.Sink.
func (f *Fabric) PortStates(sw string, states []portstate.State, all bool) {
	if n, ok := f.nodes[sw]; ok {
		f.do(func(l *loop) { l.portStates(n, states, all, time.Now()) })
	}
}

// PortsUnknown implements portstate.Sink.
func (f *Fabric) PortsUnknown(sw string, since time.Time, why string) {
	if n, ok := f.nodes[sw]; ok {
		f.do(func(l *loop) {
			for _, p := range n.cfg.Ports {
				l.portUnknown(n, p, since, why)
			}
			l.countPorts(n)
		})
	}
}

// portStates takes what a switch says of its ports.
func (l *loop) portStates(n *node, states []portstate.State, all bool, now time.Time) {
	told := map[uint32]bool{}
	for _, s := range states {
		// The switch has names of its own for ports. Numbers are what both sides have; the names may be the same
		// where the switch has no numbers.
		p, ok := n.ports[s.Number]
		if !ok {
			p, ok = n.ports[n.numberOf[s.Name]]
		}
		if ok {
			told[p.Number] = true
			l.portState(n, p, s, now)
		}
	}
	for _, p := range n.cfg.Ports {
		if all && !told[p.Number] {
			l.portUnknown(n, p, now, noSuchPort)
		}
	}
	l.countPorts(n)
}

// portState takes what a switch says of one port.
func (l *loop) portState(n *node, p Port, s portstate.State, now time.Time) {
	if s.Oper == portstate.Unknown {
		l.portUnknown(n, p, now, saysUnknown)
		return
	}
	before := n.status[p.Number]
	fact := portFact(n, p)
	fact.Admin, fact.Oper = string(s.Admin), string(s.Oper)
	if !s.At.IsZero() {
		fact.Changed = s.At.UTC()
	}
	if fact == before.fact {
		return
	}
	event := since(before, s.At, now)
	n.status[p.Number] = portStatus{fact, event}
	l.deps.Sink.Record(inventory.Became(fact, event))
	if before.fact.Oper == fact.Oper {
		return
	}
	l.deps.Log.Info("port "+fact.Oper, "switch", n.cfg.Name, "port", p.Name, "since", event)
	if s.Oper == portstate.Up {
		l.portUp(n, p)
	} else {
		l.portDown(n, p, event, now)
	}
}

// since is when a port became what its switch says now: when the switch says, unless that cannot be by what was known
// before. What was not known before may be so for as long as it was not known.
func since(before portStatus, said, now time.Time) time.Time {
	switch {
	case said.After(before.event) && !said.After(now):
		return said
	case before.fact.Oper == "" && !said.After(now) && !said.IsZero():
		return before.event
	}
	return now
}

// portUnknown takes that the state of a port is not known.
func (l *loop) portUnknown(n *node, p Port, since time.Time, why string) {
	fact := portFact(n, p)
	fact.Unknown = why
	before := n.status[p.Number]
	if fact == before.fact {
		return
	}
	if since.Before(before.event) {
		since = before.event
	}
	if before.fact.Oper == "" {
		since = before.event // only the reason is another
	}
	n.status[p.Number] = portStatus{fact, since}
	l.deps.Sink.Record(inventory.Became(fact, since))
}

// portUp announces the switch there, so that a link need not wait for the next time.
func (l *loop) portUp(n *node, p Port) {
	if l.cfg.Enabled && n.client != nil {
		l.send(n, p.Number, n.hellos[p.Number], "lldp")
	}
}

// portDown ends the links at a port, and asks the hosts behind it whether they are elsewhere.
func (l *loop) portDown(n *node, p Port, event, now time.Time) {
	for _, gone := range l.links.end(n.ref(p.Number)) {
		l.routesDirty = true
		l.deps.Log.Warn("link lost with its port", "from", gone.A.String(), "to", gone.B.String())
		l.deps.Sink.Record(inventory.Ended(gone.Ref(), event))
	}
	n.neighbours.recheckAt(p.Number, now)
}

// isDown says whether a switch told that a port is down.
func (n *node) isDown(port uint32) bool { return n.status[port].fact.Oper == inventory.PortDown }

func (l *loop) countPorts(n *node) {
	states := map[string]int{"up": 0, "down": 0, "unknown": 0}
	for _, s := range n.status {
		if s.fact.Oper == "" {
			states["unknown"]++
		} else {
			states[s.fact.Oper]++
		}
	}
	for state, count := range states {
		l.metrics.ports.WithLabelValues(n.cfg.Name, state).Set(float64(count))
	}
}

// restorePorts takes over the states of ports that the configuration still has, and gives the facts that are new.
// Switches say soon whether they are still so.
func (l *loop) restorePorts(now time.Time) (changes []inventory.Change) {
	known := map[inventory.Ref]inventory.Entry{}
	if v := l.deps.Before; v != nil {
		for e := range v.All(inventory.KindPort) {
			p, ok := e.Fact.(inventory.Port)
			if n := l.nodes[p.Switch]; !ok || n == nil || n.numberOf[p.Name] != p.Number {
				changes = append(changes, inventory.Ended(e.Fact.Ref(), now))
				continue
			}
			known[p.Ref()] = e
		}
	}
	for _, name := range l.names() {
		n := l.nodes[name]
		for _, p := range n.cfg.Ports {
			s := portStatus{portFact(n, p), now}
			s.fact.Unknown = notAsked
			if e, ok := known[s.fact.Ref()]; ok {
				was := e.Fact.(inventory.Port)
				s.event = e.Event
				if was.Oper+was.Unknown != "" { // or it is of a time when nobody asked
					was.Peer, s.fact = p.Peer, was
				}
			}
			n.status[p.Number] = s
			changes = append(changes, inventory.Became(s.fact, s.event))
		}
		l.countPorts(n)
	}
	return slices.Clip(changes)
}
