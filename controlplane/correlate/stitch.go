package correlate

import (
	"container/list"
	"fmt"
	"slices"
	"time"

	"github.com/fabricscope/fabricscope/controlplane/flow"
)

// A connection to a node port or to the address of a load balancer is two conversations: kube-proxy
// translates both addresses and both ports. TCP's sequence numbers it leaves alone. So the legs of
// TCP are those with the same number in their SYN, if one is for a service, the other for a member
// of it, and the second SYN came behind the first. Other protocols have nothing that survives:
// for them there is the service, the node and the time, and that is a guess.

// Bounds of what a node's translation may take.
const (
	clockSlack  = 10 * time.Millisecond // of switches, besides the error that is known
	translation = time.Second
)

// Bounds of how many conversations one is compared with, the newest: those with the same SYN,
// which attackers like to send, and those of UDP or SCTP of one service.
const (
	sameSYN     = 8
	sameService = 64
)

// stitcher finds the two legs of connections. It has one owner at a time.
type stitcher struct {
	max     int
	legs    map[string]*list.Element // by conversation; the values are *leg
	recent  *list.List               // those that were published longest ago first
	groups  map[legKey][]*leg
	changed map[*leg]struct{} // how they are joined is not published yet
	metrics *stitchMetrics
}

func newStitcher(max int, m *stitchMetrics) *stitcher {
	return &stitcher{max: max, legs: map[string]*list.Element{}, recent: list.New(), groups: map[legKey][]*leg{},
		changed: map[*leg]struct{}{}, metrics: m}
}

// take takes a conversation as it stands; l is nil if it can be no leg.
func (s *stitcher) take(id string, l *leg, now time.Time) {
	e, known := s.legs[id]
	switch {
	case l == nil && known: // its service may have gone: that does not undo what was found
		e.Value.(*leg).published = now
		s.recent.MoveToBack(e)
		return
	case l == nil:
		return
	}
	l.published = now
	if known {
		old := e.Value.(*leg)
		if slices.Equal(old.keys, l.keys) {
			l.other, l.joined = old.other, old.joined
			*old, l = *l, old
			s.recent.MoveToBack(e)
		} else {
			s.remove(e)
			known = false
		}
	}
	if !known {
		s.enter(id, l)
	}
	s.metrics.legs.Set(float64(s.recent.Len()))
	s.join(l)
}

// enter puts a leg among the others.
func (s *stitcher) enter(id string, l *leg) {
	for s.recent.Len() >= s.max {
		s.metrics.forgotten.Inc()
		s.remove(s.recent.Front())
	}
	s.legs[id] = s.recent.PushBack(l)
	for _, k := range l.keys {
		s.groups[k] = append(s.groups[k], l)
		if most := k.most(); len(s.groups[k]) > most {
			s.groups[k] = slices.Delete(s.groups[k], 0, len(s.groups[k])-most)
		}
	}
}

// load takes over the legs of an earlier run, joined as they were: of two that belong together
// one may have ended, and is never published again.
func (s *stitcher) load(legs []*leg, now time.Time) {
	for _, l := range legs {
		l.published = now
		if before := l.conversation.Legs; len(before) > 0 {
			l.joined = before[0]
		}
		s.enter(l.conversation.ID, l)
	}
	for _, l := range legs {
		e, there := s.legs[l.joined.ID]
		if _, stayed := s.legs[l.conversation.ID]; stayed && there && l.conversation.Protocol != flow.TCP {
			l.other = e.Value.(*leg)
		}
	}
	s.metrics.legs.Set(float64(s.recent.Len()))
}

// join looks for the other leg, and tells it.
func (s *stitcher) join(l *leg) {
	if l.conversation.Protocol == flow.TCP {
		for _, o := range s.groups[l.keys[0]] {
			s.joinTCP(o)
		}
		return
	}
	if l.other == nil {
		s.guess(l)
	}
	if l.other != nil {
		s.set(l.other, l, l.other.joined)
	}
}

// joinTCP says which of the legs with the same SYN is the other one.
func (s *stitcher) joinTCP(l *leg) {
	candidates := s.candidates(l)
	if len(candidates) == 0 {
		s.refute(l)
		return
	}
	o := nearest(l, candidates)
	back := s.candidates(o)
	if !slices.Contains(back, l) {
		s.refute(l) // another one fits it better
		return
	}
	joined := flow.Leg{Candidates: max(len(candidates), len(back)), Exact: true}
	front, behind := sides(l, o)
	switch {
	case joined.Candidates > 1:
		joined.Exact, joined.Reason = false, fmt.Sprintf("%d conversations have the same SYN", joined.Candidates)
	case !shares(front, behind):
		joined.Exact, joined.Reason = false, "the server is not known to be behind this port of the service"
	}
	s.set(l, o, joined)
}

// refute takes back how a leg was joined, if the other one is still there to show that it is not.
func (s *stitcher) refute(l *leg) {
	if _, there := s.legs[l.joined.ID]; there {
		l.joined = flow.Leg{}
		s.changed[l] = struct{}{}
	}
}

// candidates are the legs that can be the other one, and of these the ones that fit best.
func (s *stitcher) candidates(l *leg) []*leg {
	var all []*leg
	for _, o := range s.groups[l.keys[0]] {
		front, back := sides(l, o)
		if front == nil || !follows(front, back) || !translated(l, o) || l.answered && o.answered && l.answer != o.answer {
			continue
		}
		all = append(all, o)
	}
	better := func(fits func(o *leg) bool) {
		if some := slices.DeleteFunc(slices.Clone(all), func(o *leg) bool { return !fits(o) }); len(some) > 0 {
			all = some
		}
	}
	better(func(o *leg) bool { front, back := sides(l, o); return shares(front, back) })
	better(func(o *leg) bool { return l.answered && o.answered })
	return all
}

// sides says which of two legs is in front of the other; nil if neither is.
func sides(a, b *leg) (front, back *leg) {
	switch {
	case a == b:
		return nil, nil
	case len(a.front) > 0 && len(b.back) > 0:
		return a, b
	case len(b.front) > 0 && len(a.back) > 0:
		return b, a
	}
	return nil, nil
}

// follows says that the packets of one leg can have become those of the other.
func follows(front, back *leg) bool {
	slack := clockSlack + front.clock + back.clock
	return !back.last.Before(front.began.Add(-slack)) && !back.began.After(front.last.Add(translation+slack))
}

// nearest is the leg that began at nearly the same time.
func nearest(l *leg, legs []*leg) *leg {
	return slices.MinFunc(legs, func(a, b *leg) int {
		return int(a.began.Sub(l.began).Abs() - b.began.Sub(l.began).Abs())
	})
}

// guess looks among the newest conversations of the service for one that nothing speaks against.
func (s *stitcher) guess(l *leg) {
	var candidates []*leg
	for _, k := range l.keys {
		for _, o := range s.groups[k] {
			front, back := sides(l, o)
			if front == nil || o.other != nil || slices.Contains(candidates, o) || !shares(front, back) || !follows(front, back) || !translated(l, o) {
				continue
			}
			if l.node == "" || o.node == "" || l.node == o.node {
				candidates = append(candidates, o)
			}
		}
	}
	if len(candidates) == 0 {
		return
	}
	o := nearest(l, candidates)
	l.other, o.other = o, l
	joined := flow.Leg{Candidates: len(candidates), Reason: "only by service, node and time: nothing in " + l.conversation.Protocol.String() + " survives the translation"}
	s.set(l, o, joined)
	s.set(o, l, joined)
}

// set notes how a leg is joined with another.
func (s *stitcher) set(l, o *leg, joined flow.Leg) {
	c := &o.conversation
	joined.ID, joined.Side, joined.End = c.ID, flow.Back, c.Server
	if front, _ := sides(l, o); front == o {
		joined.Side, joined.End = flow.Front, c.Client
	}
	if l.joined == joined {
		return
	}
	if l.joined.ID == "" || l.joined.Exact != joined.Exact {
		s.metrics.joined(joined)
	}
	l.joined = joined
	s.changed[l] = struct{}{}
}

// joined gives how a conversation is joined, and takes it for published.
func (s *stitcher) joined(id string) []flow.Leg {
	e, known := s.legs[id]
	if !known {
		return nil
	}
	l := e.Value.(*leg)
	delete(s.changed, l)
	if l.joined.ID == "" {
		return nil
	}
	return []flow.Leg{l.joined}
}

// takeChanged gives the conversations that were joined otherwise by what came after them.
func (s *stitcher) takeChanged() []flow.Conversation {
	var out []flow.Conversation
	for l := range s.changed {
		l.conversation.Legs = s.joined(l.conversation.ID)
		out = append(out, l.conversation)
	}
	return out
}

// forget drops the legs that were not published since before.
func (s *stitcher) forget(before time.Time) {
	for e := s.recent.Front(); e != nil && e.Value.(*leg).published.Before(before); e = s.recent.Front() {
		s.remove(e)
	}
	s.metrics.legs.Set(float64(s.recent.Len()))
}

func (s *stitcher) remove(e *list.Element) {
	l := s.recent.Remove(e).(*leg)
	delete(s.legs, l.conversation.ID)
	delete(s.changed, l)
	for _, k := range l.keys {
		remove(s.groups, k, l)
	}
	if l.other != nil {
		l.other.other = nil
	}
	if l.joined.ID == "" && len(l.front) > 0 {
		s.metrics.alone.Inc()
	}
}
