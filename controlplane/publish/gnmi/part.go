package gnmi

import (
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

func (c leafChoice) filter() filter {
	switch c {
	case eventLeaves:
		return func(n *node) bool { return n.onChange }
	case counterLeaves:
		return func(n *node) bool { return !n.onChange }
	}
	return nil
}

// manner is how a part sends.
type manner struct {
	choice    leafChoice
	interval  time.Duration // between samples; 0 sends changes
	heartbeat time.Duration // everything again, changed or not; 0 for never
	suppress  bool          // of a sample only what changed
}

// part is the paths of a subscription that are sent in one manner, each leaf once even
// where they overlap.
type part struct {
	manner
	*selector
	filter filter
	// sent has the state of each fact that the subscriber knows; nil when nobody will ask.
	sent   map[inventory.Ref]inventory.Entry
	sample time.Time // when the next sample is due
	beat   time.Time // when the next heartbeat is due
}

// newParts sorts the paths of a subscription list into parts.
func (s *Server) newParts(to *scope, list *gpb.SubscriptionList) ([]*part, error) {
	paths := make([]*gpb.Path, len(list.GetSubscription()))
	for i, sub := range list.GetSubscription() {
		paths[i] = sub.GetPath()
	}
	requests, err := s.parseAll(to, list.GetPrefix(), paths)
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
			byManner[m] = append(byManner[m], requests[i])
		}
	}
	var parts []*part
	for _, m := range order {
		parts = append(parts, s.compile(*to, m, byManner[m])...)
	}
	return parts, nil
}

// compile makes the parts for paths of one manner: one, unless they are too many for a
// program.
func (s *Server) compile(to scope, m manner, paths []request) []*part {
	var parts []*part
	for len(paths) > 0 {
		var p program
		n := 0
		for n < len(paths) && p.room(len(paths[n].elems)) {
			p.add(paths[n].elems)
			n++
		}
		parts = append(parts, &part{
			manner: m, filter: m.choice.filter(), selector: newSelector(s.table(to), to.device, &p, paths[:n]),
		})
		paths = paths[n:]
	}
	return parts
}

// manners gives how one path of a subscription list is sent.
func (s *Server) manners(mode gpb.SubscriptionList_Mode, sub *gpb.Subscription) ([]manner, error) {
	if mode != gpb.SubscriptionList_STREAM {
		return []manner{{}}, nil
	}
	interval, err := s.interval("sample_interval", sub.GetSampleInterval())
	if err != nil {
		return nil, err
	}
	heartbeat, err := s.interval("heartbeat_interval", sub.GetHeartbeatInterval())
	if err != nil {
		return nil, err
	}
	switch sub.GetMode() {
	case gpb.SubscriptionMode_ON_CHANGE:
		return []manner{{heartbeat: heartbeat}}, nil
	case gpb.SubscriptionMode_SAMPLE:
		if interval == 0 {
			interval = s.cfg.SampleMinimum
		}
		return []manner{{interval: interval, heartbeat: heartbeat, suppress: sub.GetSuppressRedundant()}}, nil
	case gpb.SubscriptionMode_TARGET_DEFINED:
		if interval == 0 {
			interval = s.cfg.SampleDefault
		}
		return []manner{
			{choice: eventLeaves, heartbeat: heartbeat},
			{choice: counterLeaves, interval: interval, heartbeat: heartbeat, suppress: sub.GetSuppressRedundant()},
		}, nil
	}
	return nil, status.Errorf(codes.InvalidArgument, "subscription mode %v is not known", sub.GetMode())
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

// sendAll sends everything of the part as view has it.
func (p *part) sendAll(sub *subscription, view inventory.View) error {
	var err error
	p.each(view, func(k *kind, e inventory.Entry) bool {
		r, ok := k.render(e, p.program, p.filter)
		if !ok {
			return true
		}
		if err = sub.notify(sub.answer.all(r)); err == nil && p.sent != nil {
			p.sent[e.Fact.Ref()] = e
		}
		return err == nil
	})
	return err
}

// learn notes what view has as known, for a subscriber that wants updates only.
func (p *part) learn(view inventory.View) {
	p.each(view, func(k *kind, e inventory.Entry) bool {
		if _, ok := k.render(e, p.program, p.filter); ok {
			p.sent[e.Fact.Ref()] = e
		}
		return true
	})
}

// sendChanged sends what view has and the subscriber does not know yet.
func (p *part) sendChanged(sub *subscription, view inventory.View) error {
	seen := make(map[inventory.Ref]bool, len(p.sent))
	var err error
	p.each(view, func(k *kind, e inventory.Entry) bool {
		ref := e.Fact.Ref()
		seen[ref] = true
		err = p.tell(sub, k, ref, e)
		return err == nil
	})
	if err != nil {
		return err
	}
	for ref := range p.sent {
		if seen[ref] {
			continue
		}
		gone := inventory.Entry{Event: sub.server.now()}
		if err := p.tell(sub, p.of(ref), ref, gone); err != nil {
			return err
		}
	}
	return nil
}

// apply sends what an update changes.
func (p *part) apply(sub *subscription, u inventory.Update) error {
	k := p.of(u.Ref)
	if k == nil || u.Fact != nil && !p.inTarget(u.Fact) {
		return nil
	}
	return p.tell(sub, k, u.Ref, u.Entry)
}

// tell sends the difference between what the subscriber knows of a fact and e, whose Fact
// is nil when it ended.
func (p *part) tell(sub *subscription, k *kind, ref inventory.Ref, e inventory.Entry) error {
	var now, before rendered
	is := false
	if e.Fact != nil {
		now, is = k.render(e, p.program, p.filter)
	}
	known, was := p.sent[ref]
	if was {
		before, _ = k.render(known, p.program, p.filter)
	}
	switch {
	case is:
		p.sent[ref] = e
	case was:
		delete(p.sent, ref)
	}
	switch {
	case was && e.Fact != nil:
		return sub.notify(sub.answer.change(before, now, e))
	case was:
		return sub.notify(sub.answer.end(before, e.Event.UnixNano()))
	case is:
		return sub.notify(sub.answer.all(now))
	}
	return nil
}
