package fabric

import (
	"maps"
	"slices"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// links are the links seen by LLDP, by the port that receives. Each direction of a cable is
// one.
type links struct {
	hold time.Duration
	seen map[inventory.PortRef]*seenLink
}

// seenLink is one direction of a cable.
type seenLink struct {
	from    inventory.PortRef
	expires time.Time
	// doubtful: LLDP stopped while a switch at one end was out of reach, so that nobody can
	// say whether the link works. It is no fact any more, and routes use it only where there
	// is no other way.
	doubtful bool
}

func newLinks(hold time.Duration) *links {
	return &links{hold: hold, seen: map[inventory.PortRef]*seenLink{}}
}

// learn takes an announcement of from that arrived at a port. ended is the link that it
// replaces, if any, and began says that the link is new.
func (l *links) learn(from, at inventory.PortRef, ttl time.Duration, now time.Time) (ended *inventory.Link, began bool) {
	old, known := l.seen[at]
	if known && !old.doubtful && old.from == from {
		old.expires = now.Add(ttl)
		return nil, false
	}
	if known && !old.doubtful {
		ended = &inventory.Link{A: old.from, B: at}
	}
	l.seen[at] = &seenLink{from: from, expires: now.Add(ttl)}
	return ended, true
}

// connected gives the links at both ends of a switch that was connected again time to be
// seen again.
func (l *links) connected(sw string, now time.Time) {
	for at, s := range l.seen {
		if at.Switch == sw || s.from.Switch == sw {
			s.expires = later(s.expires, now.Add(l.hold))
		}
	}
}

// expire gives the links that were not seen for too long. reachable says whether a switch
// is connected.
func (l *links) expire(now time.Time, reachable func(sw string) bool) (ended []inventory.Link) {
	for at, s := range l.seen {
		if now.Before(s.expires) {
			continue
		}
		if !s.doubtful {
			ended = append(ended, inventory.Link{A: s.from, B: at})
		}
		if reachable(at.Switch) && reachable(s.from.Switch) {
			delete(l.seen, at)
		} else {
			s.doubtful = true
		}
	}
	slices.SortFunc(ended, func(a, b inventory.Link) int { return a.Ref().Compare(b.Ref()) })
	return ended
}

// end forgets the links at a port, in both directions, and gives those that were facts.
func (l *links) end(port inventory.PortRef) (ended []inventory.Link) {
	for at, s := range l.seen {
		if at != port && s.from != port {
			continue
		}
		if !s.doubtful {
			ended = append(ended, inventory.Link{A: s.from, B: at})
		}
		delete(l.seen, at)
	}
	slices.SortFunc(ended, func(a, b inventory.Link) int { return a.Ref().Compare(b.Ref()) })
	return ended
}

// edges gives the links that routes may use, in a stable order.
func (l *links) edges() []edge {
	out := make([]edge, 0, len(l.seen))
	for _, at := range slices.SortedFunc(maps.Keys(l.seen), comparePorts) {
		s := l.seen[at]
		out = append(out, edge{from: s.from.Switch, port: s.from.Number, to: at.Switch, doubtful: s.doubtful})
	}
	return out
}

func comparePorts(a, b inventory.PortRef) int {
	if a.Switch != b.Switch {
		if a.Switch < b.Switch {
			return -1
		}
		return 1
	}
	return int(a.Number) - int(b.Number)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
