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

	"github.com/fabricscope/fabricscope/controlplane/inventory"
)

// Subscribe implements gNMI's Subscribe (specification, section 3.5).
//
// Three goroutines serve a call. The worker reads the source and sends; the receiver reads
// what the client says; this one waits for either and for the worker to be stuck in a
// send. Both end with the context of the stream, which ends when this returns.
func (s *Server) Subscribe(stream gpb.GNMI_SubscribeServer) error {
	err := s.subscribe(stream)
	s.metrics.rpcs.WithLabelValues("subscribe", status.Code(err).String()).Inc()
	return err
}

func (s *Server) subscribe(stream gpb.GNMI_SubscribeServer) error {
	if n := s.subscribers.Add(1); n > int64(s.cfg.MaxSubscribers) {
		s.subscribers.Add(-1)
		return status.Errorf(codes.ResourceExhausted, "%d subscribers already", s.cfg.MaxSubscribers)
	}
	defer s.subscribers.Add(-1)
	req, err := stream.Recv()
	if err != nil {
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	}
	sub, err := s.newSubscription(stream, req)
	if err != nil {
		return err
	}
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
	for {
		select {
		case err := <-ended:
			return err
		case err := <-heard:
			if err != nil {
				return err
			}
			heard = nil // the client will say no more
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		case <-check.C:
			since := sub.sending.Load()
			if since != 0 && time.Since(sub.began)-time.Duration(since) > s.cfg.SendTimeout {
				s.metrics.stuck.Inc()
				s.log.Warn("gNMI subscriber takes nothing and is cut off", "timeout", s.cfg.SendTimeout)
				return status.Errorf(codes.ResourceExhausted, "the subscriber took nothing for %v", s.cfg.SendTimeout)
			}
		}
	}
}

// subscription is one Subscribe call.
type subscription struct {
	server *Server
	stream gpb.GNMI_SubscribeServer
	list   *gpb.SubscriptionList
	moment *moment
	parts  []*part
	answer answer
	mode   string
	polls  chan struct{}

	began   time.Time
	sending atomic.Int64 // nanoseconds from began to the start of the send going on; 0 for none
}

func (s *Server) newSubscription(stream gpb.GNMI_SubscribeServer, req *gpb.SubscribeRequest) (*subscription, error) {
	list := req.GetSubscribe()
	if list == nil {
		return nil, status.Error(codes.InvalidArgument, "the first message must carry a subscription list")
	}
	if len(list.GetSubscription()) == 0 {
		return nil, status.Error(codes.InvalidArgument, "the subscription list is empty")
	}
	m, err := parseMoment(req.GetExtension())
	if err != nil {
		return nil, err
	}
	if m != nil && list.GetMode() != gpb.SubscriptionList_ONCE {
		return nil, status.Errorf(codes.InvalidArgument, "a past moment can only be asked for with mode ONCE, not %v", list.GetMode())
	}
	view, err := s.view(stream.Context(), m)
	if err != nil {
		return nil, err
	}
	sub := &subscription{
		server: s, stream: stream, list: list, moment: m, mode: list.GetMode().String(),
		polls: make(chan struct{}, 1), began: time.Now(),
	}
	sub.answer, err = s.answer(view, list.GetPrefix(), list.GetEncoding(), len(list.GetUseModels()) > 0)
	if err != nil {
		return nil, err
	}
	sub.parts, err = s.newParts(&sub.answer.scope, list)
	return sub, err
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
		case req.GetSubscribe() != nil:
			return status.Error(codes.InvalidArgument, "a second subscription list: subscriptions cannot be changed, only ended")
		case req.GetPoll() == nil || sub.list.GetMode() != gpb.SubscriptionList_POLL:
			return status.Errorf(codes.InvalidArgument, "only polls of a POLL subscription may follow; this one is %v", sub.list.GetMode())
		}
		select {
		case sub.polls <- struct{}{}:
		case <-sub.stream.Context().Done():
			return nil
		}
	}
}

func (sub *subscription) work() error {
	switch sub.list.GetMode() {
	case gpb.SubscriptionList_ONCE:
		return sub.once()
	case gpb.SubscriptionList_POLL:
		return sub.poll()
	case gpb.SubscriptionList_STREAM:
		return sub.follow()
	}
	return status.Errorf(codes.InvalidArgument, "mode %v is not known", sub.list.GetMode())
}

func (sub *subscription) once() error {
	view, err := sub.server.view(sub.stream.Context(), sub.moment)
	if err != nil {
		return err
	}
	return sub.snapshot(view)
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
		case <-sub.stream.Context().Done():
			return nil
		}
	}
}

// snapshot sends everything asked for as view has it, and says that it is complete.
func (sub *subscription) snapshot(view inventory.View) error {
	for _, p := range sub.parts {
		if sub.list.GetUpdatesOnly() {
			break
		}
		if err := p.sendAll(sub, view); err != nil {
			return err
		}
	}
	return sub.sync()
}

func (sub *subscription) sync() error {
	return sub.send(&gpb.SubscribeResponse{Response: &gpb.SubscribeResponse_SyncResponse{SyncResponse: true}})
}

// notify sends a notification; nil sends nothing.
func (sub *subscription) notify(n *gpb.Notification) error {
	if n == nil {
		return nil
	}
	sub.server.metrics.notifications.WithLabelValues(sub.mode).Inc()
	sub.server.metrics.leaves.Add(float64(len(n.Update)))
	return sub.send(&gpb.SubscribeResponse{Response: &gpb.SubscribeResponse_Update{Update: n}})
}

func (sub *subscription) send(resp *gpb.SubscribeResponse) error {
	sub.sending.Store(max(int64(time.Since(sub.began)), 1))
	defer sub.sending.Store(0)
	return sub.stream.Send(resp)
}
