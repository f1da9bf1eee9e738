package gnmiserver

import (
	"errors"
	"io"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Intervals of samples: the shortest, that of those who leave it to the server, and how often counters are looked at
// for those who want to hear of changes.
const (
	sampleMinimum = time.Second
	sampleDefault = 10 * time.Second
	counterLook   = time.Second
)

// Subscribe sends what a client asks for.
func (s *Server) Subscribe(stream gpb.GNMI_SubscribeServer) error {
	req, err := stream.Recv()
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	}
	list := req.GetSubscribe()
	if list == nil {
		return status.Error(codes.InvalidArgument, "the first message must have subscribe")
	}
	if err := errors.Join(checkEncoding(list.GetEncoding()), checkExtensions(req.GetExtension())); err != nil {
		return err
	}
	if err := s.checkPaths(len(list.GetSubscription())); err != nil {
		return err
	}
	f, err := newFollower(stream, list)
	if err != nil {
		return err
	}
	switch list.GetMode() {
	case gpb.SubscriptionList_ONCE:
		return f.whole(s.deps.Interfaces(), list.GetUpdatesOnly())
	case gpb.SubscriptionList_POLL:
		return s.poll(f)
	case gpb.SubscriptionList_STREAM:
		return s.follow(f, list.GetUpdatesOnly())
	}
	return status.Errorf(codes.InvalidArgument, "mode %v is not known", list.GetMode())
}

// follower is one Subscribe call.
type follower struct {
	stream   gpb.GNMI_SubscribeServer
	encoding gpb.Encoding
	prefix   *gpb.Path
	all      []request
	changes  []request      // whose changes are wanted
	samples  []*sample      // the others
	sent     map[string]any // of changes, by interface and leaf
}

// sample is a path that is sent every so often.
type sample struct {
	path     []request // one
	every    time.Duration
	due      time.Time
	suppress bool
	counters bool // only them
	sent     map[string]any
}

func newFollower(stream gpb.GNMI_SubscribeServer, list *gpb.SubscriptionList) (*follower, error) {
	f := &follower{stream: stream, encoding: list.GetEncoding(), prefix: answerPrefix(list.GetPrefix()), sent: map[string]any{}}
	if len(list.GetSubscription()) == 0 {
		return nil, status.Error(codes.InvalidArgument, "subscription: there is none")
	}
	for _, sub := range list.GetSubscription() {
		r, err := parse(list.GetPrefix(), sub.GetPath())
		if err != nil {
			return nil, err
		}
		f.all = append(f.all, r)
		if list.GetMode() != gpb.SubscriptionList_STREAM {
			continue
		}
		if sub.GetHeartbeatInterval() != 0 {
			return nil, status.Error(codes.Unimplemented, "heartbeat_interval: there are no heartbeats")
		}
		if err := f.add(r, sub); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// add takes one path of a stream. Counters of a path whose changes are wanted are samples too.
func (f *follower) add(r request, sub *gpb.Subscription) error {
	interval := time.Duration(min(sub.GetSampleInterval(), uint64(24*time.Hour)))
	s := &sample{path: []request{r}, every: interval, suppress: sub.GetSuppressRedundant(), sent: map[string]any{}}
	switch sub.GetMode() {
	case gpb.SubscriptionMode_SAMPLE:
		if interval == 0 {
			s.every = sampleMinimum
		} else if interval < sampleMinimum {
			return status.Errorf(codes.InvalidArgument, "sample_interval: %v is less than %v", interval, sampleMinimum)
		}
		f.samples = append(f.samples, s)
		return nil
	case gpb.SubscriptionMode_ON_CHANGE:
		s.every, s.suppress = counterLook, true
	case gpb.SubscriptionMode_TARGET_DEFINED:
		s.every = sampleDefault
	default:
		return status.Errorf(codes.InvalidArgument, "subscription mode %v is not known", sub.GetMode())
	}
	f.changes = append(f.changes, r)
	for _, l := range leaves() {
		if l.counter && r.matches(l, "", true) {
			s.counters = true
			f.samples = append(f.samples, s)
			break
		}
	}
	return nil
}

// whole sends everything, and that this was everything.
func (f *follower) whole(all []Interface, updatesOnly bool) error {
	now := time.Now()
	for _, i := range all {
		note := func(_ leaf, id string, v any) bool { f.sent[id] = v; return !updatesOnly }
		if err := f.send(now, updates(i, f.all, f.encoding, note)); err != nil {
			return err
		}
		for _, s := range f.samples {
			updates(i, s.path, f.encoding, s.news)
			s.due = now.Add(s.every)
		}
	}
	return f.stream.Send(&gpb.SubscribeResponse{Response: &gpb.SubscribeResponse_SyncResponse{SyncResponse: true}})
}

func (f *follower) send(at time.Time, list []*gpb.Update) error {
	if len(list) == 0 {
		return nil
	}
	n := &gpb.Notification{Timestamp: at.UnixNano(), Prefix: f.prefix, Update: list}
	return f.stream.Send(&gpb.SubscribeResponse{Response: &gpb.SubscribeResponse_Update{Update: n}})
}

// changed sends what is new of a port, as of when it changed.
func (f *follower) changed(i Interface) error {
	return f.send(i.LastChange, updates(i, f.changes, f.encoding, func(l leaf, id string, v any) bool {
		if l.counter || f.sent[id] == v {
			return false
		}
		f.sent[id] = v
		return true
	}))
}

// news says whether a leaf is to be sent with a sample.
func (s *sample) news(l leaf, id string, v any) bool {
	if s.counters && !l.counter || s.suppress && s.sent[id] == v {
		return false
	}
	s.sent[id] = v
	return true
}

// take sends the samples that are due.
func (f *follower) take(all []Interface, now time.Time) error {
	for _, s := range f.samples {
		if now.Before(s.due) {
			continue
		}
		s.due = now.Add(s.every)
		for _, i := range all {
			if err := f.send(now, updates(i, s.path, f.encoding, s.news)); err != nil {
				return err
			}
		}
	}
	return nil
}

// next is how long until a sample is due.
func (f *follower) next(now time.Time) time.Duration {
	wait := 24 * time.Hour
	for _, s := range f.samples {
		wait = min(wait, s.due.Sub(now))
	}
	return max(wait, 0)
}

// errStopping ends subscriptions with the switch.
var errStopping = status.Error(codes.Unavailable, "the switch stops")

// follow sends everything, and then what changes, until the client ends it.
func (s *Server) follow(f *follower, updatesOnly bool) error {
	sub, all, err := s.join()
	if err != nil {
		return err
	}
	defer s.leave(sub)
	if err := f.whole(all, updatesOnly); err != nil {
		return err
	}
	asked := f.requests()
	timer := time.NewTimer(f.next(time.Now()))
	defer timer.Stop()
	for {
		select {
		case i := <-sub.changes:
			err = f.changed(i)
		case <-timer.C:
			now := time.Now()
			err = f.take(s.deps.Interfaces(), now)
			timer.Reset(f.next(now))
		case <-sub.cut:
			err = status.Error(codes.ResourceExhausted, "what was sent was not taken")
		case r := <-asked:
			if err = r.err; err == nil {
				err = status.Error(codes.InvalidArgument, "a stream takes no second message")
			} else if errors.Is(err, io.EOF) {
				asked, err = nil, nil // the client has nothing more to say, and listens
			}
		case <-f.stream.Context().Done():
			err = f.stream.Context().Err()
		case <-s.stopping:
			err = errStopping
		}
		if err != nil {
			return err
		}
	}
}

// poll sends everything each time that the client asks.
func (s *Server) poll(f *follower) error {
	asked := f.requests()
	for {
		select {
		case <-s.stopping:
			return errStopping
		case <-f.stream.Context().Done():
			return f.stream.Context().Err()
		case r := <-asked:
			switch {
			case errors.Is(r.err, io.EOF):
				return nil
			case r.err != nil:
				return r.err
			case r.req.GetPoll() == nil:
				return status.Error(codes.InvalidArgument, "a message that is no poll")
			}
			if err := f.whole(s.deps.Interfaces(), false); err != nil {
				return err
			}
		}
	}
}

type received struct {
	req *gpb.SubscribeRequest
	err error
}

// requests gives the client's further messages. The goroutine ends with the call.
func (f *follower) requests() <-chan received {
	out := make(chan received)
	go func() {
		for {
			req, err := f.stream.Recv()
			select {
			case out <- received{req, err}:
			case <-f.stream.Context().Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return out
}
