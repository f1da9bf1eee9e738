package diagnose

import (
	"fmt"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// Thresholds of what is found of servers' ports.
const (
	failures     = 3                // of one sort within window, with no success after the first of them
	window       = time.Minute      // and after so long without another the finding ends
	forgotten    = 10 * time.Minute // a port that nobody asked for so long
	normalOf     = 50               // handshakes, before anything is slow
	slowTimes    = 3.0              // the normal time, and
	slowBy       = 10 * time.Millisecond
	repeatsOpen  = 0.2 // part of connections whose SYN was repeated
	repeatsClear = 0.05
)

// portKey is a port of a server.
type portKey struct {
	subject inventory.Subject
	port    uint16
}

// sort is a way to fail.
type sort int

const (
	unanswered sort = iota
	refused
	stalled
	sorts
)

// port is how one port of a server answers.
type port struct {
	failed  [sorts]failing
	good    time.Time // when a connection was last answered
	asked   time.Time
	timed   uint64  // handshakes
	normal  float64 // seconds from SYN to SYN-ACK, of many handshakes
	lately  float64 // and of few
	slow    bool
	since   time.Time // when it became slow
	tried   uint64
	repeats float64 // part of the last connections whose SYN was repeated
}

// failing is when a port failed in one way.
type failing struct {
	last  [failures]time.Time // the newest, a ring
	next  int
	count uint64
	since time.Time // zero while there is no finding
}

func (f *failing) fail(now time.Time) {
	f.last[f.next] = now
	f.next = (f.next + 1) % failures
	f.count++
}

// holds says whether there is a finding at a time, when the last success was at another.
func (f *failing) holds(good, now time.Time) bool {
	oldest, newest := f.last[f.next], f.last[(f.next+failures-1)%failures]
	switch {
	case f.count == 0 || good.After(newest) || now.Sub(newest) > window:
		f.since, f.count = time.Time{}, 0
		f.last = [failures]time.Time{}
	case f.since.IsZero() && !oldest.IsZero() && now.Sub(oldest) <= window && !good.After(oldest):
		f.since = oldest
	}
	return !f.since.IsZero()
}

// subjectOf is who is asked in a conversation: the service, or else the pod, the node or the address.
func subjectOf(e *flow.End) inventory.Subject {
	id := &e.Identity
	switch {
	case id.Service != "":
		return inventory.Subject{Kind: "service", Cluster: id.Cluster, Name: id.Service}
	case id.Pod != "":
		return inventory.Subject{Kind: "pod", Cluster: id.Cluster, Name: id.Namespace + "/" + id.Pod}
	case id.Node != "":
		return inventory.Subject{Kind: "node", Cluster: id.Cluster, Name: id.Node}
	}
	return inventory.Subject{Kind: "address", Name: e.Address.String()}
}

// conversation takes how a connection went, once each way that it can go.
func (s *state) conversation(before, c *flow.Conversation, now time.Time) {
	s.asks(c, now)
	h := c.Handshake
	if h == nil || now.Sub(c.Last) > window {
		return
	}
	k := portKey{subjectOf(&c.Server), c.Server.Port}
	p := s.ports[k]
	if p == nil {
		if len(s.ports) >= s.cfg.MaxPorts {
			s.refused.Inc()
			return
		}
		p = &port{}
		s.ports[k] = p
	}
	p.asked = now
	if isStalled(c) && !isStalled(before) {
		p.failed[stalled].fail(now)
	}
	if before.Handshake != nil && before.Handshake.State == h.State {
		return
	}
	switch h.State {
	case flow.Unanswered:
		p.failed[unanswered].fail(now)
	case flow.Refused:
		p.failed[refused].fail(now)
	case flow.Established:
		p.good = now
		p.shook(h, now)
	}
}

// isStalled says that a server's kernel accepted a connection, and nobody there has taken what was sent: the queue of
// connections that wait to be accepted is full, or the process hangs.
func isStalled(c *flow.Conversation) bool {
	return c.Handshake != nil && c.Handshake.State == flow.Established && c.Forward.Packets >= 5 && c.Last.Sub(c.First) >= 3*time.Second &&
		c.Reverse.Packets <= uint64(c.Handshake.SYNACKs)
}

// shook takes how long a handshake took. The normal time stands still while the server is slow.
func (p *port) shook(h *flow.Handshake, now time.Time) {
	repeated := 0.0
	if h.SYNs > 1 {
		repeated = 1
	}
	p.tried++
	p.repeats += (repeated - p.repeats) / float64(min(p.tried, 20))
	if h.ServerRTT <= 0 {
		return
	}
	t := h.ServerRTT.Seconds()
	p.timed++
	p.lately += (t - p.lately) / float64(min(p.timed, 10))
	if !p.slow {
		p.normal += (t - p.normal) / float64(min(p.timed, 1000))
	}
}

// overloaded says whether the port is slower than it normally is.
func (p *port) overloaded(now time.Time) bool {
	late := p.timed >= normalOf && p.lately > slowTimes*p.normal && p.lately > p.normal+slowBy.Seconds()
	repeats := p.tried >= 20 && p.repeats > repeatsOpen
	over := p.lately < (1+slowTimes)/2*p.normal+slowBy.Seconds()/2 && p.repeats < repeatsClear
	switch {
	case !p.slow && (late || repeats):
		p.slow, p.since = true, now
	case p.slow && (over || now.Sub(p.asked) > window):
		p.slow = false
		if !over { // nobody asked any more: what was slow is not what it is now
			p.lately, p.repeats = p.normal, 0
		}
	}
	return p.slow
}

// failing gives the findings of servers' ports.
func (s *state) failing(now time.Time) (list []inventory.Finding) {
	for k, p := range s.ports {
		if now.Sub(p.asked) > forgotten {
			delete(s.ports, k)
			continue
		}
		about := k.subject
		about.Name = fmt.Sprintf("%s:%d", about.Name, k.port)
		say := func(kind, severity string, since time.Time, evidence uint64, format string, args ...any) {
			list = append(list, finding(kind, severity, about, since, evidence, fmt.Sprintf("%s %s ", about.Kind, about.Name)+fmt.Sprintf(format, args...)))
		}
		if f := &p.failed[unanswered]; f.holds(p.good, now) {
			say("unanswered-port", inventory.Critical, f.since, f.count, "does not answer: %d connections without an answer", f.count)
		}
		if f := &p.failed[refused]; f.holds(p.good, now) {
			say("refused-port", inventory.Critical, f.since, f.count, "refuses connections: %d were answered by RST", f.count)
		}
		if f := &p.failed[stalled]; f.holds(time.Time{}, now) {
			say("stalled-server", inventory.Major, f.since, f.count, "accepts connections and does not take what is sent: %d of them", f.count)
		}
		if p.overloaded(now) {
			say("overloaded-server", inventory.Major, p.since, p.timed, "is slow to accept: %s lately, normally %s; %.0f%% of connections repeated their SYN",
				short(p.lately), short(p.normal), 100*p.repeats)
		}
	}
	return list
}

func short(seconds float64) time.Duration {
	return time.Duration(seconds * float64(time.Second)).Round(10 * time.Microsecond)
}
