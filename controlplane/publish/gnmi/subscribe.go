package gnmi

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	gpb "github.com/openconfig/gnmi/proto/gnmi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// Subscribe implements gNMI's Subscribe (specification, section 3.5).
//
// Three goroutines serve a call. The worker reads the source and sends; the receiver reads
// what the client says; this one waits for either and for the worker to be stuck in a
// send. Both end with the context of the stream, which ends when this returns.
func (s *Server) Subscribe(stream gpb.GNMI_SubscribeServer) error {
	reader, err := s.reader(stream.Context(), "Subscribe")
	if err != nil {
		return err
	}
	leave, err := s.subscribers.enter(s.caller(stream.Context()))
	if err != nil {
		return err
	}
	defer leave()
	req, err := stream.Recv()
	if err != nil {
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	}
	sub, err := s.newSubscription(stream, req, reader)
	if err != nil {
		return err
	}
	defer sub.leave()
	ended := make(chan error, 1)
	go func() { ended <- sub.work() }()
	heard := make(chan error, 1)
	go func() { heard <- sub.listen() }()
	return s.attend(stream.Context(), sub, ended, heard)
}

// attend waits for the end of a subscription.
func (s *Server) attend(ctx context.Context, sub *subscription, ended, heard <-chan error) error {
	check := time.NewTicker(s.cfg.SendTimeout / 4)
	defer check.Stop()
	var gone, crowded <-chan struct{}
	if sub.member != nil {
		gone, crowded = sub.member.gone, sub.member.crowded
	}
	for {
		select {
		case err := <-ended:
			if ctx.Err() != nil {
				return status.FromContextError(ctx.Err()).Err()
			}
			return sub.explain(err)
		case err := <-heard:
			if err != nil {
				return err
			}
			heard = nil // the client will say no more
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		case <-gone:
			if status.Code(sub.member.why) == codes.ResourceExhausted {
				s.metrics.behind.Inc()
				s.log.Warn("gNMI subscriber is too far behind and is cut off", "err", sub.member.why)
			}
			return sub.member.why
		case <-crowded:
			sub.member.merge(sub.sendsFor() > stuckAfter)
		case <-check.C:
			if sub.sendsFor() > s.cfg.SendTimeout {
				s.metrics.stuck.Inc()
				s.log.Warn("gNMI subscriber takes nothing and is cut off", "timeout", s.cfg.SendTimeout)
				return s.errStuck()
			}
		}
	}
}

// sendsFor is how long the send that is going on takes already; 0 for none.
func (sub *subscription) sendsFor() time.Duration {
	since := sub.sending.Load()
	if since == 0 {
		return 0
	}
	return time.Since(sub.began) - time.Duration(since)
}

// subscription is one Subscribe call.
type subscription struct {
	server *Server
	stream gpb.GNMI_SubscribeServer
	list   *gpb.SubscriptionList
	moment *moment
	known  bool // changes of the range come with the time when they were known
	parts  []*part
	sent   sent
	polls  chan struct{}
	member *member        // of the parts that want changes; nil when there are none
	start  start          // where the member begins
	past   inventory.View // the past moment that is asked about; nil for none

	ctx       context.Context // of the reading of the past, which may not take for ever; else the stream's
	stop      func()          // ends ctx
	leavePast func()          // of the quota

	began   time.Time
	asked   time.Time // for everything there is
	count   func(leaves int)
	sending atomic.Int64 // nanoseconds from began to the start of the send going on; 0 for none
}

func (s *Server) newSubscription(stream gpb.GNMI_SubscribeServer, req *gpb.SubscribeRequest, reader Reader) (*subscription, error) {
	list := req.GetSubscribe()
	if err := checkRequest(req, list); err != nil {
		return nil, err
	}
	ext, err := parseExtensions(req.GetExtension())
	if err != nil {
		return nil, err
	}
	if err := ext.moment.fits(list.GetMode()); err != nil {
		return nil, err
	}
	sub := &subscription{server: s, stream: stream, list: list, moment: ext.moment, known: ext.known, ctx: stream.Context(), stop: func() {}, leavePast: func() {},
		sent: s.metrics.sent(list.GetMode().String()), polls: make(chan struct{}, 1), began: time.Now(), asked: time.Now(), count: s.counter(stream.Context())}
	if ext.moment != nil {
		if sub.leavePast, err = s.enterPast(sub.ctx); err != nil {
			return nil, err
		}
		sub.ctx, sub.stop = context.WithTimeoutCause(sub.ctx, s.cfg.PastTimeout, s.errLate())
	}
	if err := sub.compile(ext.levels, reader); err != nil {
		sub.leave()
		return nil, sub.explain(err)
	}
	return sub, nil
}

// compile makes the parts of the subscription.
func (sub *subscription) compile(levels int, reader Reader) error {
	s, list := sub.server, sub.list
	paths := make([]*gpb.Path, len(list.GetSubscription()))
	for i, sub := range list.GetSubscription() {
		paths[i] = sub.GetPath()
	}
	a, err := s.answer(sub.ctx, sub.moment, list.GetPrefix(), paths, list.GetEncoding(), list.GetUseModels(), reader)
	if err != nil {
		return err
	}
	a.levels = levels
	if sub.parts, err = s.newParts(a, list); err != nil {
		return err
	}
	switch m := sub.moment; {
	case m == nil:
	case m.until == nil:
		if sub.past, err = s.view(sub.ctx, m, wantsOf(sub.parts)); err != nil {
			return err
		}
	case m.at.After(s.now()):
		return future(m.at)
	}
	return sub.join()
}

// leave gives back what the subscription has.
func (sub *subscription) leave() {
	sub.stop()
	sub.leavePast()
	if sub.member != nil {
		sub.server.hub.leave(sub.member)
	}
}

// explain puts the reason in the place of the error that came of it.
func (sub *subscription) explain(err error) error {
	if cause := context.Cause(sub.ctx); err != nil && status.Code(cause) == codes.ResourceExhausted {
		return cause
	}
	return err
}

// join makes the subscription a member where it wants changes as they happen.
func (sub *subscription) join() error {
	if sub.list.GetMode() != gpb.SubscriptionList_STREAM || sub.moment != nil && !sub.moment.goesOn(sub.server.now()) {
		return nil
	}
	var changing []*part
	for _, p := range sub.parts {
		if p.interval == 0 || sub.moment != nil {
			changing = append(changing, p)
		}
	}
	if len(changing) == 0 {
		return nil
	}
	var err error
	sub.member, sub.start, err = sub.server.hub.join(sub.stream.Context(), changing)
	if err == nil {
		sub.member.apart = sub.moment != nil // each change has to be in the range or not
	}
	return err
}

// Numbers of fields that gNMI had before 0.8 (gnmi.proto reserves them).
const (
	requestAliases protowire.Number = 4
	listUseAliases protowire.Number = 3
)

// checkRequest checks what does not depend on the models.
func checkRequest(req *gpb.SubscribeRequest, list *gpb.SubscriptionList) error {
	switch {
	case carries(req, requestAliases):
		return status.Error(codes.Unimplemented, "aliases: gNMI has them no more, and they are not supported")
	case list == nil:
		return status.Error(codes.InvalidArgument, "the first message must carry a subscription list: there is no subscription yet")
	case carries(list, listUseAliases):
		return status.Error(codes.Unimplemented, "use_aliases: gNMI has them no more, and they are not supported")
	case len(list.GetSubscription()) == 0:
		return status.Error(codes.InvalidArgument, "the subscription list is empty")
	case list.GetQos().GetMarking() > 63:
		return status.Errorf(codes.InvalidArgument, "qos: marking %d is no DSCP", list.GetQos().GetMarking())
	}
	if _, ok := gpb.SubscriptionList_Mode_name[int32(list.GetMode())]; !ok {
		return status.Errorf(codes.InvalidArgument, "mode %v is not known", list.GetMode())
	}
	return nil
}

// carries says whether a message came with a field that its definition does not have.
func carries(m proto.Message, field protowire.Number) bool {
	for b := m.ProtoReflect().GetUnknown(); len(b) > 0; {
		n, _, size := protowire.ConsumeField(b)
		if n == field {
			return true
		}
		if size <= 0 {
			return false
		}
		b = b[size:]
	}
	return false
}

// listen reads what the client says after its first message.
func (sub *subscription) listen() error {
	for {
		req, err := sub.stream.Recv()
		if errors.Is(err, io.EOF) {
			close(sub.polls)
			return nil
		}
		if err != nil {
			return err
		}
		switch {
		case carries(req, requestAliases):
			return status.Error(codes.Unimplemented, "aliases: gNMI has them no more, and they are not supported")
		case req.GetSubscribe() != nil:
			return status.Error(codes.InvalidArgument, "a second subscription list: subscriptions cannot be changed, only ended")
		case req.GetPoll() == nil || sub.list.GetMode() != gpb.SubscriptionList_POLL:
			return status.Errorf(codes.InvalidArgument, "only polls of a POLL subscription may follow; this one is %v", sub.list.GetMode())
		case len(req.GetExtension()) > 0:
			return status.Error(codes.InvalidArgument, "extensions: they belong to the subscription, and a poll changes nothing of it")
		}
		select {
		case sub.polls <- struct{}{}:
		case <-sub.stream.Context().Done():
			return nil
		}
	}
}

func (sub *subscription) work() error {
	switch {
	case sub.moment != nil && sub.moment.until != nil:
		return sub.replay()
	case sub.list.GetMode() == gpb.SubscriptionList_ONCE:
		return sub.once()
	case sub.list.GetMode() == gpb.SubscriptionList_POLL:
		return sub.poll()
	}
	return sub.follow()
}

func (sub *subscription) once() error {
	if sub.past != nil {
		return sub.snapshot(sub.past)
	}
	return sub.snapshot(sub.server.source.Now())
}

func (sub *subscription) poll() error {
	// The first answer comes unasked, as for the other modes.
	for {
		if err := sub.snapshot(sub.server.source.Now()); err != nil {
			return err
		}
		select {
		case _, ok := <-sub.polls:
			if !ok {
				return nil
			}
			sub.asked = time.Now()
		case <-sub.stream.Context().Done():
			return nil
		}
	}
}

// snapshot sends everything asked for as view has it, and says that it is complete. With updates_only there is nothing
// to send.
func (sub *subscription) snapshot(view inventory.View) error {
	if !sub.list.GetUpdatesOnly() {
		for _, p := range sub.parts {
			if err := p.all(sub.ctx, view, sub.sendOwn); err != nil {
				return err
			}
		}
	}
	return sub.sync()
}

func (sub *subscription) sync() error {
	sub.server.metrics.since(sub.sent.sync, sub.asked)
	return sub.send(&encoded{bytes: syncResponse(), shared: true})
}

// sendOwn sends a notification whose bytes nobody else needs.
func (sub *subscription) sendOwn(message []byte) error { return sub.notify(&encoded{bytes: message}) }

// notify sends a notification.
func (sub *subscription) notify(m *encoded) error {
	sub.sent.notifications.Inc()
	n := leavesOf(m.bytes)
	sub.sent.leaves.Add(float64(n))
	sub.count(n)
	sub.server.metrics.bytes.Add(float64(len(m.bytes)))
	return sub.send(m)
}

func (sub *subscription) send(m *encoded) error {
	sub.sending.Store(max(int64(time.Since(sub.began)), 1))
	defer sub.sending.Store(0)
	return sub.stream.SendMsg(m)
}
