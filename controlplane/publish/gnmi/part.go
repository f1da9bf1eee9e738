package gnmi

import (
	"context"
	"slices"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// leafChoice says which leaves a part sends.
type leafChoice uint8

const (
	allLeaves     leafChoice = iota
	eventLeaves              // those that the model marks as telemetry-on-change
	counterLeaves            // the others
)

func (c leafChoice) filter(also filter) filter {
	if c == allLeaves {
		return also
	}
	return func(n *node) bool { return n.onChange == (c == eventLeaves) && (also == nil || also(n)) }
}

// manner is how a part sends.
type manner struct {
	choice    leafChoice
	interval  time.Duration // between samples; 0 sends changes
	heartbeat time.Duration // everything again, changed or not; 0 for never
	suppress  bool          // of a sample only what changed
}

// part is the paths of a request that are sent in one manner, each leaf once even
// where they overlap. It never changes.
type part struct {
	manner
	answer    *answer
	filter    filter
	selectors []*selector
	paths     []request
}

// newParts sorts the paths of a subscription list into parts.
func (s *Server) newParts(a *answer, list *gpb.SubscriptionList) ([]*part, error) {
	paths := make([]*gpb.Path, len(list.GetSubscription()))
	for i, sub := range list.GetSubscription() {
		paths[i] = sub.GetPath()
	}
	requests, err := s.parseAll(a, list.GetPrefix(), paths)
	if err != nil {
		return nil, err
	}
	var order []manner
	byManner := map[manner][]request{}
	for i, sub := range list.GetSubscription() {
		manners, err := s.manners(list.GetMode(), sub)
		if err != nil {
			return nil, err
		}
		for _, m := range manners {
			if _, ok := byManner[m]; !ok {
				order = append(order, m)
			}
			if !slices.ContainsFunc(byManner[m], func(o request) bool { return o.text == requests[i].text }) {
				byManner[m] = append(byManner[m], requests[i])
			}
		}
	}
	var parts []*part
	for _, m := range order {
		parts = append(parts, compile(a, m, byManner[m]))
	}
	return parts, nil
}

// compile makes the part for paths of one manner.
func compile(a *answer, m manner, paths []request) *part {
	p := &part{manner: m, answer: a, filter: m.choice.filter(a.filter()), paths: paths}
	for _, in := range a.spaces {
		var earlier []*program
		for rest := paths; len(rest) > 0; {
			prog := &program{levels: a.levels}
			n := 0
			for n < len(rest) && prog.room(len(rest[n].elems)) {
				prog.add(rest[n].elems)
				n++
			}
			s := newSelector(in, prog, rest[:n], a.reader)
			s.kinds = slices.DeleteFunc(s.kinds, func(k *kind) bool { return !k.node.has(p.filter) })
			s.earlier = earlier[:len(earlier):len(earlier)]
			p.selectors = append(p.selectors, s)
			earlier = append(earlier, prog)
			rest = rest[n:]
		}
	}
	return p
}

// manners gives how one path of a subscription list is sent (specification, section 3.5.1.5.2).
func (s *Server) manners(mode gpb.SubscriptionList_Mode, sub *gpb.Subscription) ([]manner, error) {
	if mode != gpb.SubscriptionList_STREAM {
		return []manner{{}}, nil
	}
	heartbeat, err := s.interval("heartbeat_interval", sub.GetHeartbeatInterval())
	if err != nil {
		return nil, err
	}
	switch sub.GetMode() {
	case gpb.SubscriptionMode_ON_CHANGE:
		return []manner{{heartbeat: heartbeat}}, nil
	case gpb.SubscriptionMode_SAMPLE:
		interval, err := s.interval("sample_interval", sub.GetSampleInterval())
		if err != nil {
			return nil, err
		}
		if interval == 0 {
			interval = s.cfg.SampleMinimum
		}
		return []manner{sampled(allLeaves, interval, heartbeat, sub.GetSuppressRedundant())}, nil
	case gpb.SubscriptionMode_TARGET_DEFINED:
		if sub.GetSampleInterval() != 0 {
			return nil, status.Error(codes.InvalidArgument, "sample_interval: with mode TARGET_DEFINED the server chooses it; use SAMPLE")
		}
		return []manner{
			{choice: eventLeaves, heartbeat: heartbeat},
			sampled(counterLeaves, s.cfg.SampleDefault, heartbeat, sub.GetSuppressRedundant()),
		}, nil
	}
	return nil, status.Errorf(codes.InvalidArgument, "subscription mode %v is not known", sub.GetMode())
}

// sampled is the manner of samples. Where nothing is suppressed every sample is a heartbeat, and others are needed only
// when they are due more often.
func sampled(c leafChoice, interval, heartbeat time.Duration, suppress bool) manner {
	if !suppress && heartbeat >= interval {
		heartbeat = 0
	}
	return manner{choice: c, interval: interval, heartbeat: heartbeat, suppress: suppress}
}

// interval checks an interval in nanoseconds; 0 stays 0.
func (s *Server) interval(field string, ns uint64) (time.Duration, error) {
	const longest = 365 * 24 * time.Hour
	d := time.Duration(min(ns, uint64(longest)))
	if d != 0 && d < s.cfg.SampleMinimum {
		return 0, status.Errorf(codes.InvalidArgument, "%s: %v is less than %v, the shortest supported", field, d, s.cfg.SampleMinimum)
	}
	return d, nil
}

// all gives everything of the part as view has it, a message for each fact. The bytes are good until the next.
func (p *part) all(ctx context.Context, view inventory.View, yield func([]byte) error) error {
	return p.tell(ctx, view, func(event int64) int64 { return event }, yield)
}

// sample is all at the time of a sample, in nanoseconds since 1970. What became so after the last sample keeps its time,
// which is nearer to when it was measured; anything else was found so now (specification, section 3.5.2.3).
func (p *part) sample(ctx context.Context, view inventory.View, last, at int64, yield func([]byte) error) error {
	return p.tell(ctx, view, func(event int64) int64 {
		if event > last {
			return event
		}
		return at
	}, yield)
}

// tell gives everything of the part as view has it. stamp makes the time of a message of that of its event.
func (p *part) tell(ctx context.Context, view inventory.View, stamp func(int64) int64, yield func([]byte) error) error {
	var w writer
	var buffer []byte
	var err error
	for _, s := range p.selectors {
		s.each(view, func(k *kind, e inventory.Entry) bool {
			if err = ctx.Err(); err != nil {
				return false
			}
			e, ok := p.answer.show(k, e)
			if !ok {
				return true
			}
			if r, ok := s.render(&w, k, e, p.filter); ok {
				r.time = stamp(r.time)
				buffer = p.answer.all(buffer[:0], p.answer.targetOf(s.space, e.Fact), r, changed{})
				err = yield(buffer)
			}
			return err == nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// difference gives what leads from before to now. at is the time of what is found missing, for which the views have none.
func (p *part) difference(ctx context.Context, before, now inventory.View, at time.Time, yield func([]byte) error) error {
	if err := p.ends(ctx, before, now, false, at, yield); err != nil {
		return err
	}
	var err error
	for _, s := range p.selectors {
		s.each(now, func(k *kind, e inventory.Entry) bool {
			if err = ctx.Err(); err != nil {
				return false
			}
			known, _ := before.Get(e.Fact.Ref())
			if known.Fact == nil || !known.Commit.Equal(e.Commit) {
				err = s.yield(p, k, inventory.Update{Ref: e.Fact.Ref(), Entry: e, Before: known}, yield)
			}
			return err == nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// ends gives the ends of what before has and now has not: of facts, and with leaves of leaves of facts that are still
// there.
func (p *part) ends(ctx context.Context, before, now inventory.View, leaves bool, at time.Time, yield func([]byte) error) error {
	var err error
	for _, s := range p.selectors {
		s.each(before, func(k *kind, e inventory.Entry) bool {
			if err = ctx.Err(); err != nil {
				return false
			}
			switch still, there := now.Get(e.Fact.Ref()); {
			case !there:
				gone := inventory.Update{Ref: e.Fact.Ref(), Entry: inventory.Entry{Event: at}, Before: e}
				err = s.yield(p, k, gone, yield)
			case leaves && !still.Commit.Equal(e.Commit):
				if m := s.lost(p, k, e, still, at.UnixNano()); m != nil {
					err = yield(m)
				}
			}
			return err == nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// lost deletes the leaves that a fact has no more; nil for none. A fact that may not be seen any more has none. at is the
// time of the sample: that of the event could be before the last one, and a client that keeps what it is told would have
// none of it.
func (s *selector) lost(p *part, k *kind, before, now inventory.Entry, at int64) []byte {
	seen := p.shown(s, k, []inventory.Update{{Ref: now.Fact.Ref(), Entry: now, Before: before}})[0]
	if seen.Before.Fact == nil {
		return nil
	}
	old, new := writers.Get().(*writer), writers.Get().(*writer)
	defer writers.Put(old)
	defer writers.Put(new)
	was, ok := s.render(old, k, seen.Before, p.filter)
	if !ok {
		return nil
	}
	target := p.answer.targetOf(s.space, seen.Before.Fact)
	if seen.Fact == nil {
		return p.answer.end(target, was, at)
	}
	is, _ := s.render(new, k, seen.Entry, p.filter)
	if k.node.atomic && len(is.leaves) > 0 {
		return nil // the sample takes the place of all
	}
	if _, some := compare(nil, was.leaves, is.leaves); !some {
		return nil
	}
	n := p.answer.begin(nil, target, was.entry, at)
	for _, path := range gone(was.leaves, k.whole(seen.Entry)) {
		n.delete(path)
	}
	return n.end(false)
}

func (s *selector) yield(p *part, k *kind, u inventory.Update, yield func([]byte) error) error {
	for _, m := range s.tell(p, k, []inventory.Update{u}, 0) {
		if err := yield(m); err != nil {
			return err
		}
	}
	return nil
}

// changes gives what a chain of updates of one object changes, as if they were one. left is how many states were left out
// before the last one.
func (p *part) changes(chain []inventory.Update, left uint32) [][]byte {
	var out [][]byte
	for _, s := range p.selectors {
		if k := s.of(chain[0].Ref); k != nil {
			out = append(out, s.tell(p, k, chain, left)...)
		}
	}
	return out
}
